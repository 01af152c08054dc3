"""What a data set is: three splits of images with or without labels, and how to make one from arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from inkgan.errors import DataError
from inkgan.images import Images, Labels

MAX_BYTES = 2 * 2**30
"""The most bytes of pixels that one file or folder may hold. The largest known set, EMNIST, has 0.55 GB."""

MAX_SIDE = 4096
"""The most pixels that an image may have on one side."""

MAX_CLASSES = 65_536
"""The most classes that labels may name. A label above this is a sign of a file that holds something else."""

_CHUNK_ROWS = 1024


@dataclass(frozen=True, eq=False)
class Split:
    """The images of one part of a data set.

    Attributes:
        images: uint8 of shape [N, H, W, C] with C in {1, 3}, 0 to 255, in the order they were read.
        labels: int64 of shape [N], 0 to the number of classes - 1, or None for a set without labels.
    """

    images: Images
    labels: Labels | None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images to learn from, to choose with, and to judge by.

    Attributes:
        name: what it is called, such as ``"mnist"``.
        train: what a model learns from.
        validation: what settings are chosen by.
        test: what the finished model is judged by.
        class_names: the name of each label; empty without labels.
        source: where it was read from, for people.
        skipped: for a user's own set, why images were left out, and how many for each reason.
        digest: SHA-256 over the shapes, pixels and labels of all splits, in hexadecimal; it identifies the
            data whatever files they were read from.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    skipped: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        _, height, width, channels = self.train.images.shape
        return height, width, channels

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name, in the order train, validation, test."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def make(
    name: str,
    splits: Sequence[Split],
    class_names: Sequence[str] | None,
    source: str,
    skipped: Mapping[str, int] | None = None,
) -> DataSet:
    """Put a data set together from its train, validation and test splits.

    Args:
        name: what to call it.
        splits: train, validation and test, with images of the same height, width and channels.
        class_names: the name of each label, or None to name the classes by their numbers.
        source: where the images came from, for people.
        skipped: reasons and counts of images left out.

    Raises:
        DataError: the splits disagree, or a label is negative, above ``MAX_CLASSES``, or has no class name.
    """
    train, validation, test = splits
    for split in splits[1:]:
        if split.images.shape[1:] != train.images.shape[1:]:
            sizes = f"{size_text(split.images.shape[1:])}, training images {size_text(train.images.shape[1:])}"
            raise DataError(f"{source}: test images are {sizes}; all must have one size. Convert them.")
        if (split.labels is None) != (train.labels is None):
            raise DataError(f"{source}: one split has labels, another has none. Label all of them, or none.")
    names = _class_names(splits, class_names, source)
    return DataSet(name, train, validation, test, names, source, dict(skipped or {}), digest_of(splits))


def _class_names(splits: Sequence[Split], given: Sequence[str] | None, source: str) -> tuple[str, ...]:
    """Check the labels of all splits against the class names, or name the classes by their numbers."""
    parts = [split.labels for split in splits if split.labels is not None]
    if not parts:
        return ()
    labels = np.concatenate(parts)
    allowed = MAX_CLASSES if given is None else len(given)
    for label in (labels.min(), labels.max()):
        if not 0 <= label < allowed:
            raise DataError(
                f"{source}: a label is {label}; labels go from 0 to {allowed - 1} here. Check that they are the labels "
                "of these images."
            )
    return tuple(map(str, range(labels.max() + 1))) if given is None else tuple(given)


def size_text(shape: Sequence[int]) -> str:
    """A shape for people: ``"28x28x1"``."""
    return "x".join(map(str, shape))


def as_images(array: npt.NDArray[Any], source: str) -> Images:
    """Bring an array of images to uint8 of shape [N, H, W, C].

    Args:
        array: of shape [N, H, W], [N, H, W, C] or, where only that fits, [N, C, H, W], with C of 1 or 3; integers
            from 0 to 255, numbers from 0 to 1, or truth values.
        source: where it came from, for the message.

    Raises:
        DataError: its shape or its values are others, there are no images, or a side is over ``MAX_SIDE`` pixels.
    """
    images = array[..., None] if array.ndim == 3 else array
    if images.ndim == 4 and images.shape[3] not in (1, 3):
        images = np.moveaxis(images, 1, 3)
    if images.ndim != 4 or images.shape[3] not in (1, 3):
        allowed = "[N, H, W], [N, H, W, C] and [N, C, H, W] with C of 1 or 3"
        raise DataError(f"{source}: images of shape {array.shape}; allowed are {allowed}. Check that they are images.")
    count, height, width, _ = images.shape
    if not count or not 1 <= height <= MAX_SIDE or not 1 <= width <= MAX_SIDE:
        raise DataError(f"{source}: {count} images of {height}x{width} pixels; allowed are 1 to {MAX_SIDE} a side.")
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    highest = 255 if images.dtype.kind in "iu" else 1
    least, most = images.min(), images.max()
    if not (least >= 0 and most <= highest):  # also true for NaN
        given = f"{images.dtype} pixels from {least} to {most}"
        raise DataError(f"{source}: {given}; allowed are integers 0 to 255 or fractions 0 to 1. Scale them.")
    result = np.empty(images.shape, np.uint8)
    for start in range(0, count, _CHUNK_ROWS):  # so that no second copy of wide numbers is made
        rows = images[start : start + _CHUNK_ROWS].astype(np.float64)
        result[start : start + _CHUNK_ROWS] = np.rint(rows * (255 // highest))
    return result


def as_labels(array: npt.NDArray[Any], count: int, source: str) -> Labels:
    """Bring the labels of ``count`` images, integers of shape [count] or [count, 1], to int64 of shape [count].

    Raises:
        DataError: they are no integers, or of another shape.
    """
    if array.dtype.kind not in "iu" or array.shape not in ((count,), (count, 1)):
        given = f"{array.dtype} labels of shape {array.shape} where integers for {count} images belong"
        raise DataError(f"{source}: {given}. Check that the two belong together.")
    return array.reshape(-1).astype(np.int64)


def digest_of(splits: Sequence[Split]) -> str:
    """SHA-256, in hexadecimal, over the shapes, pixels and labels (as little-endian int64) of splits."""
    digest = hashlib.sha256()
    for split in splits:
        labelled = split.labels is not None
        digest.update(f"uint8{split.images.shape} labels={labelled};".encode())
        digest.update(np.ascontiguousarray(split.images).data)
        if split.labels is not None:
            digest.update(np.ascontiguousarray(split.labels, dtype="<i8").data)
    return digest.hexdigest()


def shuffled(count: int) -> npt.NDArray[np.intp]:
    """A fixed permutation of 0 to count - 1, the same for ever and everywhere.

    It sorts the numbers by a mixing function (the finaliser of SplitMix64) instead of asking NumPy's
    generators, whose streams may change between releases: what is held out must not.
    """
    mixed = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")


def part(split: Split, where: npt.NDArray[np.intp] | slice) -> Split:
    """The images and labels of a split at some positions."""
    return Split(split.images[where], None if split.labels is None else split.labels[where])


def hold_out(everything: Split, parts: int, source: str) -> list[Split]:
    """Divide images into a rest and ``parts`` held-out tenths, by a permutation that no seed changes.

    Args:
        everything: at least ``parts + 1`` images.
        parts: how many tenths to hold out, 0 to 2; each has at least one image.
        source: where the images came from, for the message.

    Returns:
        ``[rest, first tenth, ...]``; each keeps the order of ``everything``.

    Raises:
        DataError: there are too few images.
    """
    count = len(everything)
    if count <= parts:
        raise DataError(f"{source}: {count} usable image(s); at least {parts + 1} are needed. Add images.")
    tenth = max(1, count // 10)
    order = shuffled(count)
    cuts = [np.sort(order[number * tenth : (number + 1) * tenth]) for number in range(parts)]
    return [part(everything, np.sort(order[parts * tenth :])), *(part(everything, cut) for cut in cuts)]


def first_twelfth(train: Split, source: str) -> list[Split]:
    """Divide a train file as the tutorial does: its first twelfth is validation, the rest is train.

    For the 60,000 images of MNIST that is 5,000 and 55,000.

    Returns:
        ``[train, validation]``, as views of ``train``.

    Raises:
        DataError: there are fewer than two images.
    """
    if len(train) < 2:
        raise DataError(f"{source}: {len(train)} training image(s); at least 2 are needed. Add images.")
    cut = max(1, len(train) // 12)
    return [part(train, slice(cut, None)), part(train, slice(None, cut))]
