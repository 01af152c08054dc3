"""The image files in a folder: finding them, what is left out and why, and what the user is told of both."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inkgan.data.picture_files import FORMATS_TEXT, UnusableError, size_of
from inkgan.data.splits import split_from_name, splits_among
from inkgan.errors import DataError, as_given, listed, quantity, reason_of, shown
from inkgan.files import Progress, is_run

_SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".gif", ".tif", ".tiff", ".webp")
#: Pictures that are not read. Beside one of the same name that is, such a file is its original and no loss.
_OTHER_PICTURES = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".pbm", ".pgm", ".ppm", ".pnm", ".tga")
#: Why a file is left out, in words that follow any number; the reasons of ``picture_files`` come in addition.
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
class Found:
    """A file with an image's name, as a path in the data folder; its split, and its class, empty outside of classes."""

    path: Path
    split: str
    class_name: str


class Skipped(dict[str, list[Path]]):
    """The files that are left out, as paths in the data folder, by reason."""

    def add(self, reason: str, *paths: Path) -> None:
        """Add files that are left out for a reason."""
        if paths:
            self.setdefault(reason, []).extend(paths)

    def lost_images(self) -> dict[str, list[Path]]:
        """Return the files that would have been images to learn from."""
        return {reason: paths for reason, paths in self.items() if reason not in _NO_LOSS}


def holds_pictures(folder: Path) -> bool:
    """Whether a file in a folder, or below it, is an image by its name; False if there is no such folder."""
    return any(name.lower().endswith(_SUFFIXES) for _, _, files in os.walk(folder) for name in files)


def found_in(folder: Path, splits: str, skipped: Skipped) -> list[Found]:
    """Find the images in a folder, and the split and the class of each from its folders (the rules: :mod:`.folder`).

    Args:
        folder: the data folder.
        splits: whether folders that are named after splits are splits: ``yes``, ``no`` or ``auto``.
        skipped: receives what is left out. If there are class folders, the images outside of them are.

    Raises:
        DataError: a folder cannot be read, or may be a split or a class.
    """
    paths = list(_walk(folder, skipped))
    places = dict.fromkeys(path.parent.parts for path in paths)
    named = splits_among(list(places), splits, shown(folder))
    found = []
    for path in paths:
        below = path.parent.parts
        if not named:
            found.append(Found(path, "train", "".join(below[:1])))
        elif below and below[0] in named:
            found.append(Found(path, named[below[0]], "".join(below[1:2])))
        else:
            skipped.add(_OUTSIDE, path)
    if any(file.class_name for file in found):
        skipped.add(_NO_CLASS, *(file.path for file in found if not file.class_name))
        found = [file for file in found if file.class_name]
    return found


def _walk(folder: Path, skipped: Skipped) -> Iterator[Path]:
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
        hidden = {name for name in folders if not _visible(name)}
        skipped.add(_HIDDEN, *(place / name for name in sorted(hidden)))
        # A run may lie in the folder of its images; its pictures are not among them.
        runs = {name for name in {*folders} - hidden if is_run(Path(at, name))}
        skipped.add(_RUN, *(place / name for name in sorted(runs)))
        # What lies outside the splits comes last: it may hold links to them.
        folders[:] = sorted({*folders} - hidden - runs, key=lambda name: (split_from_name(name)[0] is None, name))
        visible = sorted(filter(_visible, files))
        if not (folders or runs or visible) and Path(at) != folder:  # .gitkeep and .DS_Store do not count
            skipped.add(_EMPTY, place)
        yield from _pictures(Path(at), place, visible, skipped)


def _pictures(folder: Path, place: Path, names: Sequence[str], skipped: Skipped) -> Iterator[Path]:
    """Yield the files of one folder that are images, by their names or as :func:`_walk` says, as paths in ``place``."""
    read = {Path(name).stem for name in names if name.lower().endswith(_SUFFIXES)}
    for name in names:
        is_lost = name.lower().endswith(_OTHER_PICTURES) and Path(name).stem not in read
        is_unnamed = not read and _is_unnamed_picture(folder / name)
        if is_lost or is_unnamed or name.lower().endswith(_SUFFIXES):
            yield place / name
        else:
            is_broken = not (folder / name).exists()  # perhaps a class on a disk that is not mounted now
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


def of_one_size(
    files: Sequence[Found], folder: Path, skipped: Skipped, progress: Progress
) -> tuple[list[Found], tuple[int, int]]:
    """Read every file's header; return the files of the most common size, and this size as (height, width)."""
    by_size: dict[tuple[int, int], list[Found]] = {}
    for at, file in enumerate(files):
        progress("reading sizes", at / len(files))
        try:
            by_size.setdefault(size_of(folder / file.path), []).append(file)
        except UnusableError as reason:
            skipped.add(str(reason), file.path)
    common = max(by_size, key=lambda size: len(by_size[size]), default=(1, 1))
    kept = by_size.pop(common, [])
    if by_size:
        sizes = listed([f"{height}×{width}" for height, width in by_size], 3)
        skipped.add(f"{_OTHER_SIZE} ({sizes})", *(file.path for others in by_size.values() for file in others))
    return kept, common


def require_most(found: Sequence[Found], used: Sequence[Found], skipped: Skipped, source: str) -> None:
    """Raise a :class:`DataError` if a tenth of the images is left out, or all images of a class or of a split."""
    complaints = [*_note_of_left_out(len(used), skipped)]
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
            remedy = "--set data.resize=32 brings all to one size"
        elif [*skipped.lost_images()] == [_NO_CLASS]:
            remedy = "Sort them into folders of their classes, or move them elsewhere"
        raise DataError(f"{source}: {'; '.join(complaints)}. {remedy}.")


def notes_on(used: Sequence[Found], skipped: Skipped) -> list[str]:
    """Return what a user should know of a folder: what is left out, and which folders may not be what they seem."""
    return [
        *_note_of_left_out(len(used), skipped),
        *_notes_of_unread(used, skipped),
        *_note_of_inner_folders(used),
        *_note_of_other_layout(used),
    ]


def _note_of_left_out(used: int, skipped: Skipped) -> Iterator[str]:
    """Describe how many images are left out and why, if any is."""
    lost = sorted(skipped.lost_images().items(), key=lambda item: -len(item[1]))
    if lost:
        reasons = [f"{len(files):,} {reason}, such as {shown(files[0])}" for reason, files in lost]
        total = used + sum(len(files) for _, files in lost)
        are = "is" if used == 1 else "are"
        yield f"{used:,} of {quantity(total, 'image', ',')} {are} used: {listed(reasons, 3, '; ')}"


def _notes_of_unread(used: Sequence[Found], skipped: Skipped) -> Iterator[str]:
    """Describe the folders from which nothing is read, which may be classes, and files that may be meant as images."""
    read = {Path(), *(place for file in used for place in file.path.parents)}
    others = skipped.get(_NOT_AN_IMAGE, ())
    for reason in (_EMPTY, _BROKEN_LINK, _RUN, _READ_ALREADY):
        if paths := skipped.get(reason):
            yield f"nothing is read from {listed([shown(path) for path in paths], 3)} ({reason})"
    unread = [path for path in others if path.parent not in read]
    if unread:
        places = listed(list(dict.fromkeys(shown(path.parent) for path in unread)), 3)
        example = shown(unread[0].name)
        yield f"nothing is read from {places}, whose files are not images by their names, such as {example}"
    beside = [path for path in others if path.parent in read]
    if len(beside) > _MANY * len(used):
        yield f"not images by their names: {quantity(len(beside), 'file', ',')}, such as {shown(beside[0])}"
    tables = [shown(path) for path in others if path.suffix.lower() in _TABLES]
    if tables and used and not any(file.class_name for file in used):
        yield f"no labels are read from {listed(tables, 3)}: put the images of each class into its own folder"


def _note_of_inner_folders(used: Sequence[Found]) -> Iterator[str]:
    """Yield a note if class folders have several folders with images: perhaps those are the classes."""
    inside: dict[str, set[tuple[str, ...]]] = {}  # for each class, the paths in its folder that hold images
    for file in used:
        places = file.path.parent.parts
        if file.class_name in places:
            inside.setdefault(file.class_name, set()).add(places[places.index(file.class_name) + 1 :])
    if len(inside) == 1:
        ((name, paths),) = inside.items()
        # Folders that hold nothing but one folder are passed over.
        depth = len(os.path.commonprefix([*paths])) + 1  # noqa: RUF071 - of tuples, not of strings
        folders = sorted({"/".join(path[:depth]) for path in paths if len(path) >= depth})
        if len(folders) > 1:
            examples = shown(listed(folders, 3))
            yield f"all images are of one class, {shown(name)}, though it has the folders {examples}"
    else:
        several = [(name, path) for name, paths in inside.items() if len(paths) > 1 for path in paths if path]
        folders = sorted({f"{name}/{path[0]}" for name, path in several})
        if folders:
            yield f"folders inside of class folders are not classes of their own: {shown(listed(folders, 3))}"


def _note_of_other_layout(used: Sequence[Found]) -> Iterator[str]:
    """Yield a note if the classes are folders of another layout, in which labels or masks have their own files."""
    names = sorted({file.class_name for file in used} - {""})
    if names and {name.lower() for name in names} <= _OTHER_LAYOUT:
        taken = f"folders taken for classes: {shown(', '.join(names))}"
        yield f"{taken}; labels are read from no file, so put the images of each class into its own folder"
