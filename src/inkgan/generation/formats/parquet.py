"""Parquet with the pictures inside, as Hugging Face ``datasets`` keeps them; also for pandas, Polars and DuckDB."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample

#: Readers take a group of rows at a time.
_ROWS_IN_A_GROUP = 100
#: Columns with a number for each digit of the text, where digits were judged.
_READING = ("probabilities", "factors")
#: Columns of boxes; the second one only in a look with cells.
_BOXES = ("boxes", "cells")


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem.parquet`` with a row for each image: ``image``, the bytes of its PNG, and its label.

    The schema tells ``datasets`` that ``image`` is a picture. Bytes depend on the version of pyarrow.
    """
    import pyarrow as arrow  # type: ignore[import-untyped]
    from pyarrow import parquet

    samples = iter(samples)
    first = next(samples)
    boxes = [name for name in _BOXES if name in first.label]
    schema = arrow.schema(
        {
            "image": arrow.struct({"bytes": arrow.binary(), "path": arrow.string()}),
            "text": arrow.string(),
            **{name: arrow.list_(arrow.list_(arrow.int32())) for name in boxes},
            "width": arrow.int32(),
            "height": arrow.int32(),
            "writer": arrow.int64(),
            **{name: arrow.list_(arrow.float64()) for name in _READING},
        },
        metadata={"huggingface": json.dumps({"info": {"features": _features(boxes)}})},
    )
    content = io.BytesIO()
    with parquet.ParquetWriter(content, schema) as file:
        rows: list[dict[str, Any]] = []
        for sample in chain([first], samples):
            rows.append({"image": {"bytes": sample.png, "path": f"{sample.key}.png"}, **sample.label})
            if len(rows) == _ROWS_IN_A_GROUP:
                file.write_table(arrow.Table.from_pylist(rows, schema))
                rows = []
        if rows:
            file.write_table(arrow.Table.from_pylist(rows, schema))
    return {f"{stem}.parquet": content.getvalue()}


def _features(boxes: Sequence[str]) -> dict[str, Any]:
    """The types of the columns in the words of ``datasets``."""
    numbers = {name: {"dtype": "int32", "_type": "Value"} for name in ("width", "height")}
    return {
        "image": {"_type": "Image"},
        "text": {"dtype": "string", "_type": "Value"},
        **{
            name: {"feature": {"feature": {"dtype": "int32", "_type": "Value"}, "_type": "List"}, "_type": "List"}
            for name in boxes
        },
        **numbers,
        "writer": {"dtype": "int64", "_type": "Value"},
        **{name: {"feature": {"dtype": "float64", "_type": "Value"}, "_type": "List"} for name in _READING},
    }
