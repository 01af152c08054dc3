"""What is to be evaluated: images of a run or model, of an ``.npz`` file, or of a folder from anywhere."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.data import DataSet
from inkgan.data import load as load_data
from inkgan.data.loading import load_saved, read_path
from inkgan.errors import CheckpointError, DataError, EvaluationError, InkganWarning, shown
from inkgan.files import Progress, unheard
from inkgan.generation.model import Model, is_bundled, load
from inkgan.images import Images, Labels

SMALLEST = 128
"""Fewer images than this are not measured."""


@dataclass(frozen=True, eq=False)
class Subject:
    """Images to measure.

    Attributes:
        name: what was given, for people.
        kind: what it is, for people.
        images: uint8 [N, H, W, C].
        labels: int64 [N], the classes that were asked for, or None.
        notes: what a reader should know about them.
        draw: of a model, draws its first n images and their classes; None for images that are what they are.
    """

    name: str
    kind: str
    images: Images
    labels: Labels | None
    notes: tuple[str, ...] = ()
    draw: Callable[[int], tuple[Images, Labels | None]] | None = None


def subject_of(what: str | Path, n: int, seed: int, data: DataSet) -> Subject:
    """Draw or read at most ``n`` images; see :func:`find_subject`."""
    return find_subject(what, n, seed, data)()


def find_subject(what: str | Path, n: int, seed: int, data: DataSet) -> Callable[[], Subject]:
    """Find and check what is to be measured; the function returned then draws or takes at most ``n`` images.

    Drawing takes seconds, so whoever measures several things finds them all first.

    Args:
        what: a bundled model, a run or model folder, an ``.npz`` file or a folder of images.
        n: the most images to take, 128 or more; out of more, ``seed`` chooses. No more are taken than the data have
            held-out images, so that every figure has a floor at its own n.
        seed: of the latents or of the choice.
        data: the real images, which says what images and labels must look like.

    Raises:
        DataError: the file or folder cannot be read.
        CheckpointError: there is no such thing, or a model is damaged.
        EvaluationError: the images are too few, of another size than the data's, all blank, or their labels are not
            the data's; or the data have too few held-out images.
    """
    path, asked, held_out = Path(what), n, len(data.test)
    if n < SMALLEST:
        raise EvaluationError(f"n is {n}; at least {SMALLEST} images are needed for figures that mean something.")
    if seed < 0:
        raise EvaluationError(f"the seed is {seed}; seeds count from 0.")
    if held_out < SMALLEST:
        raise EvaluationError(
            f"{data.name} has {held_out} held-out images; at least {SMALLEST} are needed. "
            f"Of a set that has no test split a tenth is held out, so it needs {10 * SMALLEST:,} images."
        )
    n = min(n, held_out)
    if not _is_model(what, path):
        subject = _with_notes(_read(path, n, seed, data), data, asked)
        return lambda: subject
    model = _load(what)
    _check_size(shown(what), model.image_shape, data)

    def draw(count: int) -> tuple[Images, Labels | None]:
        images = model.sample(count, seed=seed).reshape(count, *model.image_shape)
        return images, model.labels_for(count) if model.num_classes == len(data.class_names) else None

    notes = model.notes
    if model.description.get("digest") != data.digest:
        notes = (
            *notes,
            f"{shown(what)} learned from other data than {data.name} as it is here.",
        )
    return lambda: _with_notes(Subject(shown(what), "model", *draw(n), tuple(notes), draw), data, asked)


def real_images(what: str | Path, data: str | None, data_dir: Path | None, progress: Progress = unheard) -> DataSet:
    """The real images to measure against: those named, or else those that a model learned from, or MNIST.

    Raises:
        DataError: the data cannot be read.
        CheckpointError: there is no such model, or it is damaged.
    """
    own: Mapping[str, Any] = {}
    if data is None and _is_model(what, Path(what)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # find_subject loads it again, and warns
            own = _load(what).description
    try:
        settings = own["config"]["data"]
        _ = settings["name"], settings["directory"]
    except (KeyError, TypeError):
        return _with_warnings(load_data(data or "mnist", data_dir, progress=progress))
    try:
        return _with_warnings(load_saved(settings, data_dir, progress=progress))
    except DataError as error:
        raise DataError(f"{error} {shown(what)} learned from it; name other real images with --data.") from None


def _with_warnings(data: DataSet) -> DataSet:
    for note in data.notes:
        warnings.warn(f"{data.name}: {note}", InkganWarning, stacklevel=3)
    return data


def _load(what: str | Path) -> Model:
    try:
        return load(what)
    except CheckpointError as error:
        if os.path.isdir(what):  # noqa: PTH112 - it takes any name
            raise
        raise CheckpointError(f"{error} An .npz file or a folder of images will do as well.") from None


def _is_model(what: str | Path, path: Path) -> bool:
    """Whether ``what`` is for :func:`inkgan.generation.model.load`: also if it is nothing, which that tells best."""
    if is_bundled(what):
        return True
    try:
        if path.is_dir():
            return (path / "model.json").is_file() or (path / "config.json").is_file()
        return path.suffix.lower() not in {".npz", ".npy"}
    except (OSError, ValueError):
        return True


def _read(path: Path, n: int, seed: int, data: DataSet) -> Subject:
    own = read_path(path)
    _check_size(shown(path), own.image_shape, data)
    splits = list(own.splits.values())
    total = sum(map(len, splits))
    chosen = np.sort(np.random.default_rng([seed, total]).permutation(total)[:n])
    images = np.concatenate([split.images for split in splits])[chosen]
    notes = list(own.notes)
    if total < n:
        notes.append(f"there are {total:,} images, fewer than the {n:,} asked for.")
    labels = None
    if own.train.labels is not None and data.class_names:
        every = np.concatenate([split.labels for split in splits if split.labels is not None])[chosen]
        labels, said = _labels_for(data, own, every, by_name=path.is_dir())
        notes += said
    return Subject(shown(path), "folder of images" if path.is_dir() else "arrays", images, labels, tuple(notes))


def _labels_for(data: DataSet, own: DataSet, labels: Labels, *, by_name: bool) -> tuple[Labels | None, list[str]]:
    """Labels in the data's numbering: classes are known by their names; arrays may also number them."""
    numbers = {name: number for number, name in enumerate(data.class_names)}
    if not by_name and not set(own.class_names) <= set(numbers):
        numbers = {str(number): number for number in range(len(data.class_names))}
        foreign = [name for name in own.class_names if name not in numbers]
        if foreign:
            raise EvaluationError(
                f"{own.source}: a label is {foreign[-1]}; {data.name} has labels 0 to {len(data.class_names) - 1}. "
                "Name the data that the labels belong to with --data."
            )
    foreign = [name for name in own.class_names if name not in numbers]
    if foreign:
        return None, [f"the folders' names are not used as labels: {foreign[0]!r} is not a class of {data.name}."]
    return np.array([numbers[name] for name in own.class_names], np.int64)[labels], []


def _check_size(name: str, shape: tuple[int, int, int], data: DataSet) -> None:
    if shape != data.image_shape:
        given, needed = ("x".join(map(str, one)) for one in (shape, data.image_shape))
        raise EvaluationError(
            f"{name} has images of {given}, {data.name} has {needed}. "
            "Name the data that they imitate with --data, or convert them."
        )


def _with_notes(subject: Subject, data: DataSet, asked: int) -> Subject:
    """Say what is odd about the images; refuse those that no figure can be had of."""
    if len(subject.images) < SMALLEST:
        raise EvaluationError(f"{subject.name} has {len(subject.images)} images; at least {SMALLEST} are needed.")
    flat = subject.images.reshape(len(subject.images), -1)
    blank = int((flat.min(axis=1) == flat.max(axis=1)).sum())
    if blank == len(flat):
        raise EvaluationError(f"{subject.name}: every image is constant, one value in all its pixels. There is no ink.")
    notes = list(subject.notes)
    if blank:
        notes.append(f"{blank:,} of the images are constant, one value in all their pixels.")
    usual = float(data.train.images[:1000].mean())
    if abs(flat.mean() - (255 - usual)) < abs(flat.mean() - usual) / 4:
        notes.append(f"the images look inverted: their mean is {flat.mean():.0f}, that of {data.name} is {usual:.0f}.")
    if asked > len(data.test):
        notes.append(f"n is {len(flat):,}: {data.name} has {len(data.test):,} held-out images for the floor.")
    return replace(subject, notes=tuple(notes))
