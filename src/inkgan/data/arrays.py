"""A user's own ``.npz`` or ``.npy`` file, as a data set.

An ``.npz`` file holds ``images`` and perhaps ``labels``, under one of the names below, or these for each split:
``x_train``, ``train_images``, ``val_labels`` and so on. An array ``class_names`` names the classes. An ``.npy`` file
holds images.
"""

from __future__ import annotations

import contextlib
import io
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inkgan.data.pixels import as_images, as_labels
from inkgan.data.sets import DataSet, ReadingOptions, assemble, distinct_names, in_order, most_unpacked, require_room
from inkgan.data.splits import Split, split_from_name
from inkgan.errors import DataError, in_bytes, printable, shown
from inkgan.files import input_errors, is_file

#: The endings of files that hold a data set.
ARRAY_SUFFIXES = (".npz", ".npy")
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")
_HEADER_LIMIT = 10_000
_MOST_ARRAYS = 1000
_CLASS_NAMES = "class_names"
#: The role of an array, by the word in its name that says it.
_ROLES = {
    **dict.fromkeys(("images", "image", "x", "data", "samples", "pixels"), "images"),
    **dict.fromkeys(("labels", "label", "y", "targets", "target"), "labels"),
}
_UNNAMED = {"arr_0": "images", "arr_1": "labels"}  # the names that numpy.savez gives to arrays without one
#: NumPy's kinds of the values that an array may hold.
_KINDS = {"numbers": "buif", "numbers and words": "buifU", "words": "U"}
_NEEDED = "an .npz file with an array `images` and, if there are labels, `labels`"
_NAMES_READ = (
    "Names that are read: images, x, data, samples, pixels, arr_0; labels, y, targets, arr_1; and these for each "
    "split, such as x_train, test_labels"
)


class _Member(NamedTuple):
    """An array in a file, not read yet: a function that opens it, and its size in bytes, unpacked and packed."""

    open: Callable[[], IO[bytes]]
    size: int
    packed: int


def read_arrays(path: Path, name: str, reading: ReadingOptions) -> DataSet:
    """Read a user's ``.npz`` or ``.npy`` file.

    The file's own splits are used. If validation or test is missing, a tenth of the training images is held out for it,
    by a fixed permutation. Nothing in the file is executed (pickled objects are refused), and no array is allocated
    before its size is checked.

    Raises:
        DataError: the file is missing, damaged, too large, or holds something else.
    """
    source = shown(path)
    with input_errors(path), _opened(path) as members:
        roles, unused = _roles(members, source)
        images = {split: as_images(_read(members, keys["images"], source), source) for split, keys in roles.items()}
        labels = {
            split: _read(members, keys["labels"], source, "numbers and words")
            for split, keys in roles.items()
            if "labels" in keys
        }
        class_names = _class_names(members, source)
        are_words = {array.dtype.kind == "U" for array in labels.values()}
        if len(are_words) == 2:
            raise DataError(f"{source}: some splits have words as labels, others numbers. Save all as words, or none.")
        if are_words == {True}:
            given = class_names
            labels, class_names = _numbered(labels, source)
            if given not in (None, class_names):
                unused.append(_CLASS_NAMES)  # the labels name the classes
    splits = {
        split: Split(pixels, as_labels(labels[split], len(pixels), source) if split in labels else None)
        for split, pixels in images.items()
    }
    notes = [f"arrays that are not used: {printable(', '.join(unused))}"] if unused else []
    others = [f"{key} ({role})" for keys in roles.values() for role, key in keys.items() if key != role]
    if others and not reading.for_training:  # a user who measures images may have meant other arrays
        notes.append(f"arrays that are used: {printable(', '.join(others))}")
    data = assemble(name, source, splits, class_names, reading)
    return replace(data, notes=(*notes, *data.notes))


def require_array_file(path: Path) -> None:
    """Refuse a path that exists but cannot be an ``.npz`` or ``.npy`` file; the file itself is not read.

    Raises:
        DataError: it has another ending, is not a regular file, or is empty.
    """
    if path.suffix.lower() not in ARRAY_SUFFIXES:
        unpacked = "Unpack it, and give the folder" if path.suffix.lower() in _ARCHIVES else "Give a folder of images"
        raise DataError(f"{shown(path)} is a single file. {unpacked}, a folder of IDX files, or an .npz or .npy file.")
    if not is_file(path):
        raise DataError(f"{shown(path)} is not a file. Give {_NEEDED}.")
    if not path.stat().st_size:
        raise DataError(f"{shown(path)} is empty. Give {_NEEDED}.")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, _Member]]:
    """Yield the arrays of a file by name; other errors than the system's become a :class:`DataError`."""
    require_array_file(path)
    size = path.stat().st_size
    try:
        if path.suffix.lower() == ".npy":
            yield {"images": _Member(lambda: path.open("rb"), size, size)}
        else:
            with zipfile.ZipFile(path) as archive:
                yield dict(_members(archive, path))
    except (DataError, MemoryError, OSError):
        raise
    except Exception as error:  # a damaged zip or header can make their readers raise nearly anything
        raise DataError(f"{shown(path)} is damaged or not {_NEEDED}. Write it again.") from error


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, _Member]]:
    """Yield the arrays of an archive with their names, after looking at what the archive says of each."""
    entries = archive.infolist()
    if len(entries) > _MOST_ARRAYS:
        raise DataError(f"{shown(path)} holds more than {_MOST_ARRAYS:,} arrays. Give {_NEEDED}.")
    for info in entries:
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{shown(path)}: {shown(info.filename)} is packed unusually. Write it with numpy.savez.")
        archive.open(info).close()  # an error if its own header and the archive's list name it differently
        name = info.filename.removesuffix(".npy")
        yield name, _Member(partial(archive.open, info), info.file_size, info.compress_size)


def _roles(members: Mapping[str, _Member], source: str) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return the names of the images and labels of each split, and of the arrays that are neither.

    Raises:
        DataError: there are no images to train on, labels without images, or two arrays for the same role.
    """
    roles: dict[str, dict[str, str]] = {"train": {}}
    unused = []
    for key in members:
        split, words = split_from_name(key)
        word = words.pop() if len(words) == 1 else ""
        role = _UNNAMED.get(key) or _ROLES.get(word)
        if role is None:
            unused.append(key)
            continue
        other = roles.setdefault(split or "train", {}).setdefault(role, key)
        if other != key:
            both = f"`{printable(other)}` and `{printable(key)}`"
            raise DataError(f"{source}: {both} are both {role} for {split or 'train'}. Leave one of them out.")
    for split, keys in roles.items():
        if "images" not in keys:
            held = printable(", ".join([*members][:8])) or "nothing"
            raise DataError(f"{source} has no array `images` for {split}, but {held}. {_NAMES_READ}.")
    return roles, [key for key in unused if key != _CLASS_NAMES]


def _read(members: Mapping[str, _Member], key: str, source: str, allowed: str = "numbers") -> NDArray[Any]:
    """Read an array, after checking its header against the size of its member.

    Raises:
        DataError: it holds values of other kinds, or the sizes that it states are impossible.
    """
    name = f"{source}: `{printable(key)}`"
    member = members[key]
    with member.open() as file:
        shape, dtype, offset = _header(file)
        needed = math.prod(shape) * dtype.itemsize
        if dtype.kind not in _KINDS[allowed]:
            remedy = "Convert them" if allowed == "numbers" else "Save it with .astype(str)"
            raise DataError(f"{name} holds {dtype} values; only {allowed} are read. {remedy}.")
        require_room(needed, name)
        if needed + offset != member.size:
            promised = f"promises {in_bytes(needed)} but has {in_bytes(member.size)}"
            raise DataError(f"{name} {promised}. It is damaged; write it again.")
        if member.size > max(2**12, most_unpacked(member.packed)):
            grown = f"unpacks from {in_bytes(member.packed)} to {in_bytes(member.size)}"
            raise DataError(f"{name} {grown}, which no images do. Check what it is.")
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False, max_header_size=_HEADER_LIMIT)


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], int]:
    """Read the shape and the type of an array from the beginning of its file, and the number of bytes before it."""
    start = io.BytesIO(file.read(_HEADER_LIMIT))  # NumPy would read a header of any length before it checks that
    version = np.lib.format.read_magic(start)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(start, max_header_size=_HEADER_LIMIT)
    return shape, dtype, start.tell()


def _numbered(labels: Mapping[str, NDArray[Any]], source: str) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Replace the words of labels by numbers; return these, and the words as the names of the classes."""
    words = np.unique(np.concatenate([array.ravel() for array in labels.values()]))
    ordered = in_order(words.tolist())  # an error if a word holds an invalid code point
    names = distinct_names(ordered, f"{source}: `labels`")
    by_word = np.argsort(ordered)  # the numbers of the classes in the order of their words
    return {split: by_word[np.searchsorted(ordered, array, sorter=by_word)] for split, array in labels.items()}, names


def _class_names(members: Mapping[str, _Member], source: str) -> list[str] | None:
    if _CLASS_NAMES not in members:
        return None
    return distinct_names(_read(members, _CLASS_NAMES, source, "words").ravel().tolist(), f"{source}: `{_CLASS_NAMES}`")
