"""WebDataset: a tar in which the files of one sample follow each other and share a name."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable

from inkgan.generation.formats import Files
from inkgan.generation.formats.sample import Sample


def pack(stem: str, samples: Iterable[Sample]) -> Files:
    """``stem.tar`` with, for each image, ``KEY.png`` and its label ``KEY.json``.

    The header of each file has no time, no user and fixed rights, so that the same images give the same bytes.
    """
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            _add(tar, f"{sample.key}.png", sample.png)
            _add(tar, f"{sample.key}.json", json.dumps(sample.label).encode())
    return {f"{stem}.tar": content.getvalue()}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    header = tarfile.TarInfo(name)
    header.size = len(content)
    header.mode = 0o644
    tar.addfile(header, io.BytesIO(content))
