"""Checkpoints: folders of tensors and settings that appear whole, are checked before use, and hold no code.

    checkpoints/step-0002000/
        generator.safetensors  discriminator.safetensors  optimizers.safetensors
        model.json             the description of the generator, for sampling
        state.json             the run's progress
        manifest.json          size and SHA-256 of every other file

A checkpoint is written under a temporary name, synced to disk, and then renamed. So a folder named ``step-...`` was
whole when it got its name, and its manifest shows whether it still is. Arrays are NumPy's: reading a model needs no
PyTorch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file
from safetensors.numpy import save as to_safetensors

from inkgan.errors import CheckpointError, as_given, reason_of, shown
from inkgan.files import from_json, fsync, is_regular, output_errors, path_aside, sha256_of

Arrays = Mapping[str, NDArray[Any]]

MANIFEST = "manifest.json"
_NAME = re.compile(r"(step|pretraining)-(\d{7,})")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.(safetensors|json)")
#: The names of a checkpoint that is not there yet, or not any more: ``.tmp-step-0000001-PID`` while it is written,
#: ``.tmp-removed-step-0000001`` until it is erased.
_TEMPORARY = re.compile(rf"\.tmp-(removed-{_NAME.pattern}|{_NAME.pattern}-\d+)")
#: The files that an interrupted save leaves in such a folder; the second kind is from versions that saved with the
#: library's save_file.
_UNFINISHED = re.compile(rf"{_FILE_NAME.pattern}|\.tmp\w{{6}}")
#: The types of the values in ``state.json``.
_STATE_TYPES = {"step": int, "seconds": float, "digest": str, "precision": str, "best_step": int, "best_value": float}
_LARGEST_FILE = 4 * 2**30
_LARGEST_DOCUMENT = 2**20
#: The largest header of a safetensors file, which describes its arrays, in bytes: a fixed part, and a part per array.
_LARGEST_HEADER = 2**16
_LARGEST_HEADER_PER_ARRAY = 2**10
_BYTES_OF_LARGEST_TYPE = 8
_FLOATS: list[np.dtype[Any]] = [np.dtype(np.float32), np.dtype(np.float16)]
#: The number of attempts to read a checkpoint while a trainer saves and removes others.
TRIES = 20


def checkpoint_name(step: int) -> str:
    """Return ``step-0000123`` for a joint step; ``pretraining-0000177`` for a pre-training step, counted backwards."""
    return f"step-{step:07d}" if step >= 0 else f"pretraining-{-step:07d}"


def step_of(name: str) -> int | None:
    """Return the step in a checkpoint's name, or None if it is not such a name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    step = int(match[2]) if match[1] == "step" else -int(match[2])
    return step if checkpoint_name(step) == name else None


def list_steps(folder: Path) -> list[int]:
    """Return the steps of all checkpoints in a folder, oldest first.

    Raises:
        CheckpointError: the system cannot read the folder.
    """
    with _read_errors(folder):
        if not folder.is_dir():
            return []
        steps = [step_of(entry.name) for entry in folder.iterdir() if entry.is_dir()]
    return sorted(step for step in steps if step is not None)


@contextlib.contextmanager
def _read_errors(path: Path) -> Iterator[None]:
    """Turn the system's errors while reading ``path`` into the ``__cause__`` of a :class:`CheckpointError`."""
    try:
        yield
    except OSError as error:
        raise CheckpointError(f"{shown(path)} cannot be read: {reason_of(error)}. Check its permissions.") from error


def save(folder: Path, step: int, tensors: Mapping[str, Arrays], documents: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write one checkpoint, whole or not at all.

    Args:
        folder: where the checkpoints are; made if missing.
        step: the step after which it was taken. A run saves each step once; if something already has the checkpoint's
            name, it is set aside as ``NAME.damaged``, even if it is whole.
        tensors: file stem -> arrays by name.
        documents: file stem -> JSON content.

    Returns:
        The checkpoint's folder.

    Raises:
        OutputError: it cannot be written.
    """
    final = folder / checkpoint_name(step)
    with output_errors(final):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".tmp-{final.name}-{os.getpid()}"
        _erase(temporary)
        temporary.mkdir()
        try:
            write_folder(temporary, tensors, documents)
            if os.path.lexists(final):
                final.rename(path_aside(final))
            temporary.rename(final)
            fsync(folder)
        finally:
            _erase(temporary)
    return final


def write_folder(folder: Path, tensors: Mapping[str, Arrays], documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the files of a checkpoint or a model into an existing folder, with their manifest, and put them on disk."""
    for stem, arrays in tensors.items():
        content = to_safetensors({name: np.asarray(array, order="C") for name, array in arrays.items()})
        # Not with the library's own save_file, which makes the file readable by its owner alone, whatever the umask.
        (folder / f"{stem}.safetensors").write_bytes(content)
    for stem, document in documents.items():
        (folder / f"{stem}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    manifest = {path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in files}
    (folder / MANIFEST).write_text(json.dumps({"files": manifest}, indent=1) + "\n", "utf-8")
    for path in [*files, folder / MANIFEST, folder]:
        fsync(path)


def verify(folder: Path, stems: Iterable[str] | None = None) -> None:
    """Check a checkpoint's or model's files against its manifest.

    Args:
        folder: the checkpoint or model.
        stems: check only files of these names (without ending); None checks all, and that no others have such names.

    Raises:
        CheckpointError: a file is missing or differs; the message names it. If the system could not read it, the
            ``__cause__`` is the system's error.
    """
    wanted = None if stems is None else set(stems)
    manifest = shown(folder / MANIFEST)
    listed = read_document(folder, "manifest").get("files")
    if not isinstance(listed, dict) or not listed:
        raise CheckpointError(f"{manifest} lists no files: this is not a checkpoint of inkgan.")
    for name, entry in listed.items():
        if not _FILE_NAME.fullmatch(name) or not isinstance(entry, dict):
            raise CheckpointError(f"{manifest} is damaged: it lists {as_given(name)}.")
        if wanted is None or Path(name).stem in wanted:
            _verify_file(folder / name, entry)
    missing = (wanted or set()) - {Path(name).stem for name in listed}
    if missing:
        raise CheckpointError(f"{manifest} lists no {', '.join(sorted(missing))}: it is incomplete.")
    if wanted is None:
        with _read_errors(folder):
            names = {path.name for path in folder.iterdir()}
        if other := min(filter(_FILE_NAME.fullmatch, names - {*listed, MANIFEST}), default=""):
            raise CheckpointError(f"{shown(folder / other)} is not listed in {MANIFEST}, so the run did not save it.")


def _verify_file(path: Path, entry: Mapping[str, Any]) -> None:
    with _read_errors(path):
        if not is_regular(path):
            why = "is a link: put the file itself there" if path.is_symlink() else "is missing"
            raise CheckpointError(f"{shown(path)} {why}, so the checkpoint cannot be used.")
        size = path.stat().st_size
        same = size == entry.get("size") and size <= _LARGEST_FILE and sha256_of(path) == entry.get("sha256")
        if not same and path.suffix == ".json" and size <= _LARGEST_DOCUMENT:
            # Git, for one, may check out text with the line ends of Windows, which mean the same in JSON.
            content = path.read_bytes().replace(b"\r\n", b"\n")
            same = hashlib.sha256(content).hexdigest() == entry.get("sha256")
    if not same:
        raise CheckpointError(f"{shown(path)} is damaged: its size or SHA-256 is not what {MANIFEST} says.")


def files_listed(folder: Path) -> list[str]:
    """Return the names of the files that a checkpoint's manifest lists, and its own; none if it cannot be read."""
    try:
        listed = read_document(folder, "manifest").get("files")
    except CheckpointError:
        return []
    return [MANIFEST, *filter(_FILE_NAME.fullmatch, listed)] if isinstance(listed, dict) else []


def read_document(folder: Path, stem: str) -> dict[str, Any]:
    """Read a JSON file of a checkpoint or model.

    Raises:
        CheckpointError: it is missing, too large or not a JSON object. If the system could not read it, the
            ``__cause__`` is the system's error.
    """
    path = folder / f"{stem}.json"
    with _read_errors(path):
        if not is_regular(path):
            why = f"its {path.name} is a link" if path.is_symlink() else f"it has no {path.name}"
            raise CheckpointError(f"{shown(folder)} is not a checkpoint or model of inkgan: {why}.")
        if path.stat().st_size > _LARGEST_DOCUMENT:
            raise CheckpointError(f"{shown(path)} is larger than 1 MiB: this is not a checkpoint of inkgan.")
        given = path.read_bytes()
    try:
        content = from_json(given.decode())
    except ValueError:
        raise CheckpointError(f"{shown(path)} is damaged: it is not JSON in UTF-8.") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{shown(path)} is damaged: it does not hold a JSON object.")
    return content


def read_state(folder: Path) -> dict[str, Any]:
    """Read the progress of a run, ``state.json``, from a checkpoint.

    Raises:
        CheckpointError: as for :func:`read_document`, or a value in it is of another type than runs save.
    """
    state = read_document(folder, "state")
    for name, kind in _STATE_TYPES.items():
        if name in state and type(state[name]) is not kind:
            raise CheckpointError(f"{shown(folder / 'state.json')} is damaged: its {name} is {as_given(state[name])}.")
    return state


def read_arrays(
    folder: Path, stem: str, expected: Mapping[str, tuple[int, ...]], dtypes: Mapping[str, np.dtype[Any]] | None = None
) -> dict[str, NDArray[Any]]:
    """Read a tensor file of known content, after checking that its size is plausible.

    Args:
        folder: a verified checkpoint or model.
        stem: the file's name without its ending.
        expected: the shape of every array by name; nothing else may be there.
        dtypes: the type of each array that must have a particular one; the others must be float32 or float16.

    Raises:
        CheckpointError: the file is damaged, or holds other arrays, shapes or types, or numbers that are not finite.
    """
    path = folder / f"{stem}.safetensors"
    _require_plausible_size(path, expected)
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Types that NumPy lacks, such as bfloat16, end in an AttributeError or a TypeError.
        raise CheckpointError(f"{shown(path)} is damaged or not a safetensors file ({type(error).__name__}).") from None
    if arrays.keys() != expected.keys():
        odd = min(arrays.keys() ^ expected.keys())
        where = "is missing" if odd in expected else "should not be there"
        raise CheckpointError(f"{shown(path)} does not fit this recipe: {as_given(odd)} {where}.")
    for name, array in arrays.items():
        if array.shape != expected[name]:
            raise CheckpointError(f"{shown(path)} does not fit: {name} is {array.shape}, expected {expected[name]}.")
        allowed = [dtypes[name]] if dtypes and name in dtypes else _FLOATS
        if array.dtype not in allowed:
            names = " or ".join(map(str, allowed))
            raise CheckpointError(f"{shown(path)} is damaged: {name} is {array.dtype}, expected {names}.")
        if not np.isfinite(array).all():
            raise CheckpointError(f"{shown(path)} is damaged: {name} holds numbers that are not finite.")
    return arrays


def _require_plausible_size(path: Path, expected: Mapping[str, tuple[int, ...]]) -> None:
    header = _LARGEST_HEADER + _LARGEST_HEADER_PER_ARRAY * len(expected)
    numbers = sum(math.prod(shape) for shape in expected.values())
    with _read_errors(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        promised = int.from_bytes(file.read(8), "little")
    if promised > header or size > 8 + header + _BYTES_OF_LARGEST_TYPE * numbers:
        raise CheckpointError(f"{shown(path)} is damaged: it is too large for {len(expected)} arrays.")


def newest_whole(folder: Path, stems: Collection[str] | None = None) -> tuple[int | None, list[CheckpointError]]:
    """Find the newest checkpoint that passes its check, even while a trainer saves and removes others.

    Args:
        folder: where the checkpoints are.
        stems: as for :func:`verify`.

    Returns:
        Its step (None if there is none), and what is wrong with every newer one.
    """
    for _ in range(TRIES):
        found = _newest_whole_now(folder, stems)
        if found is not None:
            return found
    raise CheckpointError(f"the checkpoints in {shown(folder)} change faster than they can be read. Try again.")


def _newest_whole_now(folder: Path, stems: Collection[str] | None) -> tuple[int | None, list[CheckpointError]] | None:
    """As :func:`newest_whole`; None if a checkpoint was removed since it was listed, so there is a newer one."""
    errors = []
    for step in reversed(list_steps(folder)):
        path = folder / checkpoint_name(step)
        try:
            verify(path, stems)
        except CheckpointError as error:
            if not path.exists():
                return None
            errors.append(error)
        else:
            return step, errors
    return None, errors


def newest_to_resume(folder: Path) -> tuple[int | None, list[CheckpointError]]:
    """Find the checkpoint from which a run resumes, after removing what interrupted saves left.

    Only the run's one trainer may call this.

    Returns:
        As for :func:`newest_whole`, with all files checked.

    Raises:
        CheckpointError: the system could not read a newer one, which may be whole.
    """
    remove_unfinished(folder)
    step, errors = newest_whole(folder)
    for error in errors:
        if isinstance(error.__cause__, OSError):
            raise CheckpointError(
                f"{error} It may be whole, so nothing was changed. Try again, or move it out of {shown(folder)}."
            ) from error.__cause__
    return step, errors


def prune(folder: Path, keep: int, also: Iterable[int] = ()) -> None:
    """Remove all but the newest ``keep`` checkpoints and those named, and what interrupted saves left.

    Only what this run saved is removed: links stay, and so does a checkpoint whose files differ from its manifest.
    An error of the system does not stop the run: what stays now is removed after the next save.
    """
    with contextlib.suppress(OSError, CheckpointError):
        for step in sorted(set(list_steps(folder)[:-keep]) - set(also)):
            remove(folder, step)
        remove_unfinished(folder)


def remove(folder: Path, step: int) -> None:
    """Remove one checkpoint, if it is as it was saved: it is not a link, and holds the files in its manifest alone.

    It loses its name first, so that a half-removed one does not look whole.
    """
    path = folder / checkpoint_name(step)
    with contextlib.suppress(OSError, CheckpointError):
        verify(path)
        if not path.is_symlink() and {entry.name for entry in path.iterdir()} <= {*files_listed(path)}:
            doomed = path.with_name(f".tmp-removed-{path.name}")
            _erase(doomed)
            _erase(path.rename(doomed))


def set_aside_after(folder: Path, step: int, why: Literal["damaged", "ill"] = "damaged") -> None:
    """Rename the checkpoints of later steps to ``NAME.damaged`` or ``NAME.ill``: the run saves these steps again.

    Raises:
        OutputError: one cannot be renamed.
    """
    for newer in list_steps(folder):
        path = folder / checkpoint_name(newer)
        if newer > step:
            with output_errors(path):
                path.rename(path_aside(path, why))


def remove_unfinished(folder: Path) -> None:
    """Remove what interrupted saves and removals left. Only the run's one trainer may call this."""
    for entry in sorted(folder.glob(".tmp-*")):
        if is_temporary(entry):
            _erase(entry)


def is_temporary(path: Path) -> bool:
    """Whether an interrupted save or removal left this folder, and it holds no other files."""
    if not _TEMPORARY.fullmatch(path.name) or path.is_symlink() or not path.is_dir():
        return False
    return all(_UNFINISHED.fullmatch(entry.name) and is_regular(entry) for entry in path.iterdir())


def _erase(path: Path) -> None:
    """Remove a folder that this module made."""
    shutil.rmtree(path, ignore_errors=True)
