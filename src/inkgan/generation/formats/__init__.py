"""The formats of data sets. The function that packs samples into the files of a format has the format's name.

``pack(stem, samples)`` returns the content of each file by its name, which begins with the stem: either one file,
``stem.ending``, or several in a folder, ``stem/...``. It is a pure function: the same samples give the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from inkgan.errors import import_extra

if TYPE_CHECKING:
    from inkgan.generation.writing import Writing

#: The content of files, by their names with / after a folder.
Files = dict[str, bytes]
Pack = Callable[[str, Iterable["Sample"]], Files]


@dataclass(frozen=True)
class Sample:
    """A writing with its number.

    Attributes:
        number: the number of the image in its data set, which is also the number of its writer.
        writing: the image, its text and its boxes.
    """

    number: int
    writing: Writing

    @property
    def key(self) -> str:
        """The number as twelve digits, so that names sort in the order of the numbers."""
        return f"{self.number:012d}"

    @property
    def png(self) -> bytes:
        """The picture as PNG."""
        from inkgan.images import png_bytes

        return png_bytes(self.writing.picture)

    @property
    def label(self) -> dict[str, Any]:
        """Everything known about the image: text, boxes, size, writer, probabilities of its digits, and cells."""
        height, width = self.writing.image.shape[:2]
        return {
            "text": self.writing.text,
            "boxes": [list(box) for box in self.writing.boxes],
            "width": width,
            "height": height,
            "writer": self.number,
            **self.writing.extras,
        }


class Format(NamedTuple):
    """Where a format's function is, and what it needs.

    Attributes:
        module: the module of this package that has the function.
        library: the library that it needs besides the base install.
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
    """Return the function that packs samples in a format.

    Raises:
        MissingExtraError: the library that it needs is not installed.
    """
    module, library = FORMATS[name]
    if library is not None:
        import_extra(library)
    return getattr(import_module(f"inkgan.generation.formats.{module}"), name)
