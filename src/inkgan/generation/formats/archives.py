"""The formats that keep many images in one file."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from inkgan.generation.formats import Files, Sample
from inkgan.generation.writing_files import label_arrays, padded_to_widest

#: Readers of Parquet read one group of rows at a time.
_ROWS_IN_A_GROUP = 100
#: LMDB stores values in pages of 4 kB, so a small value may take a whole one; its tree needs some more.
_PAGE = 4096
_TREE = 64 * 2**20


def webdataset(stem: str, samples: Iterable[Sample]) -> Files:
    """WebDataset's tar, ``stem.tar``: for each image ``KEY.png`` and its label ``KEY.json``, one after the other.

    The header of each file has no time, no user and fixed permissions, so that the same images give the same bytes.
    """
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            for name, content in (("png", sample.png), ("json", json.dumps(sample.label).encode())):
                header = tarfile.TarInfo(f"{sample.key}.{name}")
                header.size = len(content)
                header.mode = 0o644
                tar.addfile(header, io.BytesIO(content))
    return {f"{stem}.tar": archive.getvalue()}


def parquet(stem: str, samples: Iterable[Sample]) -> Files:
    """Parquet with the pictures inside, as Hugging Face ``datasets`` keeps them; also for pandas, Polars and DuckDB.

    ``stem.parquet`` has a row for each image: ``image``, the bytes of its PNG, and its label. The schema tells
    ``datasets`` that ``image`` is a picture. The bytes depend on the version of pyarrow.
    """
    import pyarrow as arrow  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetWriter  # type: ignore[import-untyped]

    samples = iter(samples)
    first = next(samples)
    types: dict[str, Any] = {"image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()})}
    features: dict[str, Any] = {"image": {"_type": "Image"}}  # the types by the names that `datasets` uses
    for name, (value, depth) in _columns(first).items():
        types[name], features[name] = arrow.type_for_alias(value), {"dtype": value, "_type": "Value"}
        for _ in range(depth):
            types[name], features[name] = arrow.list_(types[name]), {"feature": features[name], "_type": "List"}
    schema = arrow.schema(types, metadata={"huggingface": json.dumps({"info": {"features": features}})})
    rows = (
        {"image": {"bytes": sample.png, "path": f"{sample.key}.png"}, **sample.label}
        for sample in chain([first], samples)
    )
    content = io.BytesIO()
    with ParquetWriter(content, schema) as file:
        while group := list(islice(rows, _ROWS_IN_A_GROUP)):
            file.write_table(arrow.Table.from_pylist(group, schema))
    return {f"{stem}.parquet": content.getvalue()}


def _columns(first: Sample) -> dict[str, tuple[str, int]]:
    """Return the type of each column's values and the depth of their lists, by the column's name in the label."""
    cells = {"cells": ("int32", 2)} if first.writing.cells else {}
    size = {"width": ("int32", 0), "height": ("int32", 0)}
    reading = {"probabilities": ("float64", 1), "factors": ("float64", 1)}
    return {"text": ("string", 0), "boxes": ("int32", 2), **cells, **size, "writer": ("int64", 0), **reading}


def lmdb(stem: str, samples: Iterable[Sample]) -> Files:
    """LMDB as CRNN, PARSeq and their relatives read it: ``num-samples``, ``image-000000001``, ``label-000000001``.

    ``stem/data.mdb`` has a PNG and a text for each image, counted from 1, and its whole label as JSON in
    ``meta-000000001``.
    """
    import lmdb as library

    entries: dict[bytes, bytes] = {}
    count = 0
    for count, sample in enumerate(samples, 1):
        entries[b"image-%09d" % count] = sample.png
        entries[b"label-%09d" % count] = sample.writing.text.encode()
        entries[b"meta-%09d" % count] = json.dumps(sample.label).encode()
    entries[b"num-samples"] = str(count).encode()
    size = sum(len(value) + _PAGE for value in entries.values()) + _TREE
    with tempfile.TemporaryDirectory() as folder:
        with library.open(folder, map_size=size, sync=False) as database, database.begin(write=True) as transaction:
            for key, value in sorted(entries.items()):
                transaction.put(key, value)
        return {f"{stem}/data.mdb": Path(folder, "data.mdb").read_bytes()}


def npz(stem: str, samples: Iterable[Sample]) -> Files:
    """NumPy arrays, ``stem.npz``; its N images are padded on the right with paper to the widest.

    ``images`` is uint8 [N, H, W], 0 paper to 255 ink, or in colour [N, H, W, 3], as it is seen; ``texts`` [N];
    ``boxes`` int32 [N, L, 4], filled with -1 after the end of a text; ``widths`` int32 [N] before the padding;
    ``writers`` int64 [N]; if legibility was asked for, ``probabilities`` and ``factors`` float32 [N, L], NaN where
    there is no digit; and if the look has cells, ``cells``, like ``boxes``.
    """
    kept = [(sample.number, sample.writing) for sample in samples]
    writings = [writing for _, writing in kept]
    arrays = {
        "images": padded_to_widest([writing.image for writing in writings]),
        **label_arrays(writings),
        "writers": np.array([number for number, _ in kept], np.int64),
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # the stubs take any name for an option's
    return {f"{stem}.npz": content.getvalue()}
