"""The images to measure: those of a model, a file, a folder or an array; and the data to measure them against."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from inkgan.data import DataSet, Split
from inkgan.data import load as load_data
from inkgan.data.arrays import ARRAY_SUFFIXES
from inkgan.data.known_sets import find_known
from inkgan.data.loading import load_saved, read_path
from inkgan.data.pixels import as_images, as_labels, parsed_size, require_shades, size_text
from inkgan.data.sets import ReadingOptions
from inkgan.errors import (
    CheckpointError,
    DataError,
    EvaluationError,
    InkganWarning,
    folded,
    listed,
    quantity,
    shown,
    valid_path,
    whole_number,
)
from inkgan.files import Progress, is_file, is_folder, no_progress
from inkgan.generation.classes import are_unequal, in_proportion
from inkgan.generation.loading import is_bundled
from inkgan.generation.model import LARGEST_SAMPLE, Model, load
from inkgan.images import Images, Labels, as_array

#: The number of images that are measured, unless another number is asked for.
_DEFAULT_N = 10_000
#: The least number of images that can be measured.
_FEWEST = 128
#: The least number of training images: the jackknife of the kernel distance has 50 groups, of two images or more.
_FEWEST_TRAINING = 100
#: The least that a feature network can learn: the covariance of their features, 64 numbers each, must not be singular.
_FEWEST_TO_LEARN = 65

#: Everything that can be measured; see :func:`open_subject`.
Measurable = str | Path | Model | NDArray[Any] | tuple[ArrayLike, ArrayLike]


@dataclass(frozen=True, eq=False)
class Subject:
    """What is measured.

    Attributes:
        name: its name in the report.
        kind: its kind in the report, such as ``arrays``.
        source: the model, which draws images when they are needed; or the images, with their labels.
        class_names: the name of each label; empty without labels.
        notes: notes for the reader of a report about images that were skipped, inverted or ignored.
    """

    name: str
    kind: str
    source: Model | Split
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Sample:
    """The images that are measured.

    Attributes:
        subject: the subject that they come from.
        seed: the seed with which the images were drawn, or chosen from more images.
        images: uint8 [n, H, W, C].
        labels: int64 [n] in the numbering of the real data: the class requested for each image; or None.
        notes: notes about them for the reader of a report.
    """

    subject: Subject
    seed: int
    images: Images
    labels: Labels | None
    notes: tuple[str, ...]


def open_subject(
    what: Measurable, settings: Mapping[str, Any] | None = None, progress: Progress = no_progress
) -> Subject:
    """Find, load and check a subject; a model does not draw yet.

    Args:
        what: a bundled model's name; the path of a run, a model, an ``.npz`` or ``.npy`` file or a folder of images; a
            :class:`Model`; an array of images; or a pair of images and labels.
        settings: how files and folders of images are read: ink, resize and splits; see :func:`inkgan.data.load`.
        progress: called with the progress of the reading of a folder.

    Raises:
        DataError: a file or folder cannot be read.
        CheckpointError: nothing of this name exists, or a model is damaged.
        EvaluationError: images are too few, or constant.
    """
    if isinstance(what, Model):
        return _of_model(what.name, what)
    if isinstance(what, str | Path) and _is_model(what):
        try:
            return _of_model(shown(what), load(what))
        except CheckpointError as error:
            if is_folder(what):
                raise
            raise CheckpointError(f"{error} An .npz file or a folder of images can be measured, too.") from None
    subject = _of_path(Path(what), settings or {}, progress) if isinstance(what, str | Path) else _of_arrays(what)
    if isinstance(subject.source, Split) and len(subject.source) < _FEWEST:
        given = quantity(len(subject.source), "image")
        raise EvaluationError(f"{subject.name} has {given}; at least {_FEWEST} are needed. Add images.")
    return subject


def _is_model(what: str | Path) -> bool:
    """Whether to load ``what`` as a model; True also if it does not exist, since ``load`` raises the fitting error."""
    if is_bundled(what) or what == "":
        return True
    path = Path(what)
    if is_folder(path):
        return is_file(path / "model.json") or is_file(path / "config.json")
    return path.suffix.lower() not in ARRAY_SUFFIXES


def _of_model(name: str, model: Model) -> Subject:
    return Subject(name, "model", model, model.class_names, model.notes)


def _of_path(path: Path, settings: Mapping[str, Any], progress: Progress) -> Subject:
    options = {**settings, "resize": parsed_size(settings.get("resize"))}
    data = read_path(path, ReadingOptions(**options, for_training=False), progress)
    splits = list(data.splits.values())
    images = np.concatenate([split.images for split in splits])
    every = [split.labels for split in splits if split.labels is not None]
    labels = np.concatenate(every) if every else None
    kind = "folder of images" if path.is_dir() else "arrays"
    notes = tuple(f"{note}." for note in data.notes)
    return Subject(shown(path), kind, Split(images, labels), data.class_names, notes)


def _of_arrays(what: Any) -> Subject:
    images, labels = what if isinstance(what, tuple) and len(what) == 2 else (what, None)
    if not hasattr(images, "shape"):
        allowed = "a path, a model, an array of images [N, H, W] or [N, H, W, C], or a pair (images, labels)"
        raise EvaluationError(f"a {type(what).__name__} cannot be measured; give {allowed}.")
    pixels = as_images(as_array(images, "the array", EvaluationError), "the array")
    require_shades(pixels, "the array")
    if labels is None:
        return Subject("array", "arrays", Split(pixels, None))
    given = as_array(labels, "the array of labels", EvaluationError)
    if given.dtype.kind in "OT" and all(isinstance(label, str) for label in given.flat):
        given = np.array(given.tolist(), np.str_)  # the words of pandas are objects, those of NumPy StringDType
    if given.dtype.kind != "U":
        given = as_labels(given, len(pixels), "the array")
    names, numbers = np.unique(given, return_inverse=True)
    labels = as_labels(numbers.ravel(), len(pixels), "the array")  # of words, too
    return Subject("array", "arrays", Split(pixels, labels), tuple(map(str, names.tolist())))


def real_images(
    subjects: Sequence[Subject],
    data: str | Path | None,
    data_dir: Path | None,
    settings: Mapping[str, Any] | None = None,
    progress: Progress = no_progress,
) -> DataSet:
    """Return the real images to compare with: those named, or else those that the first model learned from, or MNIST.

    Args:
        subjects: the subjects to measure.
        data: a name or a path, or None.
        data_dir: the folder to look for it in first.
        settings: how the user's own images are read, including those to measure; see :func:`inkgan.data.load`.
        progress: called with the progress of the reading.

    Raises:
        DataError: the data cannot be read.
    """
    place = None if data_dir is None else valid_path(data_dir, "data_dir", DataError)
    reading = dict(settings or {})
    models = ((one.name, one.source.data_settings) for one in subjects if isinstance(one.source, Model))
    learner, saved = next(models, ("", None))
    name: str | Path = "mnist"
    if data is not None:
        name, saved = data, None
    elif saved is not None:
        name = str(saved["name"])
    if isinstance(name, str) and find_known(name) is not None and any(one.kind != "model" for one in subjects):
        reading.pop("ink", None)  # it describes the images to measure; a known set is read as published
    if saved is None:
        return load_data(name, place, **reading, progress=progress)
    try:
        return load_saved({**saved, **reading}, place, progress=progress)
    except DataError as error:
        raise DataError(f"{error} {learner} learned from it; name other real images with --data.") from None


def shortage(data: DataSet, *, own_features: bool = False) -> str:
    """Return what a data set lacks to measure against it, perhaps in the caller's own features; empty if nothing."""
    remedy = "put as many into its test split, a folder test/ beside train/ or arrays test_images and test_labels"
    return (
        _too_few("test images", len(data.test), max(_FEWEST, len(data.class_names)), remedy)  # one for each class
        or _too_few("training images", len(data.train), _FEWEST_TRAINING, "add images")
        or ("" if own_features else shortage_to_learn(data))
    )


def shortage_to_learn(data: DataSet) -> str:
    """Return what a data set lacks for a feature network to learn it; empty if nothing."""
    if len(data.class_names) < 2:
        given = "one class" if data.class_names else "no labels"
        remedy = "sort its images into class folders, or give labels; with an extractor, inkgan.evaluate needs none"
        return f"{given}, so nothing can be measured: a feature network learns to tell classes apart; {remedy}"
    return _too_few("training images", len(data.train), _FEWEST_TO_LEARN, "add images", who="a feature network needs")


def _too_few(what: str, has: int, need: int, remedy: str, who: str = "evaluate and compare need") -> str:
    return f"too few {what} to measure: {who} {need}, and it has {has}; {remedy}" if has < need else ""


def valid_number(n: Any) -> int | None:
    """Return the number of images to measure that a caller asked for; None if it is left open.

    Raises:
        ConfigError: it is not a whole number, or is out of range.
    """
    complaint = f"n is {{}}; give {_FEWEST} to {LARGEST_SAMPLE:,}, so that figures mean something."
    return None if n is None else whole_number(n, complaint, _FEWEST, LARGEST_SAMPLE)


def number_to_measure(
    subjects: Iterable[Subject], n: int | None, data: DataSet, *, own_features: bool = False
) -> tuple[int, list[str]]:
    """Return the number of images to measure of every subject, and notes if it is not the number asked for.

    Args:
        subjects: the subjects to measure.
        n: the number asked for (:func:`valid_number`); None stands for 10,000.
        data: the real images. No more images are measured than there are held-out ones, so that every figure has a
            floor at its own n.
        own_features: whether the caller has features, so that no network has to learn the data.

    Raises:
        EvaluationError: a subject has images of another size than the data, or nothing can be measured against the
            data.

    Warns:
        InkganWarning: there are fewer images than ``n``.
    """
    if missing := shortage(data, own_features=own_features):
        raise EvaluationError(f"{data.name} has {missing}. Or name other real images with --data.")
    limits = [(len(data.test), f"{data.name} has {len(data.test):,} held-out images")]
    for subject in subjects:
        if subject.source.image_shape != data.image_shape:
            raise EvaluationError(_of_another_size(subject, data))
        if isinstance(subject.source, Split):
            limits.append((len(subject.source), f"{subject.name} has {len(subject.source):,} images"))
    most, reason = min(limits, key=lambda limit: limit[0])
    wanted = _DEFAULT_N if n is None else n
    classes = len(data.class_names)
    if min(most, wanted) < classes:
        few = f"{min(most, wanted)} images cannot be measured against the {classes} classes of {data.name}"
        raise EvaluationError(f"{few}; give at least as many images as classes.")
    if most >= wanted:
        return wanted, []
    note = f"n is {most:,}, not {wanted:,}: {reason}."
    if n is not None:
        warnings.warn(note, InkganWarning, stacklevel=3)
    return most, [note]


def _of_another_size(subject: Subject, data: DataSet) -> str:
    """Return the message that the images of a subject have another size than the real ones."""
    own, real = subject.source.image_shape, data.image_shape
    said = f"{subject.name} has images of {size_text(own)}, {data.name} has {size_text(real)}."
    rename = "name with --data real images of their own size, such as those that they imitate"
    can_resize = own[2] == real[2]
    if isinstance(subject.source, Model):  # only the real images can be resized
        resize = f" --set data.resize={size_text(own[:2])} fits those of {data.name} into it." if can_resize else ""
        return f"{said} {rename.capitalize()}.{resize}"
    resize = f" --set data.resize={size_text(real[:2])} fits the images of files into it." if can_resize else ""
    return f"{said} Convert them to that size, or {rename}.{resize}"


def draw(subject: Subject, n: int, seed: int, data: DataSet, progress: Progress = no_progress) -> Sample:
    """Draw n images of a model, or choose n of more images by the seed, and note what is odd about them.

    Raises:
        EvaluationError: every image is constant.
    """
    notes, class_names = [*subject.notes], subject.class_names
    if isinstance(subject.source, Model):
        class_names = _class_names(subject.source, data)
        images, labels, more_notes = _drawn(subject.name, subject.source, class_names, n, seed, data, progress)
        notes += more_notes
    else:
        total = len(subject.source)
        chosen = subject.source[np.sort(np.random.default_rng([seed, total]).permutation(total)[:n])]
        images, labels = chosen.images, chosen.labels
    lows, highs = images.min(axis=(1, 2)), images.max(axis=(1, 2))  # of each channel
    blank = int((lows == highs).all(axis=1).sum())
    if blank == len(images):
        raise EvaluationError(f"{subject.name}: every image is constant, one value in all its pixels. There is no ink.")
    if labels is not None:
        labels, more_notes = _renumbered(labels, class_names, subject.name, data)
        notes += more_notes
    if blank:
        notes.append(f"constant images, one value in all their pixels: {blank:,} of {len(images):,}.")
    mean, real_mean = images.mean(), float(data.train.images[:1000].mean())
    if abs(mean - (255 - real_mean)) < abs(mean - real_mean) / 4:  # much closer to the negatives of the real images
        notes.append(f"the images look inverted: their mean is {mean:.0f}, that of {data.name} is {real_mean:.0f}.")
    return Sample(subject, seed, images, labels, tuple(notes))


def _class_names(model: Model, data: DataSet) -> tuple[str, ...]:
    """Return the names of a model's classes. One of inkgan 0.1 has none: it gets those of the data it learned from."""
    named = "class_names" in model.description
    if not named and model.num_classes == len(data.class_names) and model.data_digest == data.digest:
        return data.class_names
    return model.class_names


def _drawn(
    name: str, model: Model, class_names: Sequence[str], n: int, seed: int, data: DataSet, progress: Progress
) -> tuple[Images, Labels | None, list[str]]:
    """Draw the first n images of a seed: uint8 [n, H, W, C], their labels, and notes.

    The classes come in turn; if those of the data are unequal, they come in the data's proportions. Otherwise a perfect
    generator would differ from the data by its class shares alone.
    """
    labels, notes = model.labels_for(n), []
    counts = _unequal_counts(class_names, data)
    if counts is not None:
        labels = in_proportion(n, counts)
        has = f"{data.name}, which has {counts.min():,} to {counts.max():,} training images of each"
        notes.append(f"{name} drew its classes in the proportions of {has}.")
    if (steps := _steps_of_run(model)) is not None:
        done, total = steps
        notes.append(f"{name} has the weights after {done:,} of {total:,} steps, not those of a complete run.")
    if model.data_digest != data.digest:
        notes.append(f"{name} learned from other data than {data.name} as it is here.")
    images = model.sample(n, seed=seed, labels=labels, progress=progress)
    return np.asarray(images).reshape(n, *model.image_shape), labels, notes


def _steps_of_run(model: Model) -> tuple[int, int] | None:
    """Return how many steps of how many a generator has learned for; None after the last, or with a clock."""
    step, config = model.description.get("step"), model.description.get("config")
    if not isinstance(config, Mapping) or config.get("seconds") is not None:
        return None
    total = config.get("steps")
    return (step, total) if isinstance(step, int) and isinstance(total, int) and step < total else None


def _unequal_counts(class_names: Sequence[str], data: DataSet) -> NDArray[np.int64] | None:
    """Return the number of training images of each class of a model, if they are unequal; else None.

    It is also None if the model draws without labels, or draws a class that the data do not have.
    """
    numbers = _numbers_of(class_names, data)
    if data.train.labels is None or not class_names or -1 in numbers:
        return None
    counts = np.bincount(data.train.labels, minlength=len(data.class_names))[numbers]
    return counts if are_unequal(counts) else None


def _renumbered(
    labels: Labels, class_names: Sequence[str], name: str, data: DataSet
) -> tuple[Labels | None, list[str]]:
    """Return labels in the numbering of the data, matched by the names of the classes; and notes."""
    if not data.class_names:
        return None, [f"the labels of {name} are not used: {data.name} has none."]
    numbers = _numbers_of(class_names, data)
    used = np.unique(labels)
    foreign = [class_names[label] for label in used if numbers[label] == -1]
    if foreign:
        note = f"the labels of {name} are not used, so there is no accuracy: {data.name} has no class"
        return None, [f"{note} {_quoted(foreign)} (only {_quoted(data.class_names)})."]
    absent = np.setdiff1d(np.arange(len(data.class_names)), numbers)
    present = {-1, *numbers[used]}
    rare = [number for number in numbers if number not in present]
    notes = []
    if len(absent):
        notes.append(f"{name} has no images of {_counted(absent, data)}.")
    if rare:
        notes.append(f"{len(labels):,} images are too few to have any of {_counted(rare, data)}.")
    return numbers[labels], notes


def _numbers_of(class_names: Sequence[str], data: DataSet) -> Labels:
    """Return the data's number of each class, matched by its name; -1 for a class that the data do not have.

    macOS writes an é in the name of a folder as two characters.
    """
    numbers = {folded(class_name): number for number, class_name in enumerate(data.class_names)}
    return np.array([numbers.get(folded(class_name), -1) for class_name in class_names], np.int64)


def _counted(numbers: Iterable[int], data: DataSet) -> str:
    names = [data.class_names[number] for number in numbers]
    return f"{_quoted(names)}: {len(names)} of the {len(data.class_names)} classes"


def _quoted(names: Sequence[str]) -> str:
    return listed([repr(name) for name in names], 8)
