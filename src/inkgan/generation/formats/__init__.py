"""The formats of data sets: a module for each, with one function that packs samples into files.

``pack(stem, samples)`` returns the content of each file by its name, which begins with the stem: either one file,
``stem.ending``, or several in a folder, ``stem/...``. It is a pure function: the same samples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inkgan.generation.formats.sample import Sample

#: The content of files, by their names with / after a folder.
Files = dict[str, bytes]
Pack = Callable[[str, Iterable["Sample"]], Files]

#: What each format is, by its name, which is that of its module.
FORMATS = {
    "webdataset": "a .tar for each shard, with a .png and a .json for each image",
    "imagefolder": "a folder for each shard, with .png files and metadata.jsonl",
}


def packer(name: str) -> Pack:
    """The function that packs samples in a format.

    Raises:
        MissingExtraError: the library that it needs is not installed.
    """
    pack: Pack = import_module(f"inkgan.generation.formats.{name}").pack
    return pack
