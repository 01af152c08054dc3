"""Do the figures show what they should? Images whose fault is known, and real images against real images.

    python benchmarks/known_answers.py [--n 3000] [--repeats 10] [--record]

For the first table, MNIST's validation images are spoiled in one way at a time. The table says whether the figures that
exist to catch each fault do: a fault is caught if the figure's interval does not overlap that of its floor, which comes
from the same number of test images.

The second table compares real images with real images at several n: the bias that a perfect generator has, its spread
over disjoint draws, and the standard error that a single evaluation reports. Both use the code of ``inkgan evaluate``.
With --record the tables and their numbers are kept under benchmarks/results.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import say
from report import finish, heading, parser_for, result_name, table

from inkgan.data import Split, load
from inkgan.evaluation.evaluate import distance_in_units, figures_of, measure, random_features_distance
from inkgan.evaluation.features import Features, random_network
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distances
from inkgan.evaluation.metrics.intervals import Estimate, jackknife
from inkgan.evaluation.reference import FLOOR_SEED, ImageFeatures, Reference, reference_for, training_features
from inkgan.evaluation.report import Figure, Report
from inkgan.evaluation.report_text import number
from inkgan.evaluation.subject import Sample, Subject, draw
from inkgan.images import Images, Labels

SIZES = (1_000, 3_000, 10_000)
ABOVE, BELOW = "▲", "▼"

DISTANCES = {"frechet_digit_distance": ABOVE, "frechet_random_distance": ABOVE, "kernel_digit_distance": ABOVE}
#: For each spoiled set, the figures that must catch the fault, and on which side of their floor they must lie.
MUST: dict[str, dict[str, str]] = {
    "real, untouched": {},
    "noise, sigma 20": DISTANCES,
    "blur, mean of 3×3": DISTANCES,
    "shift, 2 pixels": DISTANCES,
    "every other image is noise alone": {
        "precision": BELOW, "density": BELOW, "classification_accuracy": BELOW, "frechet_random_distance": ABOVE,
    },
    "no threes": {
        "class_total_variation": ABOVE, "class_kl": ABOVE, "classes_covered": BELOW, "coverage": BELOW,
        "frechet_random_distance": ABOVE,
    },
    "one and the same four": {"diversity": BELOW, "recall": BELOW},
    "one repeated image": {
        "recall": BELOW, "coverage": BELOW, "classifier_score": BELOW, "diversity": BELOW,
        "frechet_random_distance": ABOVE,
    },
    "training images": {"exact_copies": ABOVE, "near_copies": ABOVE, "copying_z": BELOW},
    "training images, noise of sigma 6": {"near_copies_pixels": ABOVE, "copying_z_pixels": BELOW},
    "training images, moved by 1 pixel": {"copying_z": BELOW},
    "labels 3 and 5 swapped": {"accuracy": BELOW, "classification_accuracy": BELOW},
}  # fmt: skip
#: Figures that take minutes; they are computed only for the sets whose fault they must catch.
FULL = {"classification_accuracy", "near_copies_pixels", "copying_z_pixels"}
SHORT = {
    "frechet_digit_distance": "Fréchet", "frechet_random_distance": "Fréchet, random",
    "kernel_digit_distance": "kernel", "class_total_variation": "total variation", "class_kl": "KL",
    "classes_covered": "classes", "classification_accuracy": "accuracy score",
    "near_copies_pixels": "near-copies, pixels", "copying_z_pixels": "copying z, pixels",
}  # fmt: skip


def noisy(images: Images, sigma: float) -> Images:
    """Add normal noise, then round and cut to 0-255."""
    noise = np.random.default_rng(0).normal(0, sigma, images.shape)
    return np.clip(images + noise, 0, 255).round().astype(np.uint8)


def blurred(images: Images) -> Images:
    """Take the mean of each 3×3 neighbourhood."""
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = [padded[:, i : i + 28, j : j + 28] for i in range(3) for j in range(3)]
    return np.mean(windows, axis=0).round().astype(np.uint8)


def spoiled(reference: Reference, n: int) -> dict[str, tuple[Images, Labels]]:
    """Make the sets of MUST, but not from test images, which serve as the floor and in the accuracy score."""
    fresh, train = reference.data.validation, reference.data.train
    assert fresh.labels is not None
    assert train.labels is not None
    images, labels = fresh.images[:n], fresh.labels[:n]
    half = images.copy()
    half[::2] = np.random.default_rng(0).integers(0, 256, half[::2].shape, dtype=np.uint8)
    no_threes = np.flatnonzero(fresh.labels != 3)[:n]
    one_four = images.copy()
    one_four[labels == 4] = images[labels == 4][0]
    swapped = labels.copy()
    swapped[labels == 3], swapped[labels == 5] = 5, 3
    some = reference.training_indices(len(train))[-n:]  # not those in the reference of precision and recall
    copies, copied = train.images[some], train.labels[some]
    made = [
        (images, labels),
        (noisy(images, 20), labels),
        (blurred(images), labels),
        (np.roll(images, 2, axis=2), labels),
        (half, labels),
        (fresh.images[no_threes], fresh.labels[no_threes]),
        (one_four, labels),
        (np.repeat(images[:1], n, axis=0), np.repeat(labels[:1], n)),
        (copies, copied),
        (noisy(copies, 6), copied),
        (np.roll(copies, 1, axis=2), copied),
        (images, swapped),
    ]
    return dict(zip(MUST, made, strict=True))


def side(figure: Figure) -> str:
    """Return on which side of its floor a figure lies; empty if their intervals overlap."""
    if figure.interval.low > figure.floor_interval.high:
        return ABOVE
    return BELOW if figure.interval.high < figure.floor_interval.low else ""


def bracketed(value: float, interval: Any) -> str:
    """Format a value with its interval."""
    return f"{number(value)} [{number(interval.low)}, {number(interval.high)}]"


def known_answers(reports: dict[str, Report]) -> tuple[str, str]:
    """Write the table of what must be caught, and that of every figure of every set."""
    must = [["images", "figure that must catch it", "value", "floor", "caught"]]
    for name, expected in MUST.items():
        for key, where in expected.items():
            figure = reports[name][key]
            floor = bracketed(figure.floor, figure.floor_interval)
            caught = "yes" if side(figure) == where else "**NO**"
            must.append([name, figure.title, bracketed(figure.value, figure.interval), floor, caught])
    keys = [figure.name for figure in reports["real, untouched"].figures]
    every = [["images", *(SHORT.get(key, key.replace("_", " ")) for key in keys)]]
    every.append(["*floor*", *(number(reports["real, untouched"][key].floor) for key in keys)])
    for name, report in reports.items():
        found = {figure.name: f"{number(figure.value)} {side(figure)}".strip() for figure in report.figures}
        cells = [found.get(key, "-") for key in keys]
        bold = [f"**{cell}**" if key in MUST[name] else cell for key, cell in zip(keys, cells, strict=True)]
        every.append([name, *bold])
    return table(must), table(every)


class Real(NamedTuple):
    """Real images in learned and in random features."""

    features: ImageFeatures
    random: Features

    def some(self, chosen: Any) -> Real:
        """Return the images that an array index selects."""
        some = ImageFeatures(self.features.features[chosen], self.features.probabilities[chosen])
        return Real(some, self.random[chosen])


def compared(reference: Reference, own: Real, others: Real) -> dict[str, tuple[float, float]]:
    """Compare some real images with training images: value and standard error by name."""
    training = others.features.features
    reference = replace(reference, training_features=training, moments=GaussianStatistics.of(training))
    found = figures_of(own.features, None, reference, np.random.default_rng(FLOOR_SEED))
    infinite = frechet_extrapolated(own.features.features, reference.moments, np.random.default_rng(FLOOR_SEED))
    in_random = GaussianStatistics.of(others.random)
    random = distance_in_units(own.random, in_random, np.random.default_rng(FLOOR_SEED))
    distances = {"frechet_extrapolated": infinite, "frechet_random_distance": random}
    found = distances | {key: one for key, one in found.items() if "/" not in key}
    return {key: (one.value, one.standard_error) for key, one in found.items()}


def frechet_extrapolated(
    features: Features, reference: GaussianStatistics, rng: np.random.Generator, num_groups: int = 50
) -> Estimate:
    """Estimate the Fréchet distance for n to infinity: without the part of the bias that goes as 1/n.

    Quenouille (1956), from the distances v_(-g) without each of G groups: v_infinity = G v - (G - 1) mean_g v_(-g).
    """
    value, left_out = frechet_distances(features, reference, rng, num_groups)
    return jackknife(num_groups * value - (num_groups - 1) * float(left_out.mean()), left_out, len(features))


def real_against_real(reference: Reference, repeats: int) -> dict[int, dict[str, list[dict[str, tuple[float, float]]]]]:
    """Compare disjoint draws of training images with the others, and of test images with training images."""
    network = random_network(reference.data.image_shape)
    held_out = reference.held_out(len(reference.data.test)).images
    training = Real(reference.extract(reference.data.train.images), training_features(reference.data, network))
    test = Real(reference.extract(held_out), network(held_out))
    order = np.random.default_rng(1).permutation(len(training.random))
    found = {}
    for n in SIZES:
        say(f"real against real, n = {n:,}")
        draws = [slice(start, start + n) for start in range(0, repeats * n, n)]
        found[n] = {
            "training": [
                compared(reference, training.some(order[one]), training.some(np.delete(order, one)))
                for one in draws
                if one.stop <= len(order)
            ],
            "test": [compared(reference, test.some(one), training) for one in draws if one.stop <= len(held_out)],
        }
    return found


def in_both_features(report: Report, sample: Sample, reference: Reference) -> Report:
    """Return the report with the distance in random features added, which only a full report has."""
    if "frechet_random_distance" in report:
        return report
    first, *others = report.figures
    return replace(report, figures=(first, random_features_distance(sample, reference), *others))


def mean_and_deviation(draws: list[dict[str, tuple[float, float]]], key: str) -> str:
    """Write mean ± standard deviation over draws, and the mean of the standard errors that they reported."""
    values, errors = np.array([draw[key] for draw in draws]).T
    if len(values) == 1:
        return f"{number(values[0])} ({number(errors[0])})"
    return f"{number(values.mean())} ± {number(values.std(ddof=1))} ({number(errors.mean())})"


def biases(found: dict[int, dict[str, list[dict[str, tuple[float, float]]]]]) -> str:
    """Write the table of real images against real images."""
    rows = [["figure"]]
    for n, kinds in found.items():
        rows[0] += [f"n = {n:,}: {len(draws)} of {kind}" for kind, draws in kinds.items()]
    for key in found[SIZES[0]]["training"][0]:
        cells = [mean_and_deviation(draws, key) for kinds in found.values() for draws in kinds.values()]
        rows.append([SHORT.get(key, key.replace("_", " ").replace("frechet", "Fréchet")), *cells])
    return table(rows)


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = parser_for(__doc__)
    parser.add_argument("--n", type=int, default=3_000, help="images of each spoiled set, at most 4,000")
    parser.add_argument("--repeats", type=int, default=10, help="most draws of real images at each n")
    given = parser.parse_args()
    start = time.perf_counter()
    reference = reference_for(load("mnist"))
    real = real_against_real(reference, given.repeats)
    reports = {}
    for name, (images, labels) in spoiled(reference, given.n).items():
        say(name)
        full = not MUST[name] or any(key in FULL for key in MUST[name])
        subject = Subject(name, "known answer", Split(images, labels), reference.data.class_names)
        sample = draw(subject, len(images), 0, reference.data)
        reports[name] = in_both_features(measure(sample, reference, full=full), sample, reference)
    measured = f"MNIST {reference.data.digest[:12]}, features {reference.features_digest[:12]}"
    took = f"{measured}; {time.perf_counter() - start:.0f} s"
    head = "\n".join(heading("Known answers of the figures", torch.get_num_threads(), took))
    figures = {name: json.loads(report.as_json()) for name, report in reports.items()}
    numbers = {"known_answers": figures, "real_against_real": real}
    finish(result_name("known_answers", parser, given), given, head + page(given, reports, real), numbers)


def page(given: argparse.Namespace, reports: dict[str, Report], real: dict[int, Any]) -> str:
    """Return the page: the three tables and their explanations."""
    must, every = known_answers(reports)
    return f"""
## Is each fault caught by the figure that exists for it?

{given.n:,} images of each set, made of validation images; in brackets 95 % intervals. Caught: the value's interval lies
clear of the floor's, on the side that the fault calls for. The floor is of {given.n:,} test images (novelty: all;
accuracy score: the ceiling, a classifier trained on {given.n:,} training images).

{must}

## Every figure of every set

{ABOVE} and {BELOW}: the interval lies above, or below, the floor's. Bold: the measures that exist to catch this fault.
A dash: not measured.

{every}

## Real images against real images

Mean ± standard deviation over disjoint draws of n images; in parentheses the mean of the standard errors that single
evaluations reported. *Training*: draws of n of the 55,000 training images against all others (the kernel distance,
precision, recall, density and coverage against n of the others): the bias of n alone. *Test*: draws of test images
against the training images: the floor, with the difference between the two splits in it. At n = 10,000 there is one.

{biases(real)}"""


if __name__ == "__main__":
    main()
