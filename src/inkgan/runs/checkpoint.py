"""Checkpoints: folders of tensors and settings that appear whole, are checked before use, and hold no code.

    checkpoints/step-0002000/
        generator.safetensors  discriminator.safetensors  optimizers.safetensors
        model.json             what the generator is, for sampling
        state.json             where the run stands
        manifest.json          size and SHA-256 of every other file

A checkpoint is written under a temporary name, put on the disk, and renamed; so a name that says ``step-...`` is whole
as of the rename, and the manifest tells whether it still is. Arrays are NumPy's: reading a model needs no PyTorch.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from inkgan.errors import CheckpointError
from inkgan.files import fsync, output_errors, sha256_of

Arrays = Mapping[str, NDArray[Any]]

MANIFEST = "manifest.json"
_NAME = re.compile(r"(step|pretraining)-(\d{7,})")
_FILE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}\.(safetensors|json)")
_TEMPORARY = ".tmp-"
_LARGEST_FILE = 4 * 2**30
_LARGEST_DOCUMENT = 2**20


def checkpoint_name(step: int) -> str:
    """``step-0000123`` for a joint step; ``pretraining-0000177`` for one before them, counted backwards."""
    return f"step-{step:07d}" if step >= 0 else f"pretraining-{-step:07d}"


def step_of(name: str) -> int | None:
    """The step that a checkpoint's name tells, or None if it is not such a name."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return int(match[2]) if match[1] == "step" else -int(match[2])


def list_steps(folder: Path) -> list[int]:
    """The steps of all checkpoints in a folder, oldest first."""
    if not folder.is_dir():
        return []
    steps = (step_of(entry.name) for entry in folder.iterdir() if entry.is_dir())
    return sorted(step for step in steps if step is not None)


def save(folder: Path, step: int, tensors: Mapping[str, Arrays], documents: Mapping[str, Mapping[str, Any]]) -> Path:
    """Write one checkpoint, whole or not at all.

    Args:
        folder: where checkpoints lie; made if missing.
        step: the step after which it was taken.
        tensors: file stem -> arrays by name.
        documents: file stem -> JSON content.

    Returns:
        The checkpoint's folder.

    Raises:
        OutputError: it cannot be written; what was there before is untouched.
    """
    final = folder / checkpoint_name(step)
    with output_errors(final):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{_TEMPORARY}{final.name}-{os.getpid()}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        try:
            write_folder(temporary, tensors, documents)
            if final.exists():  # the same step again, after a fall back to an older one
                _erase(_set_aside(folder, step))
            temporary.rename(final)
            fsync(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


def write_folder(folder: Path, tensors: Mapping[str, Arrays], documents: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the files of a checkpoint or a model into an existing folder, with their manifest, and put them on disk."""
    for stem, arrays in tensors.items():
        path = folder / f"{stem}.safetensors"
        try:
            save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)
        except SafetensorError as error:  # it wraps the system's error, whose number tells of a full disk
            raise _system_error(error) from error
    for stem, document in documents.items():
        (folder / f"{stem}.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    manifest = {path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)} for path in files}
    (folder / MANIFEST).write_text(json.dumps({"files": manifest}, indent=1) + "\n", "utf-8")
    for path in [*files, folder / MANIFEST, folder]:
        fsync(path)


def _system_error(error: SafetensorError) -> OSError:
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))


def verify(folder: Path, stems: Iterable[str] | None = None) -> None:
    """Check a checkpoint's or model's files against its manifest.

    Args:
        folder: the checkpoint or model.
        stems: check only files of these names (without ending); None checks all, and that there are no others.

    Raises:
        CheckpointError: a file is missing or differs; the message names it.
    """
    wanted = None if stems is None else set(stems)
    listed = read_document(folder, "manifest").get("files")
    if not isinstance(listed, dict) or not listed:
        raise CheckpointError(f"{folder / MANIFEST} lists no files: this is not a checkpoint of inkgan.")
    for name, entry in listed.items():
        if not _FILE_NAME.fullmatch(name) or not isinstance(entry, dict):
            raise CheckpointError(f"{folder / MANIFEST} is damaged: it lists {name[:60]!r}.")
        if wanted is None or Path(name).stem in wanted:
            _verify_file(folder / name, entry)
    missing = {f"{stem}" for stem in wanted or ()} - {Path(name).stem for name in listed}
    if missing:
        raise CheckpointError(f"{folder / MANIFEST} lists no {', '.join(sorted(missing))}: it is not whole.")
    if wanted is None:
        for path in sorted(folder.iterdir()):
            if path.name not in listed and path.name != MANIFEST:
                raise CheckpointError(f"{path} is not listed in {MANIFEST}, so nothing says that it is what was saved.")


def _verify_file(path: Path, entry: Mapping[str, Any]) -> None:
    if not _is_regular(path):
        raise CheckpointError(f"{path} is missing, so the checkpoint cannot be used.")
    try:
        same = path.stat().st_size == entry.get("size") and sha256_of(path) == entry.get("sha256")
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({type(error).__name__}: {error.strerror}).") from None
    if not same:
        raise CheckpointError(f"{path} is damaged: its size or SHA-256 is not what {MANIFEST} says.")


def _is_regular(path: Path) -> bool:
    """Whether this is a file: not a folder, nor a link to somewhere else, nor a pipe that would never end."""
    return path.is_file() and not path.is_symlink()


def read_document(folder: Path, stem: str) -> dict[str, Any]:
    """Read a JSON file of a checkpoint or model.

    Raises:
        CheckpointError: it is missing, too large or not a JSON table.
    """
    path = folder / f"{stem}.json"
    if not _is_regular(path):
        raise CheckpointError(f"{folder} is not a checkpoint or model of inkgan: it has no {path.name}.")
    try:
        if path.stat().st_size > _LARGEST_DOCUMENT:
            raise CheckpointError(f"{path} is larger than 1 MiB: this is not a checkpoint of inkgan.")
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged: it cannot be read ({type(error).__name__}).") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is damaged: it holds no table.")
    return content


def read_arrays(folder: Path, stem: str, expected: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
    """Read a tensor file whose content is known beforehand.

    Args:
        folder: a verified checkpoint or model.
        stem: the file's name without its ending.
        expected: the shape of every array by name; nothing else may be there.

    Raises:
        CheckpointError: the file is damaged, or holds other arrays, other shapes or values that are not finite.
    """
    path = folder / f"{stem}.safetensors"
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise CheckpointError(f"{path} is larger than 4 GiB: this is not a checkpoint of inkgan.")
        arrays = load_file(path)
    except (OSError, SafetensorError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Types that NumPy lacks, such as bfloat16, end in an AttributeError or a TypeError.
        raise CheckpointError(f"{path} is damaged or not a safetensors file ({type(error).__name__}).") from None
    if arrays.keys() != expected.keys():
        odd = sorted(arrays.keys() ^ expected.keys())[0]
        raise CheckpointError(f"{path} does not fit this recipe: {odd!r} is there or missing where it should not be.")
    for name, shape in expected.items():
        array = arrays[name]
        if array.shape != shape:
            raise CheckpointError(f"{path} does not fit: {name} is {array.shape}, expected {shape}.")
        if array.dtype not in (np.float32, np.float16) or not np.isfinite(array).all():
            raise CheckpointError(f"{path} is damaged: {name} is not finite float32 or float16 numbers.")
    return arrays


def newest_whole(folder: Path, stems: Collection[str] | None = None) -> tuple[int | None, list[str]]:
    """Find the newest checkpoint that passes its check.

    Args:
        folder: where checkpoints lie.
        stems: as for :func:`verify`.

    Returns:
        Its step (None if there is none), and what is wrong with every newer one.
    """
    damages = []
    for step in reversed(list_steps(folder)):
        try:
            verify(folder / checkpoint_name(step), stems)
        except CheckpointError as error:
            damages.append(str(error))
        else:
            return step, damages
    return None, damages


def prune(folder: Path, keep: int, also: Iterable[int] = ()) -> None:
    """Remove all but the newest ``keep`` checkpoints and those named, and what interrupted saves left."""
    for step in list_steps(folder)[:-keep]:
        if step not in set(also):
            remove(folder, step)
    sweep(folder)


def remove(folder: Path, step: int) -> None:
    """Remove one checkpoint."""
    with contextlib.suppress(OSError):
        _erase(_set_aside(folder, step))


def _set_aside(folder: Path, step: int) -> Path:
    """Take a checkpoint's name away, since one that is half removed must not look like one."""
    doomed = folder / f"{_TEMPORARY}removed-{checkpoint_name(step)}"
    _erase(doomed)
    return (folder / checkpoint_name(step)).rename(doomed)


def sweep(folder: Path) -> None:
    """Remove what interrupted saves left. Only the run's one trainer may call this."""
    if folder.is_dir():
        for entry in folder.glob(f"{_TEMPORARY}*"):
            _erase(entry)


def _erase(path: Path) -> None:
    """Remove a folder, a file or a link, but not what the link points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
