"""PaddleOCR's list for recognition: a path, a tab and a text on each line."""

from __future__ import annotations

from collections.abc import Iterable

from inkgan.generation.formats import Files, imagefolder
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem/KEY.png`` for each image and ``stem/rec_gt.txt``, whose paths begin at the data set's folder.

    In PaddleOCR's settings, ``data_dir`` is that folder, and ``label_file_list`` has the list of each shard.
    """
    lines = []

    def noted() -> Iterable[Sample]:
        for sample in samples:
            lines.append(f"{stem}/{sample.key}.png\t{sample.writing.text}\n")
            yield sample

    files = imagefolder.pack(stem, noted())
    return files | {f"{stem}/rec_gt.txt": "".join(lines).encode()}
