"""A user's own folder of images, as a data set.

::

    folder/*.png                        no labels
    folder/<class>/**/*.png             labels by folder
    folder/train/..., folder/test/...   either of these below each split; names such as val, Testing or trn will do

Files that cannot be used are skipped and counted, never half used. A folder that loses a tenth of its images, a class
or a split in this way is refused. The rules are:

- Each file is read as ``picture_files`` says.
- All images have one size, the most common one. Images of another size are skipped, unless a size is given: then all
  images are resized to it.
- If every image is grey, the set has one channel, else three.
- Images of 16 bits keep the upper eight of the bits that they use.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inkgan.data.picture_files import FORMATS_TEXT, UnusableError, pixels_of, size_of
from inkgan.data.pixels import resized
from inkgan.data.sets import DataSet, ReadingOptions, assemble, distinct_names, require_room
from inkgan.data.splits import Split, split_from_name, splits_among
from inkgan.errors import DataError, as_given, listed, quantity, reason_of, shown
from inkgan.files import Progress, is_run
from inkgan.images import Images

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp")

#: Pictures that are not read. Beside one of the same name that is, such a file is its original and no loss.
_OTHER_PICTURES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga")

_OTHER_SIZE = "of another size"
_NO_CLASS = "outside the class folders"
_OUTSIDE = "outside the folders of the splits"
_NOT_AN_IMAGE = "not an image by its name"
_READ_ALREADY = "link to a folder that was read already"
_BROKEN_LINK = "link to nothing"
_RUN = "folder of a run"
_HIDDEN = "hidden folder, whose name begins with a dot"
_EMPTY = "empty folder"
_NO_LOSS = (_OUTSIDE, _NOT_AN_IMAGE, _READ_ALREADY, _BROKEN_LINK, _RUN, _HIDDEN, _EMPTY)
#: Files that may hold the labels of images without class folders. They are not read, so a note says so.
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet", ".xlsx")
#: Folders that hold the images or the labels of all classes, in data sets for other tasks, such as detection.
_OTHER_LAYOUT = {"images", "image", "imgs", "img", "pictures", "photos", "jpegimages", "labels", "masks", "annotations"}
#: If there are more other files than this share of the images, some may be meant as images, so a note says so.
_MANY = 0.1


@dataclass(frozen=True)
class _Found:
    """A file with an image's name, as a path in the data folder; its split, and its class, empty outside of classes."""

    path: Path
    split: str
    class_name: str


class _Skipped(dict[str, list[Path]]):
    """The files that are left out, as paths in the data folder, by reason."""

    def add(self, reason: str, *paths: Path) -> None:
        if paths:
            self.setdefault(reason, []).extend(paths)

    def lost_images(self) -> dict[str, list[Path]]:
        """Return the files that would have been images to learn from."""
        return {reason: paths for reason, paths in self.items() if reason not in _NO_LOSS}


def read_image_folder(folder: Path, name: str, reading: ReadingOptions, progress: Progress) -> DataSet:
    """Read a folder of images (see the top of this file for what it may look like).

    If there is no test folder, a tenth of the images is held out for it, and likewise for validation, by a permutation
    that depends on no seed.

    Returns:
        The data set, with the reasons and counts of what was skipped.

    Raises:
        DataError: no image can be used, too many cannot be used, or there are too many or too few images.
    """
    source = shown(folder)
    skipped = _Skipped()
    paths = list(_walk(folder, skipped))
    found = _arranged(paths, source, reading.splits, skipped)
    alike, size = (found, reading.resize) if reading.resize else _of_one_size(found, folder, skipped)
    images, used, notes = _decode(alike, size, folder, skipped, progress)
    _require_most(found, used, skipped, source)
    classes = _classes(used)
    class_names = distinct_names(classes, f"{source}: the list of its class folders")
    index_of = {name: index for index, name in enumerate(classes)}
    splits = {}
    for split in dict.fromkeys(file.split for file in used):
        where = np.array([at for at, file in enumerate(used) if file.split == split], np.intp)
        labels = np.array([index_of[used[at].class_name] for at in where], np.int64) if classes else None
        # A single split, the usual case, has all of the images and needs no copy.
        splits[split] = Split(images if len(where) == len(images) else images[where], labels)
    data = assemble(name, source, splits, class_names, reading)
    counts = {reason: len(paths) for reason, paths in skipped.items()}
    left_out = [*_note_of_left_out(len(used), skipped), *_notes_of_unread(used, skipped)]
    layout = [*_note_of_inner_folders(used), *_note_of_other_layout(used)]
    return replace(data, skipped=counts, notes=(*left_out, *layout, *notes, *data.notes))


def holds_pictures(folder: Path) -> bool:
    """Whether a file in a folder, or below it, is an image by its name; False if there is no such folder."""
    return any(name.lower().endswith(SUFFIXES) for _, _, files in os.walk(folder) for name in files)


def _walk(folder: Path, skipped: _Skipped) -> Iterator[Path]:
    """Yield the files in a folder that are images by their names, in a fixed order and without hidden ones.

    If no name in a folder says so, for example in one class of several, files without an ending are looked into.
    """

    def unreadable(error: OSError) -> None:
        raise DataError(f"cannot read {shown(error.filename)}: {reason_of(error)}. Check its permissions.") from error

    seen: set[Path] = set()
    for at, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        place = Path(at).relative_to(folder)
        if (real := Path(at).resolve()) in seen:  # a link, perhaps to the folder it lies in
            skipped.add(_READ_ALREADY, place)
            folders.clear()
            continue
        seen.add(real)
        skipped.add(_HIDDEN, *(place / name for name in sorted(folders) if not _visible(name)))
        # A run may lie in the folder of its images; its pictures are not among them.
        runs = {name for name in folders if is_run(Path(at, name))}
        skipped.add(_RUN, *(place / name for name in sorted(runs)))
        # What lies outside the splits comes last: it may hold links to them.
        folders[:] = sorted(
            filter(_visible, {*folders} - runs), key=lambda name: (split_from_name(name)[0] is None, name)
        )
        visible = sorted(filter(_visible, files))
        if not (folders or runs or visible) and Path(at) != folder:  # .gitkeep and .DS_Store do not count
            skipped.add(_EMPTY, place)
        read = {Path(name).stem for name in visible if name.lower().endswith(SUFFIXES)}
        for name in visible:
            is_lost = name.lower().endswith(_OTHER_PICTURES) and Path(name).stem not in read
            is_unnamed = not read and _is_unnamed_picture(Path(at, name))
            if is_lost or is_unnamed or name.lower().endswith(SUFFIXES):
                yield place / name
            else:
                is_broken = not Path(at, name).exists()  # perhaps a class on a disk that is not mounted now
                skipped.add(_BROKEN_LINK if is_broken else _NOT_AN_IMAGE, place / name)


def _is_unnamed_picture(path: Path) -> bool:
    """Whether a file is a picture by its content, and its name has no ending that would say something else."""
    if path.suffix:
        return False
    try:
        size_of(path)
    except UnusableError:
        return False
    return True


def _visible(name: str) -> bool:
    return not name.startswith(".")


def _arranged(paths: Sequence[Path], source: str, splits: str, skipped: _Skipped) -> list[_Found]:
    """Find each image's split and class from its folders; if there are class folders, skip the images outside them."""
    places = dict.fromkeys(path.parent.parts for path in paths)
    named = splits_among(list(places), splits, source)
    found = []
    for path in paths:
        below = path.parent.parts
        if not named:
            found.append(_Found(path, "train", "".join(below[:1])))
        elif below and below[0] in named:
            found.append(_Found(path, named[below[0]], "".join(below[1:2])))
        else:
            skipped.add(_OUTSIDE, path)
    classified = [file for file in found if file.class_name]
    if not classified:
        return found
    skipped.add(_NO_CLASS, *(file.path for file in found if not file.class_name))
    return classified


def _classes(files: Sequence[_Found]) -> list[str]:
    """Return the classes in order: by value if all are numbers, so that ``10`` comes after ``9``, else by name."""
    names = sorted({file.class_name for file in files} - {""})
    if all(name.isascii() and name.isdigit() for name in names):
        names.sort(key=lambda name: (int(name[:18]), name))
    return names


def _of_one_size(files: Sequence[_Found], folder: Path, skipped: _Skipped) -> tuple[list[_Found], tuple[int, int]]:
    """Read every file's header; return the files of the most common size, and this size as (height, width)."""
    by_size: dict[tuple[int, int], list[_Found]] = {}
    for file in files:
        try:
            by_size.setdefault(size_of(folder / file.path), []).append(file)
        except UnusableError as reason:
            skipped.add(str(reason), file.path)
    if not by_size:
        return [], (1, 1)
    common = max(by_size, key=lambda size: len(by_size[size]))
    kept = by_size.pop(common)
    if by_size:
        sizes = listed([f"{height}×{width}" for height, width in by_size], 3)
        skipped.add(f"{_OTHER_SIZE} ({sizes})", *(file.path for others in by_size.values() for file in others))
    return kept, common


def _decode(
    files: Sequence[_Found], size: tuple[int, int], folder: Path, skipped: _Skipped, progress: Progress
) -> tuple[Images, list[_Found], list[str]]:
    """Decode images and resize them.

    Returns:
        uint8 of shape [N, *size, C] with C of 1 if all are grey, else 3; the files they are from; and what a user
        should know about them.

    Raises:
        DataError: they would take more than ``MAX_BYTES``.
    """
    require_room(len(files) * math.prod(size), shown(folder))
    images: NDArray[Any] = np.empty((len(files), *size, 1), np.uint8)
    used: list[_Found] = []
    deep: list[int] = []
    colour: list[_Found] = []
    for at, file in enumerate(files):
        progress("reading images", at / len(files))
        try:
            pixels = resized(pixels_of(folder / file.path)[None], size)[0]
        except UnusableError as reason:
            skipped.add(str(reason), file.path)
            continue
        if pixels.shape[2] == 3:
            colour.append(file)
        if pixels.dtype == np.uint16:
            deep.append(len(used))
        images = _with_room_for(pixels, images, shown(folder))
        images[len(used)] = pixels
        used.append(file)
    images = images[: len(used)]
    notes = []
    if 0 < len(colour) < len(used):
        notes.append(f"all are read in colour, because of {len(colour):,} of them, such as {shown(colour[0].path)}")
    if deep:
        notes += _to_eight_bits(images, deep)
    return images.astype(np.uint8, copy=False), used, notes


def _with_room_for(pixels: NDArray[Any], images: NDArray[Any], source: str) -> NDArray[Any]:
    """Return the images with three channels if these pixels have three, and with 16 bits if these have."""
    if pixels.shape[2] > images.shape[3]:
        require_room(3 * images.size, source)
        images = np.repeat(images, 3, axis=3)
    return images.astype(np.uint16, copy=False) if pixels.dtype == np.uint16 else images


def _to_eight_bits(images: NDArray[np.uint16], deep: Sequence[int]) -> list[str]:
    """Keep, in place, the upper eight of the bits that the 16-bit images at some positions use; return notes."""
    most = int(images[deep].max())
    bits = max(8, most.bit_length() + most.bit_length() % 2)
    images[deep] >>= bits - 8
    return [f"16-bit images with values to {most:,} are taken for {bits}-bit ones"] if bits < 16 else []


def _note_of_left_out(used: int, skipped: _Skipped) -> list[str]:
    """Describe how many images are left out and why; return an empty list if none is."""
    lost = sorted(skipped.lost_images().items(), key=lambda item: -len(item[1]))
    if not lost:
        return []
    reasons = [f"{len(files):,} {reason}, such as {shown(files[0])}" for reason, files in lost]
    total = used + sum(len(files) for _, files in lost)
    are = "is" if used == 1 else "are"
    return [f"{used:,} of {quantity(total, 'image', ',')} {are} used: {listed(reasons, 3, '; ')}"]


def _notes_of_unread(used: Sequence[_Found], skipped: _Skipped) -> list[str]:
    """Describe the folders from which nothing is read, which may be classes, and files that may be meant as images."""
    read = {Path(), *(place for file in used for place in file.path.parents)}
    others = skipped.get(_NOT_AN_IMAGE, ())
    unread = [path for path in others if path.parent not in read]
    notes = []
    for reason in (_EMPTY, _BROKEN_LINK, _RUN, _READ_ALREADY):
        if paths := skipped.get(reason):
            places = listed([shown(path) for path in paths], 3)
            notes.append(f"nothing is read from {places} ({reason})")
    if unread:
        places = listed(list(dict.fromkeys(shown(path.parent) for path in unread)), 3)
        example = shown(unread[0].name)
        notes.append(f"nothing is read from {places}, whose files are not images by their names, such as {example}")
    beside = [path for path in others if path.parent in read]
    if len(beside) > _MANY * len(used):
        notes.append(f"not images by their names: {quantity(len(beside), 'file', ',')}, such as {shown(beside[0])}")
    tables = [shown(path) for path in others if path.suffix.lower() in _TABLES]
    if tables and used and not any(file.class_name for file in used):
        notes.append(f"no labels are read from {listed(tables, 3)}: put the images of each class into its own folder")
    return notes


def _note_of_inner_folders(used: Sequence[_Found]) -> list[str]:
    """Return a note if class folders have several folders with images: perhaps those are the classes."""
    inside: dict[str, set[tuple[str, ...]]] = {}  # for each class, the paths in its folder that hold images
    for file in used:
        places = file.path.parent.parts
        if file.class_name in places:
            inside.setdefault(file.class_name, set()).add(places[places.index(file.class_name) + 1 :])
    if len(inside) != 1:
        several = [(name, path) for name, paths in inside.items() if len(paths) > 1 for path in paths if path]
        folders = sorted({f"{name}/{path[0]}" for name, path in several})
        examples = shown(listed(folders, 3))
        return [f"folders inside of class folders are not classes of their own: {examples}"] if folders else []
    ((name, paths),) = inside.items()
    # Folders that hold nothing but one folder are passed over.
    depth = len(os.path.commonprefix([*paths])) + 1  # noqa: RUF071 - of tuples, not of strings
    folders = sorted({"/".join(path[:depth]) for path in paths if len(path) >= depth})
    if len(folders) < 2:
        return []
    return [f"all images are of one class, {shown(name)}, though it has the folders {shown(listed(folders, 3))}"]


def _note_of_other_layout(used: Sequence[_Found]) -> list[str]:
    """Return a note if the classes are folders of another layout, in which labels or masks have their own files."""
    names = sorted({file.class_name for file in used} - {""})
    if not names or not {name.lower() for name in names} <= _OTHER_LAYOUT:
        return []
    taken = f"folders taken for classes: {shown(', '.join(names))}"
    return [f"{taken}; labels are read from no file, so put the images of each class into its own folder"]


def _require_most(found: Sequence[_Found], used: Sequence[_Found], skipped: _Skipped, source: str) -> None:
    """Raise a :class:`DataError` if a tenth of the images is left out, or all images of a class or of a split."""
    complaints = _note_of_left_out(len(used), skipped)
    if not used:
        why = "; ".join([*complaints, *_notes_of_unread(used, skipped)]) or "it holds no such file"
        remedy = f"Put in {FORMATS_TEXT} files, each with one frame"
        raise DataError(f"{source} has no image that can be used: {why}. {remedy}.")
    classes = {file.class_name for file in found} - {file.class_name for file in used}
    splits = {file.split for file in found} - {file.split for file in used}
    complaints += [f"none of {as_given(name)}" for name in [*sorted(classes)[:3], *sorted(splits)[:3]]]
    lost = sum(map(len, skipped.lost_images().values()))
    if classes or splits or 10 * lost >= len(used) + lost:
        remedy = "Repair, convert, move or remove the others"
        if any(reason.startswith(_OTHER_SIZE) for reason in skipped):
            remedy = "--resize 32 brings all to one size"
        elif [*skipped.lost_images()] == [_NO_CLASS]:
            remedy = "Sort them into folders of their classes, or move them elsewhere"
        raise DataError(f"{source}: {'; '.join(complaints)}. {remedy}.")
