"""Data sets of any size, in shards: each shard is a pure function of the spec and the shard's number.

A data set is a folder. ``manifest.json`` is written first and describes the data set, followed by the files that all
shards share. A shard appears whole, followed by its record ``.NUMBER.sha256``, a list of its files for
``sha256sum --check``. A shard is done when its record is there and correct. So the same command, repeated or on another
machine, makes only the missing shards.

Records lie in the data set's folder, because readers of LMDB take every folder without subfolders for a database.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import shutil
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.errors import ConfigError, InkganWarning, OutputError, as_given, import_extra, quantity, reason_of, shown
from inkgan.files import (
    Progress,
    from_json,
    fsync,
    no_progress,
    output_errors,
    read_regular,
    remove_abandoned,
    require_writable,
    sha256_of,
    temporary_folder,
    write_bytes,
)
from inkgan.generation import engines
from inkgan.generation.formats import LIBRARIES, Files, packer, yolo_shared
from inkgan.generation.loading import software_of
from inkgan.generation.looks import LookLike, look_of
from inkgan.generation.model import LARGEST_SAMPLE
from inkgan.generation.output_folder import DATA_SET, LARGEST_LIST, holds_records, refuse_runs
from inkgan.generation.spec import MOST_SHARDS, Sources, Spec, sources_of, writings
from inkgan.generation.writing import Writing
from inkgan.seeds import Stream, rng

#: The description of a data set, in its folder.
MANIFEST = "manifest.json"
_WHAT = f"{DATA_SET}; here, `sha256sum --check .*.sha256` checks its files"
#: Up to this many files of a shard are synced one by one. More would take long; is_done() finds their damage later.
_SYNCED = 8
#: The most images in a shard, as in any other output: a process holds its whole shard in memory, with several kB each.
MOST_IN_SHARD = LARGEST_SAMPLE
#: The most writers that are counted to say how many are in each split: a fifth of a second. Ten million take minutes.
MOST_COUNTED = 10_000


def write_shards(
    spec: Spec,
    out: str | Path,
    *,
    part: tuple[int, int] = (1, 1),
    jobs: int | None = None,
    engine: str = "processes",
    progress: Progress = no_progress,
) -> tuple[int, int]:
    """Write the missing shards of a data set.

    Args:
        spec: the data set.
        out: its folder; missing, empty, or one that this function wrote for the same spec.
        part: ``(3, 64)`` makes the third of 64 parts of the shards, for machines that share a disk.
        jobs: the number of shards to make at a time; by default the number of cores.
        engine: ``processes`` on this machine, or ``ray``.
        progress: called with the share of the shards that are done, as ``writing``; or as ``checking`` after a shard
            that was there already, so that its speed is not taken for that of writing.

    Returns:
        The number of shards that were made, and of those that were there already.

    Raises:
        ConfigError: an argument or a text cannot be used.
        CheckpointError: the model cannot write.
        OutputError: the folder holds something else, or cannot be written.
        MissingExtraError: the format or the engine needs a library that is not installed.
        InkganError: processes were killed again and again.

    Warns:
        InkganWarning: the folder was begun with other versions of the libraries that determine the bytes.
    """
    folder = Path(out)
    jobs = engines.checked_jobs(jobs, engine)
    numbers = numbers_of_part(spec, part)
    with output_errors(folder / MANIFEST):
        is_new = not (folder / MANIFEST).exists()
    if is_new:
        require_moderate_shards(spec)  # earlier versions allowed larger shards, and what they began can go on
        refuse_runs(folder)
        _refuse_foreign(folder)
        require_writable(folder)
    packer(spec.format)  # raises now if the format needs a library that is missing
    if engine == "ray":
        import_extra("ray")  # likewise
    digests = _begin(folder, spec)
    shares = np.zeros(spec.shards)
    made = 0

    def tell(doing: str) -> None:
        progress(doing, float(shares.sum()) / len(numbers))

    def note(number: int, share: float) -> None:
        shares[number] = share
        if share < 1:  # only the result of a shard says whether it was written; the loop below tells of its end
            tell("writing")

    try:
        task = partial(put_shard, spec, folder, digests)
        for was_made in engines.ENGINES[engine](task, numbers, jobs, shares=note):
            made += was_made
            tell("writing" if was_made else "checking")
    finally:
        remove_abandoned(folder)
    return made, len(numbers) - made


def numbers_of_part(spec: Spec, part: tuple[int, int]) -> range:
    """Return the numbers of the shards in a part of a data set, such as ``(3, 64)``, the third of 64.

    Raises:
        ConfigError: there is no such part, or it has no shard.
    """
    index, parts = part
    if not 1 <= index <= min(parts, spec.shards):
        raise ConfigError(
            f"there is no part {index} of {parts} for {quantity(spec.shards, 'shard')}. Parts are numbered from 1, and "
            "there are at most as many as shards."
        )
    return range(index - 1, spec.shards, parts)


def require_moderate_shards(spec: Spec) -> None:
    """Refuse shards of so many images that they would not fit into memory.

    Raises:
        ConfigError: a shard has more than a million; the message says how many shards are needed.
    """
    if spec.count > spec.shards * MOST_IN_SHARD:
        raise ConfigError(
            f"{spec.count:,} images do not fit into {quantity(spec.shards, 'shard', ',')} of up to {MOST_IN_SHARD:,}. "
            f"Give --shards {-(-spec.count // MOST_IN_SHARD)} or more; the most are {MOST_SHARDS:,}."
        )


def put_shard(spec: Spec, out: Path, digests: Mapping[str, str], number: int) -> bool:
    """Make a shard in its place, unless it is done; return whether it was made. Engines run this for each number.

    Raises:
        OutputError: the model or the texts have other digests (:func:`digests_of`) than at the beginning, or the folder
            is read-only, was removed, or holds another data set by now.
    """
    if is_done(out, number):
        return False
    require_writable(out)
    sources = _unchanged_sources(spec, out, tuple(digests.items()))
    files = make_shard(spec, sources, number)
    if not (out / MANIFEST).exists():
        raise OutputError(f"{shown(out)} was removed while it was written, or its {MANIFEST} was. Begin it again.")
    _require_same(_read(out / MANIFEST), _manifest_of(spec, sources, digests), out)
    _move_into_place(files, out, number, depth=2 if spec.split else 1)
    return True


@lru_cache(maxsize=1)  # a process makes one shard after another
def _unchanged_sources(spec: Spec, out: Path, digests: tuple[tuple[str, str], ...]) -> Sources:
    """Return the sources of a data set in a process that makes some of its shards.

    Raises:
        OutputError: they have other digests than at the beginning.
    """
    with warnings.catch_warnings(action="ignore", category=InkganWarning):  # write_shards has given them
        sources = sources_of(spec)
    if digests_of(sources) != dict(digests):
        raise OutputError(f"the model or the texts of {shown(out)} changed while it was written. Name another folder.")
    return sources


def make_shard(spec: Spec, sources: Sources, number: int) -> Files:
    """Make the files of a shard, by their names in the data set's folder: a pure function.

    Args:
        spec: the data set.
        sources: its model and texts.
        number: the number of the shard, 0 to ``spec.shards - 1``.

    Raises:
        ConfigError: a text cannot be written.
    """
    folders: dict[str, list[int]] = {}
    for image in spec.images_of(number):
        folder = f"{split_of(spec, image)}/" if spec.split else ""
        folders.setdefault(folder, []).append(image)
    drawn = itertools.count(1)
    engines.report(0.0)

    def drawing(images: Sequence[int]) -> Iterator[Writing]:
        for writing in writings(spec, sources, images):
            engines.report(next(drawn) / len(spec.images_of(number)))
            yield writing

    files: Files = {}
    for folder, images in sorted(folders.items()):
        files |= packer(spec.format)(f"{folder}{number:05d}", drawing(images))
    return files


def split_of(spec: Spec, writer: int) -> str:
    """Return the split, such as ``train``, that a writer belongs to; seed and writer alone decide."""
    bounds = np.cumsum([share.share for share in spec.split])
    place = rng(spec.seed, Stream.SPLIT, writer).random() * bounds[-1]
    return spec.split[int(np.searchsorted(bounds, place, side="right"))].name


def sizes_of_split(spec: Spec) -> dict[str, int]:
    """Return the number of images in each split of the data set.

    The first :data:`MOST_COUNTED` writers are counted. Of the others, each split has about its share.
    """
    counted = min(spec.count, MOST_COUNTED) if spec.split else 0
    sizes = Counter(split_of(spec, writer) for writer in range(counted))
    return {share.name: sizes[share.name] + round((spec.count - counted) * share.share) for share in spec.split}


def _manifest_of(spec: Spec, sources: Sources, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return the manifest of a data set."""
    return {
        "what": _WHAT,
        "spec": spec.model_dump(mode="json"),
        "look": _knobs(spec.look),
        "digests": dict(digests),
        "versions": versions_for(spec.format, sources.model.description["network"]),
    }


def _begin(out: Path, spec: Spec) -> dict[str, str]:
    """Write the manifest, or refuse that of another data set; then write the shared files. Return the digests."""
    sources = sources_of(spec)
    digests = digests_of(sources)
    manifest = _manifest_of(spec, sources, digests)
    _write_missing({MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()}, out)
    there = _read(out / MANIFEST)
    _require_same(there, manifest, out)
    if spec.format == "yolo":
        _write_missing(yolo_shared([share.name for share in spec.split]), out)
    if there["versions"] != manifest["versions"]:
        named = ", ".join(f"{name} {version}" for name, version in there["versions"].items())
        warnings.warn(
            f"{shown(out)} was begun with other versions ({named}): new shards may differ from those in small ways.",
            InkganWarning,
            stacklevel=3,
        )
    return digests


def _require_same(there: dict[str, Any], manifest: Mapping[str, Any], out: Path) -> None:
    """Refuse a folder whose manifest describes another data set; the message names the first difference."""
    there.setdefault("look", manifest["look"])  # earlier versions did not write its values
    for table in (there, there["spec"]):
        if isinstance(table.get("look"), dict):
            table["look"] = _knobs("clean") | table["look"]  # or had fewer knobs; a knob that is not set does nothing
    tables = ["spec", "look", "digests"]
    if not isinstance(manifest["spec"]["look"], str):
        tables = ["look", "spec", "digests"]  # the look has no name: its knobs first, so that the message names one
    for name in tables:
        # Another version may have written keys that this one does not know, and they affect what is in the shards.
        for key in dict.fromkeys([*there[name], *manifest[name]]):
            held, wanted = there[name].get(key), manifest[name].get(key)
            if held != wanted:
                verb = "are" if key in ("shards", "texts") else "is"
                kind = "one with the SHA-256 " if name == "digests" else ""
                advice = f"Give --shards {as_given(held)} to continue it, or name" if key == "shards" else "Name"
                raise OutputError(
                    f"{shown(out)} holds another data set: its {shown(key)} {verb} {kind}{as_given(held)}, and not "
                    f"{as_given(wanted)}. {advice} another folder."
                )


def _knobs(look: LookLike) -> dict[str, Any]:
    """Return the values of a look in the form that they have in JSON."""
    return json.loads(json.dumps(asdict(look_of(look))))


def _refuse_foreign(out: Path) -> None:
    """Refuse a place that holds files and is not a data set."""
    with output_errors(out):
        holds_files = out.is_dir() and (
            holds_records(out) or any(not entry.name.startswith(".") for entry in out.iterdir())
        )
    if holds_files and not (out / MANIFEST).exists():  # checked last: another process may begin at this moment
        raise OutputError(f"{shown(out)} already holds files. A data set needs a folder of its own; name another.")


def _write_missing(files: Files, out: Path) -> None:
    """Write the files that are missing in the folder of a data set, each whole."""
    for name, content in files.items():
        try:
            write_bytes(out / name, content, force=False)
        except OutputError:
            if not (out / name).exists():  # it was not there before, and no other process was faster
                raise


def _read(path: Path) -> dict[str, Any]:
    """Read the manifest of a data set."""
    manifest: Any = None
    with contextlib.suppress(OSError, ValueError):
        manifest = from_json(read_regular(path, LARGEST_LIST))
    if isinstance(manifest, dict):
        tables = [manifest.get("look", {}), *map(manifest.get, ("spec", "digests", "versions"))]
        if all(isinstance(table, dict) for table in tables):
            return manifest
    raise OutputError(f"{shown(path)} was not written by inkgan, or is damaged. Name another folder.")


def versions_for(format_name: str, network: str) -> dict[str, str]:
    """Return the versions of the libraries that determine the bytes of a format, and :func:`software_of` a network."""
    library = LIBRARIES.get(format_name)
    return software_of(network) | ({} if library is None else {library: metadata.version(library)})


def digests_of(sources: Sources) -> dict[str, str]:
    """Return the SHA-256 of the model's weights and of each file that texts come from."""
    files = {}
    for path in sources.texts.files:
        try:
            name = "./model" if str(path) == "model" else str(path)  # the name of the model's own digest
            files[name] = sha256_of(path)
        except OSError as error:
            raise ConfigError(f"cannot read {shown(path)} again: {reason_of(error)}. Put texts into a file.") from None
    return {"model": sources.model.weights_digest, **files}


def is_done(out: Path, number: int) -> bool:
    """Whether a shard is there and intact: it has a record, and every file in the record has its SHA-256."""
    try:
        record = _record_of(out, number)
        if not record.exists():
            record = out / ".sha256" / f"{number:05d}"  # where earlier versions put it
        lines = read_regular(record, LARGEST_LIST).decode().splitlines()
        # As sha256sum writes them: 64 hexadecimal digits, two characters, and the name.
        return bool(lines) and all(sha256_of(out / line[66:]) == line[:64] for line in lines)
    except (OSError, ValueError):
        return False


def _record_of(out: Path, number: int) -> Path:
    """Return the place of a shard's record."""
    return out / f".{number:05d}.sha256"


def _move_into_place(files: Files, out: Path, number: int, *, depth: int) -> None:
    """Move the files of a shard to their places, and then its record.

    The first ``depth`` parts of a file's name are the name of the shard's file or folder, which moves as a whole.
    """
    record = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in sorted(files.items()))
    with contextlib.ExitStack() as cleanup, output_errors(out):
        place = temporary_folder(out)  # inside, so on the same disk
        cleanup.callback(shutil.rmtree, place, ignore_errors=True)
        for name, content in files.items():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
            if len(files) <= _SYNCED:
                fsync(place / name)
        for top in sorted({"/".join(name.split("/")[:depth]) for name in files}):
            _move(place / top, out / top, {name.removeprefix(f"{top}/") for name in files})
        written = place / _record_of(out, number).name  # a split may have any name without a dot at its beginning
        written.write_text(record, "utf-8")
        fsync(written)
        written.replace(_record_of(out, number))
        fsync(out)


def _move(source: Path, target: Path, ours: set[str]) -> None:
    """Move a file or a folder of a shard to its place; it replaces the remains of the same shard there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.is_dir() != source.is_dir():
        raise OutputError(f"{shown(target)} was not written by inkgan. Move it away.")
    if source.is_dir() and target.exists():
        found = [path.relative_to(target).as_posix() for path in target.rglob("*") if not path.is_dir()]
        foreign = sorted(set(found) - ours)
        if foreign:
            raise OutputError(f"{shown(target / foreign[0])} was not written by inkgan. Move it away.")
        with contextlib.suppress(FileNotFoundError):  # another process moved it
            target.rename(source.with_name(f"{source.name}.old"))
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():  # another process put the same shard there at this moment otherwise
            raise
    fsync(target.parent)
