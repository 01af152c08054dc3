"""The formats of data sets: a module for each, with one function that packs samples into files.

``pack(stem, samples)`` returns the content of each file by its name, which begins with the stem: either one file,
``stem.ending``, or several in a folder, ``stem/...``. It is a pure function: the same samples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from inkgan.errors import missing_extra

if TYPE_CHECKING:
    from inkgan.generation.formats.sample import Sample

#: The content of files, by their names with / after a folder.
Files = dict[str, bytes]
Pack = Callable[[str, Iterable["Sample"]], Files]

#: What each format is, by its name, which is that of its module.
FORMATS = {
    "webdataset": "a .tar for each shard, with a .png and a .json for each image",
    "imagefolder": "folders of .png with metadata.jsonl, for Hugging Face datasets",
    "parquet": "Parquet files with pictures and labels, for Hugging Face datasets",
    "lmdb": "LMDB for CRNN, PARSeq and their relatives",
    "paddleocr": "folders of .png with rec_gt.txt, for PaddleOCR",
    "doctr": "folders of .png with labels.json, for docTR",
    "coco": "folders of .png with the boxes of characters in annotations.json",
    "yolo": "folders of .png with the boxes of characters in a .txt for each",
    "npz": "NumPy's arrays",
}
#: The libraries that formats need, by the name of the format.
LIBRARIES = {"parquet": "pyarrow", "lmdb": "lmdb"}


def packer(name: str) -> Pack:
    """The function that packs samples in a format.

    Raises:
        MissingExtraError: the library that it needs is not installed.
    """
    try:
        import_module(LIBRARIES.get(name, "json"))
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from None
    pack: Pack = import_module(f"inkgan.generation.formats.{name}").pack
    return pack
