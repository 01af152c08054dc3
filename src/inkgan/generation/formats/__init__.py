"""The formats of data sets: for each, a function of its name that packs samples into files.

``pack(stem, samples)`` returns the content of each file by its name, which begins with the stem: either one file,
``stem.ending``, or several in a folder, ``stem/...``. It is a pure function: the same samples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from inkgan.errors import missing_extra

if TYPE_CHECKING:
    from inkgan.generation.formats.sample import Sample

#: The content of files, by their names with / after a folder.
Files = dict[str, bytes]
Pack = Callable[[str, Iterable["Sample"]], Files]


class Format(NamedTuple):
    """Where a format's function is.

    Attributes:
        module: of this package.
        library: what it needs besides the base install.
    """

    module: str
    library: str | None = None


FORMATS: Mapping[str, Format] = {
    "webdataset": Format("archives"),
    "imagefolder": Format("folders"),
    "parquet": Format("archives", "pyarrow"),
    "lmdb": Format("archives", "lmdb"),
    "paddleocr": Format("folders"),
    "doctr": Format("folders"),
    "coco": Format("folders"),
    "yolo": Format("folders"),
    "npz": Format("archives"),
}


def packer(name: str) -> Pack:
    """The function that packs samples in a format.

    Raises:
        MissingExtraError: the library that it needs is not installed.
    """
    module, library = FORMATS[name]
    try:
        if library is not None:
            import_module(library)
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from None
    pack: Pack = getattr(import_module(f"inkgan.generation.formats.{module}"), name)
    return pack
