"""A folder that receives files: all of them or none, while the user's own files stay as they are.

Every write leaves ``.inkgan.json`` in the folder, which lists its files with their SHA-256. A later write with
``--force`` replaces and removes only files that this list names and that are unchanged. Everything else stays, links
included: if a new file would take its place, the write is refused before any work is done.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from inkgan.errors import InkganWarning, OutputError, listed, printable, reason_of, shown
from inkgan.files import (
    from_json,
    is_run,
    is_temporary,
    one_at_a_time,
    output_errors,
    read_regular,
    remove_abandoned,
    require_writable,
    sha256_of,
    temporary_folder,
    write_bytes,
)
from inkgan.runs import contents

#: The file in a folder that lists what inkgan wrote there.
MANIFEST = ".inkgan.json"
_WHAT = "files that inkgan wrote here: --force replaces or removes these while they are unchanged, and no others"
#: How the manifest of a data set in shards begins to say what the folder is.
DATA_SET = "a data set that inkgan wrote"
#: The most bytes of a manifest, and of the record of a shard. For a million images, the latter may have 250 MB.
LARGEST_LIST = 512 * 2**20
#: The subfolder of a temporary folder that keeps the files of earlier writes until the new ones are in their place.
_ASIDE = "old"

#: The SHA-256 of files by their names in the folder, with / after a subfolder.
Digests = dict[str, str]


class OutputFolder:
    """A folder to fill with files whose names are known.

    Args:
        path: the folder; it is made if it is missing. A link to a folder is followed.
        names: the names of the files, each in the folder itself or in a subfolder of it (``"7/001.png"``).
        force: write into a folder even if it holds files.

    Raises:
        OutputError: the folder cannot be written, or is that of a run; it holds files and ``force`` is off; or a new
            file would replace one that inkgan did not write there, or that was changed since.
    """

    def __init__(self, path: Path, names: Iterable[str], *, force: bool) -> None:
        self._path = path
        self._names = list(names)
        self._force = force
        with output_errors(path):
            if os.path.lexists(path) and not path.is_dir():
                what = "a file" if path.exists() else "a link to nothing"
                raise OutputError(f"{shown(path)} is {what}, not a folder. Name another folder.")
            self._refuse_files()
            require_writable(path)
            for folder in (path, path.parent):
                remove_abandoned(folder)
            unchanged, _ = self._earlier_files()
            self._refuse_to_replace_others(unchanged)

    @contextlib.contextmanager
    def filling(self) -> Iterator[Path]:
        """Yield an empty folder for the files; on success, they appear here and replace those of earlier writes.

        Raises:
            OutputError: the files cannot be written; everything that was here before is still here.

        Warns:
            InkganWarning: files of earlier writes stay because they were changed since.
        """
        with _remove_empty_on_error(self._path), contextlib.ExitStack() as cleanup, output_errors(self._path):
            # In the folder if it is there, since its parent may not be writable; beside it if it is missing.
            temporary = temporary_folder(self._path if self._path.is_dir() else self._path.parent)
            cleanup.callback(_remove_unless_it_holds_old_files, temporary)
            new = temporary / "new"
            new.mkdir()
            yield new
            if not self._path.exists() and _appears(new, self._path):
                return
            with one_at_a_time(self._path):
                self._refuse_files()  # another process may have begun to fill it in the meantime
                self._move_in(new, temporary / _ASIDE)

    def _refuse_files(self) -> None:
        """Refuse the folder of a run or of a data set in shards, and without ``force`` each that holds files."""
        refuse_runs_and_data_sets(self._path)
        if not self._force and _holds_files(self._path):
            raise OutputError(
                f"{shown(self._path)} already holds files. Add --force to write into it, which replaces only what "
                "inkgan wrote there, or name another folder."
            )

    def _earlier_files(self) -> tuple[Digests, set[str]]:
        """Return the files of earlier writes that are unchanged, and the names of those that were changed."""
        unchanged: Digests = {}
        changed: set[str] = set()
        for name, digest in _read_manifest(self._path):
            file = self._path / name
            subfolder_is_link = file.parent != self._path and file.parent.is_symlink()
            if subfolder_is_link or file.is_symlink() or not file.is_file():
                continue
            if sha256_of(file) == digest:
                unchanged[name] = digest
            else:
                changed.add(name)
        return unchanged, changed - unchanged.keys()  # after a write that was killed, the list can name a file twice

    def _refuse_to_replace_others(self, unchanged: Digests) -> None:
        """Refuse if a new file or its subfolder would replace anything but unchanged files of earlier writes."""
        if not _holds_files(self._path):  # to look for a million names would take seconds
            return
        for folder in sorted({name.rpartition("/")[0] for name in self._names} - {""}):
            place = self._path / folder
            if place.is_symlink() or (place.exists() and not place.is_dir()):
                raise OutputError(f"{shown(place)} is a link or a file, not a folder of images. Name another folder.")
        for name in self._names:
            if name not in unchanged and os.path.lexists(self._path / name):
                file = shown(self._path / name)
                raise OutputError(f"{file} was not written by inkgan, or was changed since. Name another folder.")

    def _move_in(self, new: Path, aside: Path) -> None:
        """Put the new files in the place of those of earlier writes; on any error, put everything back."""
        old, changed = self._earlier_files()
        self._refuse_to_replace_others(old)
        made = _digests_in(new)
        _write_manifest(self._path, old, made)  # if this process is killed now, the next write knows them all
        moves = [(self._path / name, aside / name) for name in old]
        moves += [(new / name, self._path / name) for name in made]
        try:
            with output_errors(self._path):
                for source, target in moves:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    source.replace(target)
                _write_manifest(self._path, made)
        except BaseException as error:
            self._move_back(moves, aside, old, error)
            raise
        shutil.rmtree(aside, ignore_errors=True)
        _remove_if_empty({(self._path / name).parent for name in old} - {self._path})
        if changed:
            warnings.warn(
                f"what inkgan wrote in {shown(self._path)} and was changed since is kept: {listed(sorted(changed), 3)} "
                f"({len(changed)} in all).",
                InkganWarning,
                stacklevel=4,
            )

    def _move_back(self, moves: Sequence[tuple[Path, Path]], aside: Path, old: Digests, error: BaseException) -> None:
        """Undo those of the moves that were made.

        Raises:
            OutputError: undoing fails, too; the message says where the old files are.
        """
        try:
            for source, target in reversed(moves):
                # The disk knows which were made; Ctrl-C may come between a move and a note of it.
                if os.path.lexists(target) and not os.path.lexists(source):
                    target.replace(source)
        except OSError as second:
            first = str(error) or f"writing into {shown(self._path)} was interrupted."
            raise OutputError(
                f"{first} Putting the old files back failed, too: {reason_of(second)}. They are in {printable(aside)} "
                "until the next write."
            ) from second
        _remove_if_empty({(self._path / name).parent for name in self._names} - {self._path})
        with contextlib.suppress(OSError, OutputError):  # a list does no harm if it names files that are gone
            if old:
                _write_manifest(self._path, old)
            else:
                (self._path / MANIFEST).unlink()


def refuse_runs(path: Path) -> None:
    """Refuse the folder of a run, and its parts with all that is below them.

    Raises:
        OutputError: it is one.
    """
    whole = path.absolute()
    for folder in (whole, *whole.parents):
        inside = whole.relative_to(folder).parts
        if (not inside or inside[0] in contents.PARTS) and is_run(folder):
            raise OutputError(f"{shown(folder)} is the folder of a run, so nothing is written there. Name another.")


def refuse_runs_and_data_sets(path: Path) -> None:
    """Refuse the folder of a run or of a data set in shards, which has a manifest of its own.

    Raises:
        OutputError: it is one.
    """
    refuse_runs(path)
    if (path / "manifest.json").is_file() and (holds_records(path) or _is_of_data_set(path / "manifest.json")):
        raise OutputError(
            f"{shown(path)} is the folder of a data set in shards, so nothing else is written there. Name another "
            "folder; `inkgan write` with --shards makes shards that are missing."
        )


def _is_of_data_set(manifest: Path) -> bool:
    """Whether this is the manifest of a data set in shards; it is there before the first of them is done."""
    with contextlib.suppress(OSError, ValueError):
        content = from_json(read_regular(manifest, LARGEST_LIST))
        return isinstance(content, dict) and str(content.get("what")).startswith(DATA_SET)
    return False


def holds_records(path: Path) -> bool:
    """Whether a folder holds records of shards (:mod:`inkgan.generation.shards`), or the folder that they once had."""
    return any(path.glob(".*sha256"))


@contextlib.contextmanager
def _remove_empty_on_error(path: Path) -> Iterator[None]:
    """On an error, remove the folder and its parents that were not there before, if they are empty."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        yield
    except BaseException:
        _remove_if_empty(missing)
        raise


def _remove_if_empty(folders: Iterable[Path]) -> None:
    """Remove folders that are empty; the others have files in them that were there before, or the user's."""
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


def _remove_unless_it_holds_old_files(temporary: Path) -> None:
    """Remove a temporary folder. Old files that could not be put back stay where the error says."""
    with contextlib.suppress(OSError):  # what cannot be looked at stays; the error that led here is the one to report
        if not any(path.is_file() for path in (temporary / _ASIDE).rglob("*")):
            shutil.rmtree(temporary, ignore_errors=True)


def _appears(new: Path, path: Path) -> bool:
    """Give a new folder its place, with a manifest; False if another process made a folder there at this moment."""
    _write_manifest(new, _digests_in(new))
    try:
        new.rename(path)
    except OSError:
        if not path.is_dir():
            raise
        (new / MANIFEST).unlink()
        return False
    return True


def _holds_files(folder: Path) -> bool:
    """Whether a folder holds anything besides its manifest and what processes are writing at this moment."""
    return folder.exists() and any(path.name != MANIFEST and not is_temporary(path.name) for path in folder.iterdir())


def _digests_in(folder: Path) -> Digests:
    """Return the SHA-256 of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


def _write_manifest(folder: Path, *digests: Digests) -> None:
    files = [entry for some in digests for entry in some.items()]
    write_bytes(folder / MANIFEST, (json.dumps({"what": _WHAT, "files": files}) + "\n").encode())


def _read_manifest(folder: Path) -> list[tuple[str, str]]:
    """Return the names and digests in a folder's manifest; none if it has no manifest.

    Raises:
        OutputError: inkgan cannot have written it.
    """
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return []
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        files = from_json(read_regular(path, LARGEST_LIST))["files"]
        entries = [(str(name), str(digest)) for name, digest in files]
        if not path.is_symlink() and all(_stays_inside(name) for name, _ in entries):
            return entries
    raise OutputError(f"{shown(path)} was not written by inkgan, or is damaged. Name another folder.")


def _stays_inside(name: str) -> bool:
    """Whether this names a file in a folder or in a subfolder of it, and nothing outside."""
    path = PurePosixPath(name)
    return not path.is_absolute() and 1 <= len(path.parts) <= 2 and ".." not in path.parts and "\0" not in name
