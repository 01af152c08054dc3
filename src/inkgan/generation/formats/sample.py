"""One image of a data set, as all formats take it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from inkgan.generation.writing import Writing
from inkgan.images import png_bytes


@dataclass(frozen=True)
class Sample:
    """A writing, and which one it is.

    Attributes:
        number: of the image in its data set, which is its writer's, too.
        writing: the image, its text and its boxes.
    """

    number: int
    writing: Writing

    @property
    def key(self) -> str:
        """The number as a name, in twelve digits: the order of names is that of numbers."""
        return f"{self.number:012d}"

    @cached_property
    def png(self) -> bytes:
        """The picture as PNG."""
        return png_bytes(self.writing.picture)

    @property
    def label(self) -> dict[str, Any]:
        """All that is known of the image: text, boxes, size, writer, how well it can be read, and the form's cells."""
        height, width = self.writing.image.shape[:2]
        return {
            "text": self.writing.text,
            "boxes": [list(box) for box in self.writing.boxes],
            "width": width,
            "height": height,
            "writer": self.number,
            **self.writing.extras,
        }
