"""The doctor's look into a run: 64 fixed latents and 128 fixed real images, every ``watch.doctor_every`` steps.

Nothing here changes what the run learns: no random number is drawn from the run's streams for training, no weight and
no global state is touched.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from inkgan.config import Config
from inkgan.data import DataSet
from inkgan.data.pixels import dark_and_light
from inkgan.images import Images, Labels, to_uint8
from inkgan.seeds import Stream, latents
from inkgan.training.doctor import signals
from inkgan.training.progress_images import FIXED
from inkgan.training.recipe import Recipe

#: How many latents, training images and held-out images are looked at: the cost grows with it.
COUNT = 64
#: The latents show so many classes at most, so that each has some images to compare.
_MOST_CLASSES = 16
#: The average of the generator is looked at with so many of them.
_AVERAGED = 32
#: The layers are watched for so many images.
_WATCHED = 16


class Probe:
    """Looks at a recipe with a fixed set of latents and real images.

    Args:
        recipe: what learns.
        data: what it learns from.
        config: the run's settings.
        device: where the recipe computes.
    """

    def __init__(self, recipe: Recipe, data: DataSet, config: Config, device: torch.device) -> None:
        self._recipe = recipe
        self._batches_in_an_epoch = len(data.train) / config.batch_size
        z = latents(config.seed, Stream.FIXED_LATENTS, 0, FIXED, recipe.latent_dim)[:COUNT]
        self._latents = torch.from_numpy(z).to(device)
        self._labels = _labels(recipe.num_classes)
        self._classes = None if self._labels is None else torch.from_numpy(self._labels).to(device)
        self._some_latents = self._latents[:_AVERAGED], None if self._classes is None else self._classes[:_AVERAGED]
        held_out = data.validation if len(data.validation) else data.test
        self._seen, seen_labels = _chosen(data.train.images, data.train.labels, self._labels)
        self._unseen, self._unseen_labels = _chosen(held_out.images, held_out.labels, self._labels)
        # Of one image a class nothing can be said; what is not a number is left out.
        self._real_spread = signals.spread_within_classes(self._seen, seen_labels) or math.nan
        self._real = torch.from_numpy(np.concatenate([self._seen, self._unseen])).to(device)
        self._judged_as: Tensor | None = None
        if self._labels is not None and seen_labels is not None and self._unseen_labels is not None:
            every = np.concatenate([self._labels, seen_labels, self._unseen_labels])
            self._judged_as = torch.from_numpy(every).to(device)

    @torch.no_grad()
    def look(self, batch: Tensor) -> dict[str, float]:
        """The signals by name.

        Args:
            batch: the real images [N, H, W, C] that the step just done learned from, as the recipe got them.
        """
        recipe = self._recipe
        with _watched(recipe.networks.get("learner", recipe.networks["generator"])) as in_generator:
            drawn = recipe.draw_learner(self._latents, self._classes)
        average = recipe.draw(*self._some_latents)
        with _watched(recipe.networks["discriminator"]) as in_discriminator:
            logits, scores = recipe.discriminate(torch.cat([drawn.to(self._real.dtype), self._real]), self._judged_as)
        found = self._of_images(_array(drawn), _array(average), _array(batch))
        found |= self._of_logits(_array(logits[:COUNT]), _array(logits[COUNT:]))
        if scores is not None:
            found |= self._of_classes(_array(scores[:COUNT]), _array(scores[COUNT:]))
        found["stuck_generator"] = signals.share_of_stuck(in_generator)
        found["stuck_discriminator"] = signals.share_of_stuck(in_discriminator)
        found["batches_in_an_epoch"] = self._batches_in_an_epoch
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def _of_images(
        self, fake: NDArray[np.float32], averaged: NDArray[np.float32], batch: NDArray[np.float32]
    ) -> dict[str, float]:
        """Signals of the learner's images and of its average's, in units of the real images' spread."""
        spread = self._real_spread
        some_labels = None if self._labels is None else self._labels[: len(averaged)]
        dark, light = dark_and_light(to_uint8(np.clip(batch, 0, 1)))
        found = {
            "spread": signals.spread_within_classes(fake, self._labels) / spread,
            "spread_average": signals.spread_within_classes(averaged, some_labels) / spread,
            "identical": signals.share_of_identical(fake),
            "brightness": float(fake.mean()) - float(batch.mean()),
            "range": signals.difference_of_ranges(batch, fake),
            "dark_ink": dark - light,
        }
        if "learner" in self._recipe.networks:
            found["from_average"] = signals.distance(fake[: len(averaged)], averaged) / spread
        return found

    def _of_logits(self, fake: NDArray[np.float32], real: NDArray[np.float32]) -> dict[str, float]:
        seen, unseen = real[: len(self._seen)], real[len(self._seen) :]
        return {
            "margin": signals.margin(seen, fake),
            "margin_held_out": signals.margin(unseen, fake),
            "order": signals.pairs_in_order(seen, fake),
            "order_held_out": signals.pairs_in_order(unseen, fake),
            "separation": signals.separation(unseen, fake),
            "memory": signals.pairs_in_order(seen, unseen),
        }

    def _of_classes(self, fake: NDArray[np.float32], real: NDArray[np.float32]) -> dict[str, float]:
        """Which classes are drawn, as the discriminator's own classifier sees them."""
        assert self._labels is not None
        assert self._unseen_labels is not None
        known = signals.drawn_as(signals.softmax(real[len(self._seen) :]), self._unseen_labels)
        table = signals.drawn_as(signals.softmax(fake), self._labels)
        asked = np.unique(self._labels)
        histogram = table[asked].sum(0)[asked]  # 1 for each class if all are drawn alike
        wrongly = table.copy()
        np.fill_diagonal(wrongly, 0)
        wrongly = wrongly[asked]
        row, column = np.unravel_index(np.argmax(wrongly), wrongly.shape)
        return {
            "classes_known": float(np.nanmean(np.diag(known))),
            "least_drawn": float(histogram.min()),
            "least_drawn_class": float(asked[histogram.argmin()]),
            "most_drawn": float(histogram.max()),
            "most_drawn_class": float(asked[histogram.argmax()]),
            "drawn_wrongly": float(wrongly[row, column]),
            "drawn_wrongly_class": float(asked[row]),
            "drawn_wrongly_as": float(column),
        }


def _labels(classes: int) -> Labels | None:
    """The classes of the latents, in turn; of many classes some, evenly chosen."""
    if not classes:
        return None
    shown = np.unique(np.linspace(0, classes - 1, min(classes, _MOST_CLASSES)).astype(np.int64))
    return shown[np.arange(COUNT) % len(shown)]


def _chosen(images: Images, labels: Labels | None, wanted: Labels | None) -> tuple[NDArray[np.float32], Labels | None]:
    """Real images of the wanted classes and their labels."""
    places = signals.in_turn(labels, wanted, COUNT, len(images))
    if not len(places):  # a small held-out split may have none of them
        places = np.arange(min(COUNT, len(images)))
    return signals.as_floats(images[places]), None if labels is None or wanted is None else labels[places]


@contextlib.contextmanager
def _watched(network: nn.Module) -> Iterator[list[tuple[NDArray[np.bool_], NDArray[np.bool_]]]]:
    """Collect, for each hidden convolution [N, H, W, C], which units are ever above zero, and which ever below."""
    signs: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []

    def note(_layer: nn.Module, _inputs: object, output: Tensor) -> None:
        some = output[:_WATCHED].flatten(0, -2)
        low, high = torch.aminmax(some, dim=0)
        signs.append(((high > 0).cpu().numpy(), (low < 0).cpu().numpy()))

    layers = [layer for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d) and name != "last"]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    try:
        yield signs
    finally:
        for hook in hooks:
            hook.remove()


def _array(tensor: Tensor) -> NDArray[np.float32]:
    return tensor.detach().float().cpu().numpy()
