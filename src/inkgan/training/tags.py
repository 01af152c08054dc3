"""What the figures and pictures of a run are called in TensorBoard: ``group/name``.

The recipe ``tutorial`` keeps the names of the lesson for what the lesson shows.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Every term that a recipe or the recorder knows by another name.
_TAGS = {
    "loss_discriminator": "loss/discriminator",
    "loss_generator": "loss/generator",
    "penalty": "loss/penalty",
    "margin": "margin/mean",
    "pairs_in_order": "margin/pairs_in_order",
    "score_real": "score/real",
    "score_fake": "score/generated",
    "loss_class_real": "classifier/loss_real",
    "loss_class_fake": "classifier/loss_generated",
    "steps_per_second": "speed/steps_per_second",
    "gradient_discriminator": "gradient/discriminator",
    "gradient_generator": "gradient/generator",
}
_LESSON = {
    "loss_generator": "Generator_loss",
    "loss_real": "Discriminator_loss_real",
    "loss_fake": "Discriminator_loss_fake",
}
#: All fixed latents in one picture, and the first ten of them side by side.
ALL_FIXED = "pictures/fixed_latents"
FIRST_FIXED = "pictures/first_ten"

#: What TensorBoard's page "Custom Scalars" shows: the charts of each section, and the tags of each chart,
#: which are regular expressions.
LAYOUT: Mapping[str, Mapping[str, list[str]]] = {
    "how it goes": {
        "losses": ["loss/generator", "loss/discriminator"],
        "real images ahead of generated ones": ["margin/mean"],
        "pairs in order: 0.5 is guessing": ["margin/pairs_in_order"],
        "distance to real images": ["quality/frechet.*"],
    },
    "health": {
        "images of a class differ: 1 is as much as real ones": ["doctor/spread", "doctor/spread_average"],
        "held-out pairs in order: 0.5 is guessing": ["doctor/order", "doctor/order_held_out"],
        "training images against held-out ones: 0.5 is no memory": ["doctor/memory"],
        "how far real and generated images are apart": [
            "doctor/separation",
            "doctor/margin",
            "doctor/margin_held_out",
        ],
        "the learner: identical images, distance from its average": ["doctor/identical", "doctor/from_average"],
        "classes drawn: 1 is as often as asked for": ["doctor/least_drawn", "doctor/most_drawn"],
        "classes drawn as another, classes known": ["doctor/drawn_wrongly", "doctor/classes_known"],
        "pixels against those of real images": ["doctor/range", "doctor/brightness", "doctor/dark_ink"],
        "units that are stuck": ["doctor/stuck_generator", "doctor/stuck_discriminator"],
        "sizes of gradients": ["gradient/discriminator", "gradient/generator"],
    },
    "details": {
        "share of images that show their class": ["quality/accuracy"],
        "auxiliary classifier": ["classifier/loss_real", "classifier/loss_generated"],
        "penalty": ["loss/penalty"],
        "probability of being real": ["score/real", "score/generated"],
        "steps per second": ["speed/steps_per_second"],
    },
}

#: Every tag that a chart shows. Only these of the doctor's signals go to TensorBoard.
CHARTED = frozenset(tag for section in LAYOUT.values() for tags in section.values() for tag in tags)


def tag_of(term: str, *, lesson: bool) -> str:
    """The tag of a figure.

    Args:
        term: what metrics.jsonl calls it.
        lesson: whether to use the lesson's name where it has one.
    """
    if lesson and term in _LESSON:
        return _LESSON[term]
    return _TAGS.get(term, term if "/" in term else f"other/{term}")


def lesson_image(index: int) -> str:
    """The lesson's tag of a generated image; TensorFlow numbered the images of a batch."""
    return f"Generated_images/image/{index}"
