"""Data sets: three splits of images with or without labels, made from arrays."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from inkgan.data.pixels import dark_and_light, require_content, resized, size_text
from inkgan.data.splits import SPLITS, Split, hold_out
from inkgan.errors import DataError, as_given, folded, in_bytes, listed, listed_names, printable, quantity, shortened
from inkgan.images import LONGEST_CLASS_NAME, Images, Labels, png_bytes, sheet

#: The most bytes of pixels that one file or folder may hold. The largest known set, EMNIST, has 0.55 GB.
MAX_BYTES = 2 * 2**30
#: The most classes that labels may name. A larger label suggests that the file holds something else.
MAX_CLASSES = 65_536
#: The most bytes that the names of all classes may take as JSON; ``model.json`` holds them with all settings.
_LARGEST_CLASS_NAMES = 3 * 2**18

Ink = Literal["auto", "dark", "light"]
YesOrNo = Literal["auto", "yes", "no"]

#: Images with a longer side bring a note about the time that training takes.
_LARGE_SIDE = 128
#: They do so only if training takes at least this many times as long as on MNIST.
_MUCH_LONGER = 2
_MNIST_PIXELS = 28 * 28
#: If more than this share of the images are clear (see :func:`inkgan.data.pixels.dark_and_light`), it is not by chance.
_CLEAR_SHARE = 0.1
#: If more than this share of a split are clear, the split as a whole has such ink.
_MAJORITY = 0.5


@dataclass(frozen=True)
class ReadingOptions:
    """The options for reading a user's own images.

    Attributes:
        ink: ``dark`` on light paper is inverted, ``light`` stays, ``auto`` detects which it is.
        resize: the height and width to fit images into, or None.
        splits: whether folders named train, test and so on are splits (``yes``) or classes (``no``); ``auto`` takes
            them for splits if all folders have such names, and raises an error if only some do.
        for_training: if False, no images are held out for missing splits, a class may lack training images, and notes
            say which arrays of a file were used.
    """

    ink: Ink = "auto"
    resize: tuple[int, int] | None = None
    splits: YesOrNo = "auto"
    for_training: bool = True

    def __post_init__(self) -> None:
        for name, allowed in (("ink", get_args(Ink)), ("splits", get_args(YesOrNo))):
            if getattr(self, name) not in allowed:
                raise DataError(f"{name}={getattr(self, name)!r} is not allowed. Give one of {', '.join(allowed)}.")


@dataclass(frozen=True, eq=False, repr=False)
class DataSet:
    """Images to learn from, to choose settings with, and to test on.

    Attributes:
        name: its name, such as ``"mnist"``.
        train: the images that a model learns from.
        validation: the images for choosing settings.
        test: the images that the finished model is tested on.
        class_names: the name of each label; empty without labels.
        source: where it was read from, as text for a user.
        skipped: for a user's own set, why files were left out, and how many for each reason.
        digest: SHA-256 over the shapes, pixels and labels of all splits, in hexadecimal; it identifies the
            data whatever files they were read from.
        notes: what a user should know about the images: which were left out, inverted or scaled.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    source: str
    skipped: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self.train.image_shape

    @property
    def splits(self) -> dict[str, Split]:
        """The three splits by name, in the order train, validation, test."""
        return {name: getattr(self, name) for name in SPLITS}

    def examples(self, split: str = "train", columns: int = 10, rows: int = 100) -> Images:
        """Return the first images of a split, in rows of ``columns``: uint8 of shape [N, H, W, C].

        If there are labels, each class has its own row, and blank images fill the row of a class with too few images.
        """
        shown = self.splits[split]
        if shown.labels is None:
            return shown.images[: columns * min(rows, 10)]
        return by_class(shown.images, shown.labels, min(len(self.class_names), rows), columns)

    def __repr__(self) -> str:
        counts = " + ".join(f"{len(split):,}" for split in self.splits.values())
        classes = quantity(len(self.class_names), "class") if self.class_names else "no labels"
        return f"<DataSet {self.name}: {counts} images of {size_text(self.image_shape)}, {classes}>"

    def _repr_png_(self) -> bytes:
        """Return a sheet of training images for a notebook."""
        columns = min(10, max(1, 1000 // self.image_shape[1]))
        return png_bytes(sheet(self.examples(columns=columns, rows=10), columns))


def by_class(images: Images, labels: Labels, classes: int, columns: int) -> Images:
    """Return the first ``columns`` images of each class, class by class; blank images stand in for missing ones.

    Args:
        images: uint8 [N, H, W, C].
        labels: int64 [N].
        classes: the classes are 0 to ``classes`` - 1.
        columns: the number of images in a row.

    Returns:
        uint8 [classes * columns, H, W, C].
    """
    paper = 0 if images.shape[3] == 1 else 255
    rows = np.full((classes, columns, *images.shape[1:]), paper, np.uint8)
    for label, row in enumerate(rows):
        first = images[labels == label][:columns]
        row[: len(first)] = first
    return rows.reshape(-1, *images.shape[1:])


def assemble(
    name: str,
    source: str,
    splits: Mapping[str, Split],
    class_names: Sequence[str] | None,
    reading: ReadingOptions,
    *,
    published: bool = False,
) -> DataSet:
    """Put a data set together from its splits.

    Args:
        name: its name.
        source: where the images came from, as text for a user.
        splits: train and perhaps validation and test, by name; their images may be changed in place. If validation
            or test is missing, a tenth of train is held out for it.
        class_names: the name of each label, or None to name the classes by their numbers.
        reading: the options for reading them.
        published: take the images as they are, except for their size.

    Raises:
        DataError: the splits disagree, a label is out of range, a class has no training image, or nothing can be seen
            in the images.
    """
    if reading.resize is not None:
        sizes = (len(split) * math.prod(reading.resize) * split.images.shape[3] for split in splits.values())
        require_room(sum(sizes), source)
        splits = {part: Split(resized(split.images, reading.resize), split.labels) for part, split in splits.items()}
    _require_alike(splits, source)
    notes = [] if published else _note_of_contrary_ink(splits)
    splits = _with_all_three(splits, reading, source)
    if not published:
        notes += require_content(splits["train"].images, source)
        notes += _to_light_ink(splits, reading, source)
    splits, names, more_notes = _with_class_names(splits, class_names, source)
    notes += more_notes
    train, validation, test = splits.values()
    if reading.for_training:
        _require_every_class(train, names, source)
        _require_short(names, source)
        notes += _notes_on_speed(train)
    digest = digest_of((train, validation, test))
    return DataSet(name, train, validation, test, names, source, digest=digest, notes=tuple(notes))


def _require_alike(splits: Mapping[str, Split], source: str) -> None:
    """Refuse splits whose images differ in size from those to train on, or of which only some have labels."""
    train = splits["train"]
    for part, split in splits.items():
        if split.images.shape[1:] != train.images.shape[1:]:
            sizes = f"{size_text(split.images.shape[1:])}, training images {size_text(train.images.shape[1:])}"
            raise DataError(f"{source}: {part} images are {sizes}; all must have one size. Convert them.")
        if (split.labels is None) != (train.labels is None):
            raise DataError(f"{source}: one split has labels, another has none. Label all of them, or none.")


def _with_all_three(splits: Mapping[str, Split], reading: ReadingOptions, source: str) -> Mapping[str, Split]:
    """Return train, validation and test; those that are missing are held out from train, or empty."""
    missing = [part for part in SPLITS if part not in splits]
    if reading.for_training:
        added = dict(zip(("train", *missing), hold_out(splits["train"], len(missing), source), strict=True))
    else:
        added = dict.fromkeys(missing, splits["train"][:0])
    complete = {**splits, **added}
    return {part: complete[part] for part in SPLITS}


def _note_of_contrary_ink(splits: Mapping[str, Split]) -> list[str]:
    """Return a note about each split whose ink is dark where that of the training images is light, or the reverse."""
    inks = {part: _clear_ink(split.images) for part, split in splits.items()}
    usual = inks.pop("train")
    return [
        f"{part} images look like {ink}, training images like {usual}: invert those of one split"
        for part, ink in inks.items()
        if usual and ink and ink != usual
    ]


def _clear_ink(images: Images) -> str:
    """Return which ink most images clearly have; empty if that cannot be said."""
    dark, light = dark_and_light(images)
    if dark > _MAJORITY:
        return "dark ink on light paper"
    return "light ink on dark paper" if light > _MAJORITY else ""


def _to_light_ink(splits: Mapping[str, Split], reading: ReadingOptions, source: str) -> list[str]:
    """Invert grey images of dark ink in place, and return notes about it."""
    images = splits["train"].images
    if reading.ink == "dark" and images.shape[3] == 3:
        raise DataError(f"{source} has colour images; data.ink=dark is for grey ones. Leave it out.")
    notes = []
    is_dark = reading.ink == "dark"
    if reading.ink == "auto":
        dark, light = dark_and_light(images)
        is_dark = dark > max(light, _CLEAR_SHARE)
        if is_dark:
            notes.append("dark ink on light paper: the images are inverted (data.ink=light takes them as they are)")
        if min(dark, light) > _CLEAR_SHARE:
            notes.append(f"{dark:.0%} look like dark ink on light paper, {light:.0%} like light ink on dark: sort them")
    if is_dark:
        for split in splits.values():
            np.subtract(255, split.images, out=split.images)
    return notes


def _with_class_names(
    splits: Mapping[str, Split], given: Sequence[str] | None, source: str
) -> tuple[Mapping[str, Split], tuple[str, ...], list[str]]:
    """Leave out the classes that have no images, and number the others from 0.

    Returns:
        The splits with these labels, the names of the classes, and a note if some were left out.
    """
    labels = {part: split.labels for part, split in splits.items() if split.labels is not None}
    if not labels:
        return splits, (), []
    all_labels = np.concatenate([*labels.values()])
    allowed = MAX_CLASSES if given is None else len(given)
    for label in (all_labels.min(), all_labels.max()):
        if not 0 <= label < allowed:
            raise DataError(f"{source}: a label is {label}; allowed are 0 to {allowed - 1}. Check what they are.")
    used = np.unique(all_labels)
    names = tuple(str(label) if given is None else given[label] for label in used.tolist())
    classes = used[-1] + 1 if given is None else len(given)
    if len(names) == classes:
        return splits, names, []
    splits = {part: Split(splits[part].images, np.searchsorted(used, own)) for part, own in labels.items()}
    if given is None:
        return splits, names, [f"the labels are not 0 to {len(names) - 1}: the classes are {listed_names(names, 10)}"]
    have = "has" if len(names) == 1 else "have"
    return splits, names, [f"{len(names)} of {quantity(len(given), 'class')} {have} images: {listed_names(names, 10)}"]


def _require_every_class(train: Split, names: Sequence[str], source: str) -> None:
    """Refuse classes without an image to train on."""
    if train.labels is None:
        return
    untaught = [names[label] for label in np.setdiff1d(np.arange(len(names)), train.labels).tolist()]
    if untaught:
        twins = [name for name in names if name not in untaught and name.casefold() == untaught[0].casefold()]
        remedy = f"Write it as {twins[0]!r}, which has some" if twins else "Add images of it, or remove it"
        raise DataError(f"{source}: class {untaught[0]!r} has no image to train on. {remedy}.")


def _require_short(names: Sequence[str], source: str) -> None:
    """Refuse names of classes that are too long: a model with such names could not be read again."""
    longest = max(names, key=len, default="")
    if len(longest) > LONGEST_CLASS_NAME:
        given = f"the class {shortened(longest, 30)!r} has a name of {len(longest)} characters"
        raise DataError(f"{source}: {given}; a model keeps up to {LONGEST_CLASS_NAME}. Give it a shorter one.")
    size = len(json.dumps(names))
    if size > _LARGEST_CLASS_NAMES:
        given = f"the names of its {len(names):,} classes take {in_bytes(size)}"
        raise DataError(f"{source}: {given}; a model keeps up to {in_bytes(_LARGEST_CLASS_NAMES)}. Give shorter ones.")


def _notes_on_speed(train: Split) -> Iterator[str]:
    """Yield notes on what makes training slow: large images, and grey images in colour, whose ink is not recognised."""
    height, width = train.images.shape[1:3]
    times = height * width / _MNIST_PIXELS
    if max(height, width) > _LARGE_SIDE and times >= _MUCH_LONGER:
        longer = f"about {times:,.0f} times as long to train on as MNIST's 28×28"
        yield f"images of {height}×{width} take {longer}; --set data.resize=64 makes them smaller"
    first, *others = np.moveaxis(train.images, 3, 0)
    if others and all(np.array_equal(first, other) for other in others):
        yield "red, green and blue are equal in every pixel: save one of the channels, so that inkgan sees grey images"


def in_order(names: Iterable[str]) -> list[str]:
    """Return names of classes in order: by value if all are numbers, so that ``10`` comes after ``9``, else by name."""
    found = sorted(names, key=lambda name: (folded(name), name))  # macOS spells an é differently
    if all(name.isascii() and name.isdigit() for name in found):
        found.sort(key=lambda name: (int(name[:18]), name))
    return found


def distinct_names(given: Sequence[str], where: str) -> list[str]:
    """Return names of classes in printable form.

    Raises:
        DataError: two look alike, such as an é of one character and an é of two; or one is empty.
    """
    names = [printable(name) for name in given]
    alike = [name for name, count in Counter(map(folded, names)).items() if count > 1]
    if alike:
        spellings = sorted({ascii(name) for name in names if folded(name) == alike[0]})
        if len(spellings) > 1:
            remedy = "Write one class the same everywhere, and others differently"
            raise DataError(f"{where} has a name twice: {listed(spellings, 3)}, which look alike. {remedy}.")
        raise DataError(f"{where} has a name twice: {as_given(alike[0])}. Give each class its own.")
    if not all(names):
        raise DataError(f"{where} has an empty name. Give each class its own.")
    return names


def digest_of(splits: Iterable[Split]) -> str:
    """Return the SHA-256, in hexadecimal, of the shapes, pixels and labels (as little-endian int64) of splits."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(f"uint8{split.images.shape} labels={split.labels is not None};".encode())
        digest.update(np.ascontiguousarray(split.images).data)
        if split.labels is not None:
            digest.update(np.ascontiguousarray(split.labels, dtype="<i8").data)
    return digest.hexdigest()


def count_copies(originals: Images, *others: Images) -> list[int]:
    """Return how many of each of the other images are originals, pixel for pixel.

    Hashes stand for the pixels, which may fill gigabytes.
    """
    known = {hash(image.tobytes()) for image in originals}
    return [sum(hash(image.tobytes()) in known for image in images) for images in others]


def require_room(needed: int, what: str) -> None:
    """Refuse what takes more than ``MAX_BYTES``, before memory is taken for it."""
    if needed > MAX_BYTES:
        limit = f"at most {in_bytes(MAX_BYTES)} are read"
        raise DataError(f"{what} takes {in_bytes(needed)}; {limit}. Use fewer or smaller images, as uint8.")


def most_unpacked(packed: int) -> int:
    """Return the largest plausible size in bytes of images that are compressed to ``packed`` bytes.

    A deflate stream unpacks to at most 1032 times its size. Beyond 64 MiB, images that unpack to more than 200 times
    their size hold nothing.
    """
    return max(200 * packed, min(1040 * packed, 2**26))
