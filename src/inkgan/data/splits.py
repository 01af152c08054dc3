"""The three splits of a data set: a part of the images, how names mention splits, and how missing ones are held out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inkgan.data.pixels import size_text
from inkgan.errors import DataError, listed, printable, quantity
from inkgan.images import Images, Labels

SPLITS = ("train", "validation", "test")

_SPLIT_WORD = re.compile(
    r"(?:(?P<train>tr(?:ai)?n(?:ing)?|[训訓][练練])|(?P<validation>val(?:id(?:ation)?)?|dev(?:el(?:opment)?)?|[验驗][证證])"
    r"|(?P<test>test(?:ing)?|tst|t10k|evaluation|eval|h[eo]ld[ _-]?out|[测測][试試]))"
    r"(?:sets?|data|images?|imgs?|集|(?:[数數][据據]|資料)集?|[图圖][像片])?\d*"
)
#: A capital at the end of a word: ``trainA`` and ``testB`` mention the splits train and test.
_LAST_CAPITAL = re.compile(r"(?<=[a-z])([A-Z])(?![^\W_])")
#: The words that a split's folder may have in its name besides that of the split.
_BESIDE_A_SPLIT = {"data", "images", "image", "imgs", "img", "set", "split", "samples", "pictures"}


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """The images of one part of a data set.

    Attributes:
        images: uint8 of shape [N, H, W, C] with C in {1, 3}, 0 to 255, in the order they were read.
        labels: int64 of shape [N], 0 to the number of classes - 1, or None for a set without labels.
    """

    images: Images
    labels: Labels | None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        _, height, width, channels = self.images.shape
        return height, width, channels

    def __len__(self) -> int:
        """The number of images."""
        return len(self.images)

    def __repr__(self) -> str:
        labelled = "without labels" if self.labels is None else "with labels"
        return f"<Split: {quantity(len(self), 'image', ',')} of {size_text(self.image_shape)} {labelled}>"

    def __getitem__(self, where: NDArray[np.intp] | slice) -> Split:
        """Return the images and labels at some positions."""
        return Split(self.images[where], None if self.labels is None else self.labels[where])


def split_from_name(name: str) -> tuple[str | None, set[str]]:
    """Return the split that the name of a folder or an array mentions, if it mentions one, and its other words.

    Case, punctuation between words, and endings such as ``set`` do not matter: ``Training_data``, ``trn``,
    ``trainset2``, ``训练集`` and ``訓練集`` are all ``train``.
    """
    words = {word: _SPLIT_WORD.fullmatch(word) for word in re.findall(r"h[eo]ld[ _-]out|[^\W_]+", name.lower())}
    found = [match.lastgroup for match in words.values() if match]
    return found[0] if len(found) == 1 else None, {word for word, match in words.items() if not match}


def splits_among(places: Sequence[tuple[str, ...]], splits: str, source: str) -> Mapping[str, str]:
    """Return the top folders that are splits, and which split each is; nothing if all are classes.

    Args:
        places: the folders that hold images, each as the names on its path, such as ``("train", "7")``.
        splits: ``yes``, ``no`` or ``auto``.
        source: the folder that all of them are in, for messages.

    Raises:
        DataError: folders may be splits or classes, two are the same split, or none is for training.
    """
    if splits == "no":
        return {}
    tops = list(dict.fromkeys(place[0] for place in places if place))
    named = _named(tops)
    read = {top: split_from_name(_LAST_CAPITAL.sub(r" \1", top)) for top in tops}
    mentioned = {top: split for top, (split, _) in read.items() if split is not None}
    if not named and _has_splits(mentioned):
        if splits == "yes":
            named = mentioned
        elif len(mentioned) == len(tops) or _are_of_one_set(read):
            raise _question(source, tops, mentioned, "are these classes, or splits?")
    if not named:
        _refuse_splits_inside(places, tops, source)
        if splits == "yes":
            none = "no folder that is named after a split, such as train or test"
            raise DataError(f"{source} has {none}. Rename the folders, or leave data.splits=yes out.")
        return {}
    if len(named) < len(tops) and splits == "auto":
        raise _question(source, tops, named, "are these classes, or are some of them splits?")
    if "train" not in named.values():
        raise _question(source, tops, named, "which of them is to train on?")
    if len(set(named.values())) < len(named):
        raise _question(source, tops, named, "two of them are the same split.")
    return named


def read_as_splits(names: Sequence[str]) -> bool:
    """Whether ``auto`` reads folders of these names as splits."""
    try:
        return bool(splits_among([(name,) for name in names], "auto", ""))
    except DataError:
        return False


def _named(folders: Sequence[str]) -> dict[str, str]:
    """Return the folders whose names say that they are a split, and nothing else; and which split each is."""
    read = {folder: split_from_name(folder) for folder in folders}
    return {folder: split for folder, (split, words) in read.items() if split is not None and words <= _BESIDE_A_SPLIT}


def _has_splits(named: Mapping[str, str]) -> bool:
    """Whether one of these folders is named after train, and another one after another split."""
    return "train" in named.values() and len(set(named.values())) > 1


def _are_of_one_set(read: Mapping[str, tuple[str | None, set[str]]]) -> bool:
    """Whether a folder of train shares a word with one of another split: seg_train, seg_test; not shoes and a tube."""
    train = {word for split, words in read.values() if split == "train" for word in words}
    return any(train & words for split, words in read.values() if split not in (None, "train"))


def _refuse_splits_inside(places: Sequence[tuple[str, ...]], tops: Sequence[str], source: str) -> None:
    """Refuse splits inside of class folders, or of a folder that holds the whole set: tests would be trained on."""
    # The folders in all class folders together, and those in each folder: not every class may be divided in this way.
    inside: dict[tuple[str, ...], list[str]] = {(): [place[1] for place in places if len(place) > 1]}
    for place in places:
        for depth in range(1, len(place)):
            inside.setdefault(place[:depth], []).append(place[depth])
    for outer, names in inside.items():
        inner = _named(names)
        # Two classes may have a folder train and a folder test by chance; one class with both of them is divided.
        if not _has_splits(inner) or (not outer and len(inner) < len(set(names))):
            continue
        remedy = f"Put the splits on top, as in train/{printable(tops[0])}"
        if len(tops) == 1:
            remedy = f"Give the folder {printable('/'.join(outer or tops))} inside of it"
        raise DataError(
            f"{source}: {printable(listed(tops, 3))} would be {quantity(len(tops), 'class')}, but inside are the "
            f"folders {printable(listed([*inner], 5))}, which look like splits. {remedy}, or answer with "
            "--set data.splits=no (they are not splits)."
        )


def _question(source: str, folders: Sequence[str], named: Mapping[str, str], question: str) -> DataError:
    """Return the error that asks what folders are; data.splits=yes is an answer if each of them is another split."""
    can_be_splits = "train" in named.values() and len(set(named.values())) == len(named)
    only_splits = " or data.splits=yes (only the splits are read)" if can_be_splits else ""
    first = sorted(folders, key=lambda folder: folder not in named)  # of many, those in question are listed
    return DataError(
        f"{source} has the folders {printable(listed(first, 5))}: {question} Rename them, or answer with "
        f"--set data.splits=no (all are classes){only_splits}."
    )


def first_twelfth(train: Split, source: str) -> dict[str, Split]:
    """Divide a train file as the tutorial does: its first twelfth is validation, the rest is train.

    For the 60,000 images of MNIST that is 5,000 and 55,000. The images are views of those given.

    Raises:
        DataError: there are fewer than two images.
    """
    if len(train) < 2:
        raise DataError(f"{source}: {quantity(len(train), 'training image')}; at least 2 are needed. Add images.")
    cut = max(1, len(train) // 12)
    return {"train": train[cut:], "validation": train[:cut]}


def hold_out(everything: Split, parts: int, source: str) -> list[Split]:
    """Divide images into a rest and ``parts`` held-out tenths, by a permutation that depends on no seed.

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
        raise DataError(f"{source}: {quantity(count, 'usable image')}; at least {parts + 1} needed. Add images.")
    if not parts:
        return [everything]
    tenth = max(1, count // 10)
    order = shuffled(count)
    if everything.labels is not None:
        order = _with_every_class_in(order, parts * tenth, everything.labels)
    *tenths, rest = np.split(order, [tenth * (number + 1) for number in range(parts)])
    return [everything[np.sort(part)] for part in (rest, *tenths)]


def _with_every_class_in(order: NDArray[np.intp], held: int, labels: Labels) -> NDArray[np.intp]:
    """Return an order in which the images after the first ``held`` include every class, if there are enough of them.

    It is the same order, unless a class would be lost: then the last image of each class goes to the end.
    """
    if len(np.unique(labels[order[held:]])) == len(np.unique(labels)):
        return order
    # np.unique finds the first image of each class, here counted from the end.
    last = len(order) - 1 - np.unique(labels[order[::-1]], return_index=True)[1]
    return np.concatenate([np.delete(order, last), order[np.sort(last)]])


def shuffled(count: int) -> NDArray[np.intp]:
    """Return a fixed permutation of 0 to count - 1, the same on every machine and in every version.

    It sorts the numbers by a mixing function, the finaliser of SplitMix64. NumPy's generators will not do: their
    streams may change between releases, and the held-out images must not.
    """
    mixed = (np.arange(count, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(mixed ^ (mixed >> np.uint64(31)), kind="stable")
