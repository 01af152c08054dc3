"""The formats of data sets: a module for each, with one function that packs samples into files.

``pack(stem, samples)`` returns the content of each file by its name, which begins with the stem: either one file,
``stem.ending``, or several in a folder, ``stem/...``. It is a pure function: the same samples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from inkgan.errors import missing_extra

if TYPE_CHECKING:
    from inkgan.generation.formats.sample import Sample

#: The content of files, by their names with / after a folder.
Files = dict[str, bytes]
Pack = Callable[[str, Iterable["Sample"]], Files]

#: The library that each format needs besides the base install, if any. A format has the name of its module.
FORMATS: Mapping[str, str | None] = {
    "webdataset": None,
    "imagefolder": None,
    "parquet": "pyarrow",
    "lmdb": "lmdb",
    "paddleocr": None,
    "doctr": None,
    "coco": None,
    "yolo": None,
    "npz": None,
}


def packer(name: str) -> Pack:
    """The function that packs samples in a format.

    Raises:
        MissingExtraError: the library that it needs is not installed.
    """
    library = FORMATS[name]
    try:
        if library is not None:
            import_module(library)
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from None
    pack: Pack = import_module(f"inkgan.generation.formats.{name}").pack
    return pack
