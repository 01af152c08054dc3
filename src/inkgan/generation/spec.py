"""A data set of writings: its specification, its images one after the other, a preview."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, Unpack

from pydantic import Field, field_validator, model_validator
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from inkgan.errors import ConfigError, as_given, one_of, whole_number
from inkgan.generation.formats import FORMATS
from inkgan.generation.hands import DEFAULT_MODEL, load_for_writing
from inkgan.generation.image_files import padded_to_widest
from inkgan.generation.legibility import LEGIBLE
from inkgan.generation.looks import LookLike, look_of, name_of
from inkgan.generation.model import Model, load
from inkgan.generation.tables import Document, Number, Table, Whole
from inkgan.generation.templates import Templates, Texts, read_texts
from inkgan.generation.writing import Background, CheckedOptions, Writing, WritingOptions, in_batches
from inkgan.images import Images
from inkgan.seeds import valid_seed

#: Shards have names of five digits.
MOST_SHARDS = 99_999
_MOST_IMAGES = 10**12
#: The most images that a preview shows.
_PREVIEWED = 24
#: Lets one thread at a time draw, because the number of threads of matrix products is that of the whole process. Each
#: process has a lock of its own, because a fork copies one that is held, and nobody releases the copy.
_DRAWING: defaultdict[int, threading.Lock] = defaultdict(threading.Lock)


class Share(Table):
    """A split of a data set, such as ``train``, and its share of the writers."""

    name: str
    share: Number = Field(gt=0, le=1)

    @field_validator("name")
    @classmethod
    def _name_is_of_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,30}", name):
            raise ValueError("a split's name has up to 31 letters from a to z, digits, - and _, such as train")
        return name


class Spec(Document):
    """Everything that the images of a data set depend on, and how they are packed.

    Image i depends on these and on i alone: not on other images, processes or machines.

    Attributes:
        texts: templates, which are taken in turn (``inkgan help writing`` lists their fields).
        texts_file: instead of templates, a file with a text on each line, or a ``.toml`` with a mixture.
        count: the number of images, 1 to 10^12.
        shards: the number of shards, of about the same size, into which the data set is divided, 1 to 99,999. Each
            holds up to 1,000,000 images when it is written.
        format: the format of the files; one of ``inkgan.generation.formats.FORMATS``.
        split: the splits of the data set, such as train and test; each writer is in one. Empty for none.
        model: the name of a bundled model, or a run or model folder.
        seed: the seed of all writers and texts, 0 to 2^63 - 1. Each image has another writer.
        style: 0 to 1, how much a writer varies.
        slant: degrees by which all characters lean further to the right, -45 to 45.
        height: the height of the images in pixels, 24 to 512.
        background: the background of the pictures, ``white`` or ``transparent``.
        legible: 0 to 0.9999, the least probability with which each digit is read (:func:`inkgan.write`).
        look: ``clean``, or as on a ``scan``, in a ``photo``, or in the ``field`` of a form; a .toml file or a mapping
            of single knobs (:func:`inkgan.write`). The specification keeps the name, or the look with all its values.

    Raises:
        ConfigError: something is unknown, missing or out of range; the message says what is allowed.
    """

    texts: tuple[str, ...] = Field(default=(), examples=["['2026', '{date:%d.%m.%Y}']"])
    texts_file: str | None = None
    count: Whole = Field(ge=1, le=_MOST_IMAGES)
    shards: Whole = Field(default=1, ge=1, le=MOST_SHARDS)
    format: str = "webdataset"
    split: tuple[Share, ...] = Field(
        default=(), examples=["[{'name': 'train', 'share': 0.9}, {'name': 'test', 'share': 0.1}]"]
    )
    model: str = DEFAULT_MODEL
    seed: Whole = 0
    style: Number = 0.25
    slant: Number = 0.0
    height: Whole = 96
    background: Background = "white"
    legible: Number = LEGIBLE
    look: LookLike = "clean"

    if TYPE_CHECKING:  # what a call may give: the fields have the types that a specification keeps

        def __init__(
            self,
            *,
            count: SupportsIndex,
            texts: Sequence[str] = (),
            texts_file: str | Path | None = None,
            shards: SupportsIndex = 1,
            format: str = "webdataset",  # noqa: A002 - the name of the field
            split: Sequence[Share | Mapping[str, Any]] = (),
            model: str | Path = DEFAULT_MODEL,
            seed: SupportsIndex = 0,
            **options: Unpack[WritingOptions],
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _look_is_read(cls, given: dict[str, Any]) -> dict[str, Any]:
        return given | {"look": name_of(look_of(given.get("look", "clean")))}

    @field_validator("texts", mode="before")
    @classmethod
    def _texts_have_an_order(cls, value: Any) -> Any:
        if isinstance(value, Set):  # its order is another in each process, so a seed would give other images
            raise ValueError("a set has no order, so give a list")  # noqa: TRY004 - for pydantic
        return value

    @field_validator("model", "texts_file", mode="before")
    @classmethod
    def _path_is_a_place(cls, value: Any) -> Any:
        # A name without a slash may be that of a bundled model.
        if isinstance(value, Path):
            return str(value) if value.is_absolute() else f"./{value}"
        return value

    @model_validator(mode="after")
    def _fits(self) -> Spec:
        if bool(self.texts) == (self.texts_file is not None):
            raise ValueError("give either texts or a texts_file")
        if self.shards > self.count:
            raise ValueError(f"{self.shards} shards need {self.shards} images or more, and not {self.count}")
        split = as_given(",".join(f"{share.name}={share.share}" for share in self.split))  # as --split takes it
        total = sum(share.share for share in self.split)
        if self.split and abs(total - 1) > 1e-6:
            raise ValueError(f"split = {split} is not allowed: the shares have to add up to 1, and not to {total:g}")
        if len({share.name.lower() for share in self.split}) < len(self.split):
            raise ValueError(f"split = {split} has one name twice (some disks do not distinguish upper and lower case)")
        one_of(self.format, "format", FORMATS)
        valid_seed(self.seed)
        CheckedOptions(**self.options)
        return self

    @property
    def options(self) -> dict[str, Any]:
        """The options of :func:`inkgan.write` with which its lines are written, by name."""
        return self.model_dump(include=set(WritingOptions.__optional_keys__))

    def images_of(self, shard: SupportsIndex) -> range:
        """Return the numbers of a shard's images; shards are numbered from 0.

        Raises:
            ConfigError: there is no such shard.
        """
        complaint = f"there is no shard {{}} of {self.shards}. Shards are numbered from 0."
        shard = whole_number(shard, complaint, 0, self.shards - 1)
        return range(self.count * shard // self.shards, self.count * (shard + 1) // self.shards)


def write_many(spec: Spec, part: SupportsIndex = 0, parts: SupportsIndex = 1) -> Iterator[Writing]:
    """Yield the images of a data set one after the other, each drawn when it is needed.

    Args:
        spec: the data set; its ``shards``, ``format`` and ``split`` are ignored.
        part: the number of this reader among several that share the images, from 0.
        parts: the number of readers. Each image goes to one of them.

    Yields:
        Images part, part + parts, part + 2 · parts, ... of the data set.

    Raises:
        ConfigError: the texts cannot be read or written, there is no such part, or ``spec`` is not a :class:`Spec`.
        CheckpointError: there is no such model, or it cannot write.
    """
    if not isinstance(spec, Spec):
        raise ConfigError(f"{as_given(spec)} is not a data set. Give an inkgan.Spec.")
    parts = whole_number(parts, "there cannot be {} parts. Give 1 or more.", 1, 2**31)
    part = whole_number(part, f"there is no part {{}} of {parts}. Parts are numbered from 0.", 0, parts - 1)
    return writings(spec, sources_of(spec), range(part, spec.count, parts))


class Sources(NamedTuple):
    """What the images of a data set come from besides its specification, read once."""

    model: Model
    texts: Texts


def sources_of(spec: Spec) -> Sources:
    """Load the model and read the texts of a data set.

    Raises:
        CheckpointError: there is no such model, or it cannot write.
        ConfigError: the texts cannot be read or written, or come from standard input, which cannot be read twice.
    """
    if spec.texts_file == "-":
        raise ConfigError("a data set cannot take its texts from standard input. Put them into a file.")
    model = load(spec.model)
    load_for_writing(model)  # raises if it cannot write
    return Sources(model, Templates(spec.texts) if spec.texts_file is None else read_texts(spec.texts_file))


def writings(spec: Spec, sources: Sources, numbers: Sequence[int]) -> Iterator[Writing]:
    """Draw some images of a data set, on one thread: the number of threads affects the rounding of matrix products."""
    threads = ThreadpoolController()
    lines = ((sources.texts.text(spec.seed, number), number) for number in numbers)
    drawn = in_batches(lines, model=sources.model, seed=spec.seed, **spec.options)
    for _ in numbers:
        with _DRAWING[os.getpid()], threads.limit(limits=1):
            written = next(drawn)
        yield written


def preview(spec: Spec) -> tuple[Images, float]:
    """Draw the first images of a data set, and measure the speed of one process.

    Returns:
        Up to 24 images uint8 [N, H, W], or in colour [N, H, W, 3], padded on the right with paper to the widest; and
        the number of images that one process draws and packs as PNG in a second.

    Raises:
        ConfigError: the texts cannot be read or written.
        CheckpointError: there is no such model, or it cannot write.
    """
    numbers = range(min(_PREVIEWED, spec.count))
    sources = sources_of(spec)
    list(writings(spec, sources, numbers[:1]))  # what is loaded for the first image does not count
    start = time.perf_counter()
    drawn = [(written.image, written.png) for written in writings(spec, sources, numbers)]
    seconds = time.perf_counter() - start
    return padded_to_widest([image for image, _ in drawn]), len(drawn) / seconds
