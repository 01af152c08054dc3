"""LMDB as CRNN, PARSeq and their relatives read it: ``num-samples``, ``image-000000001``, ``label-000000001``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample

#: A page of LMDB has 4 kB, so that a small value may take that much; and its tree needs some.
_PAGE = 4096
_TREE = 64 * 2**20


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/data.mdb`` with a PNG and a text for each image, counted from 1, and its whole label as ``meta-``."""
    import lmdb

    entries: dict[bytes, bytes] = {}
    count = 0
    for count, sample in enumerate(samples, 1):
        entries[b"image-%09d" % count] = sample.png
        entries[b"label-%09d" % count] = sample.writing.text.encode()
        entries[b"meta-%09d" % count] = json.dumps(sample.label).encode()
    entries[b"num-samples"] = str(count).encode()
    size = sum(len(value) + _PAGE for value in entries.values()) + _TREE
    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(folder, map_size=size, sync=False) as database, database.begin(write=True) as transaction:
            for key, value in sorted(entries.items()):
                transaction.put(key, value)
        return {f"{stem}/data.mdb": (Path(folder) / "data.mdb").read_bytes()}
