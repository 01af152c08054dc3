"""What does a recogniser learn from written lines? It is tested on lines of real digits that it has never seen.

    python benchmarks/recogniser.py [--seeds 5] [--lines 8000] [--steps 2500] [--record]
    python benchmarks/recogniser.py --ablation ["no spaces" "legible 0"] --seeds 2 [--record]
    python benchmarks/recogniser.py --device cuda --jobs 16 [--record]

A small network (CRNN: convolutions, a bidirectional GRU, CTC) learns from lines of four to eight digits. One network
learns from lines of `inkgan.write_many`. The other learns from equally many lines in which real training digits of
MNIST replace the generated ones; layout, slants and looks are the same, but nothing distorts real digits. Both then
read lines that are glued together from real *test* digits in six styles, by a procedure that neither has seen. A line
is correct if every digit is.

Training lines, initialisation and order change with the seed; the test lines stay. An ablation changes one knob of the
training lines at a time: the named ones, or all. Finished runs are kept in a folder (--out), so an interrupted series
continues, and a longer one reuses the runs of a shorter one. With --jobs, several processes with one thread each train
at a time; the results are the same. On a CPU a seed fixes every bit. On a GPU it does not, because the gradient of CTC
is summed in an order that changes from run to run.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import chain, pairwise, product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import commit, hardware, processor, say
from numpy.typing import NDArray
from PIL import Image
from report import finish, heading, parser_for, result_name, share, spread, table
from torch import Tensor, nn
from torch.nn import functional

from inkgan import data
from inkgan.device import resolve_device, resolve_precision
from inkgan.evaluation.metrics.intervals import difference_of_means
from inkgan.files import write_bytes
from inkgan.generation.spec import Spec, write_many
from inkgan.generation.templates import Templates
from inkgan.generation.writing import Writing, in_batches

Pixels = NDArray[np.uint8]
Draws = np.random.Generator

HEIGHT = 32
#: The class that CTC uses for "no digit".
BLANK = 10
TEXTS = ("dddd", "ddddd", "dddddd", "ddddddd", "dddddddd")
#: The same with spaces, which are the only way to move digits apart; they are not part of the text to read.
SPACED = ("d d d d", "dd ddd", "d d d d d d", "dddd ddd", "dd dd dd dd")


class Line(NamedTuple):
    """An image uint8 [32, W], 0 paper to 255 ink, and its text."""

    image: Pixels
    text: str


# ---------------------------------------------------------------------------------------------------- training lines


@dataclass(frozen=True)
class Source:
    """The lines that a recogniser learns from.

    Attributes:
        model: the model that draws the digits, or ``real`` for MNIST's training digits.
        looks: the looks of the lines, in equal parts.
        slants: the slants of the lines in degrees, in equal parts.
        gaps: the knob ``gap``, in equal parts: 0 for digits that stand apart, or a range in which some touch.
        variety: the knob ``variety``: how unusual the hands are.
        elastic: the knob ``elastic``: how far parts of digits are displaced.
        style: how much a writer varies.
        legible: the least probability with which each digit can be read; real digits are taken as they are.
        spaced: whether half of the lines have spaces between digits.
        share: the share of the lines that --lines asks for.
        moved: whether lines change a little each time they are shown (:func:`moved`).
    """

    model: str = "best"
    looks: tuple[str, ...] = ("clean", "scan", "photo", "field")
    slants: tuple[float, ...] = (-10.0, 0.0, 10.0)
    gaps: tuple[str, ...] = ("0", "-0.25..0.05")
    variety: str = "1"
    elastic: str = "0..0.07"
    style: float = 0.25
    legible: float = 0.99
    spaced: bool = True
    share: float = 1.0
    moved: bool = True


OURS = Source()
REAL = replace(OURS, model="real", elastic="0")
SOURCES = {"inkgan": OURS, "real digits": REAL}
ABLATION = {
    "real digits": REAL,
    "look clean alone": replace(OURS, looks=("clean",)),
    "no slant": replace(OURS, slants=(0.0,)),
    "no touching digits": replace(OURS, gaps=("0",)),
    "more variety": replace(OURS, variety="1..1.4"),
    "most variety": replace(OURS, variety="1.4"),
    "no elastic": replace(OURS, elastic="0"),
    "real digits, elastic": replace(OURS, model="real"),
    "no spaces": replace(OURS, spaced=False),
    "style 0": replace(OURS, style=0.0),
    "style 1": replace(OURS, style=1.0),
    "legible 0": replace(OURS, legible=0.0),
    "model fast": replace(OURS, model="fast"),
    "a quarter of the lines": replace(OURS, share=0.25),
    "lines shown as they are": replace(OURS, moved=False),
}


class RealDigits:
    """Draws MNIST's training digits instead of new ones, each as often as the others of its class.

    Args:
        seed: the seed of the order.
        start: where in the order to start, 0 to 1.
    """

    name = "mnist"
    class_names = tuple("0123456789")
    latent_dim = 2
    image_shape = (28, 28, 1)

    def __init__(self, seed: int, start: float = 0.0) -> None:
        train = data.load("mnist").train
        assert train.labels is not None
        draws = np.random.default_rng(seed)
        self.images = train.images[..., 0]
        self.order = [draws.permutation(np.flatnonzero(train.labels == digit)) for digit in range(10)]
        self.taken = [round(start * len(order)) for order in self.order]

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64]) -> Pixels:
        """Return images uint8 [N, 28, 28] of the digits ``labels`` [N]; latents change nothing."""
        places = []
        for label in labels.tolist():
            order = self.order[label]
            places.append(order[self.taken[label] % len(order)])
            self.taken[label] += 1
        return self.images[places]


def specs(source: Source, lines: int, seed: int) -> list[Spec]:
    """Return the data sets that make up a source, one for each look, slant and gap, all by different writers."""
    kinds = list(product(source.looks, source.slants, source.gaps))
    texts = tuple(chain(*zip(TEXTS, SPACED, strict=True))) if source.spaced else TEXTS
    count = round(lines * source.share)
    ends = [count * i // len(kinds) for i in range(len(kinds) + 1)]
    return [
        Spec(
            texts=texts, count=end - start, model=OURS.model if source.model == "real" else source.model,
            seed=1000 * seed + i, style=source.style, slant=slant, height=HEIGHT, legible=source.legible,
            look={"look": look, "gap": gap, "variety": source.variety, "elastic": source.elastic},
        )
        for i, ((look, slant, gap), start, end) in enumerate(zip(kinds, ends[:-1], ends[1:], strict=True))
        if end > start
    ]  # fmt: skip


def with_real_digits(spec: Spec, digits: RealDigits) -> Iterator[Writing]:
    """Return the lines of a data set, with real digits in place of the generated ones."""
    texts = Templates(spec.texts)
    asked = ((texts.text(spec.seed, number), number) for number in range(spec.count))
    return in_batches(
        asked, model=digits, seed=spec.seed, style=spec.style, slant=spec.slant, height=spec.height, legible=0,
        look=spec.look,
    )  # fmt: skip


def training_lines(source: Source, lines: int, seed: int) -> list[Line]:
    """Return all lines that one recogniser learns from."""
    parts = specs(source, lines, seed)
    found = []
    for number, spec in enumerate(parts):
        if source.model == "real":
            writings = with_real_digits(spec, RealDigits(seed, number / len(parts)))
        else:
            writings = write_many(spec)
        found += [Line(one.image, one.text.replace(" ", "")) for one in writings]
    return found


# -------------------------------------------------------------------------------------------------------- test lines


def trimmed(image: Pixels) -> Pixels:
    """Return a digit without the empty columns at its sides."""
    inked = np.flatnonzero(image.max(0) > 40)
    return image[:, inked[0] : inked[-1] + 1]


def distance(left: Pixels, right: Pixels) -> int:
    """Return the number of empty columns between the ink of two images side by side, at the closest point.

    Both images have the same height. Rows within one of each other count as the same.
    """

    def empty(image: Pixels) -> NDArray[np.int64]:
        ink = image > 100
        near = ink | np.roll(ink, 1, 0) | np.roll(ink, -1, 0)
        return np.where(near.any(1), near.argmax(1), image.shape[1])

    both = empty(left[:, ::-1]) + empty(right)
    return int(both.min())


def joined(digits: Sequence[Pixels], gaps: Sequence[int]) -> Pixels:
    """Return digits [32, W] side by side; a gap below zero moves a digit over the previous one."""
    width = sum(digit.shape[1] for digit in digits) + sum(gaps)
    line = np.zeros((HEIGHT, width + 12), np.uint8)
    x = 6
    for digit, gap in zip(digits, [*gaps, 0], strict=True):
        place = line[:, x : x + digit.shape[1]]
        np.maximum(place, digit, out=place)
        x += digit.shape[1] + gap
    return line


def on_rows(digit: Pixels, draws: Draws) -> Pixels:
    """Place a digit of up to 32 rows on 32 rows, up to one row away from the middle."""
    free = HEIGHT - len(digit)
    top = int(np.clip(free // 2 + draws.integers(-1, 2), 0, free))
    return np.pad(digit, ((top, free - top), (0, 0)))


def plain(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Join digits with two to six columns between them."""
    gaps = draws.integers(2, 7, len(digits) - 1).tolist()
    return joined([on_rows(trimmed(digit), draws) for digit in digits], gaps)


def touching(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Let digits touch or overlap by a column, unless one would have to move over the other by more than three."""
    rows = [on_rows(trimmed(digit), draws) for digit in digits]
    gaps = []
    for left, right in pairwise(rows):
        gaps.append(max(-3, -distance(left, right) - int(draws.integers(0, 2))))
    return joined(rows, gaps)


def sheared(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Shear the whole line by 15 to 30 degrees to one side."""
    line = np.pad(plain(digits, draws), ((0, 0), (8, 8)))
    lean = float(np.tan(np.radians(draws.uniform(15, 30))) * draws.choice([-1, 1]))
    back = (1, lean, -lean * HEIGHT / 2, 0, 1, 0)
    size = (line.shape[1], HEIGHT)
    return np.asarray(Image.fromarray(line).transform(size, Image.Transform.AFFINE, back, Image.Resampling.BICUBIC))


def scaled(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Scale each digit to 0.65 to 1.1 of its usual size, and place it at a random height."""
    rows = []
    for digit in digits:
        size = round(28 * draws.uniform(0.65, 1.1))
        small = np.asarray(Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC))
        free = HEIGHT - size
        top = int(np.clip(free // 2 + draws.integers(-3, 4), 0, free))
        rows.append(np.pad(trimmed(small), ((top, free - top), (0, 0))))
    return joined(rows, draws.integers(2, 7, len(digits) - 1).tolist())


def boxed(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Put each digit into a printed box of its own, slightly off its middle."""
    grey = int(draws.integers(90, 220))
    width = int(draws.integers(25, 30))
    cells = []
    for digit in digits:
        ink = trimmed(digit)[:, : width - 3]
        left = int(np.clip((width - ink.shape[1]) // 2 + draws.integers(-2, 3), 2, width - 1 - ink.shape[1]))
        cell = np.pad(on_rows(ink, draws), ((0, 0), (left, width - left - ink.shape[1])))
        cell[[1, -2]] = np.maximum(cell[[1, -2]], grey)
        cell[:, 0] = grey
        cells.append(cell)
    end = np.full((HEIGHT, 1), grey, np.uint8)
    return joined([*cells, end], [0] * len(cells))


def noisy(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Use pale ink on grey paper, with the noise of a bad sensor and stray dots."""
    line = plain(digits, draws)
    page = draws.uniform(20, 70) + line * draws.uniform(0.45, 0.8)
    seen = page + draws.uniform(15, 35) * draws.normal(size=line.shape)
    dots = draws.random(line.shape) < 0.01
    return np.where(dots, draws.integers(0, 256, line.shape), np.clip(seen, 0, 255)).astype(np.uint8)


STYLES: dict[str, Callable[[Sequence[Pixels], Draws], Pixels]] = {
    "plain": plain, "touching": touching, "sheared": sheared, "scaled": scaled, "boxed": boxed, "noisy": noisy,
}  # fmt: skip


def glued_lines(style: str, count: int) -> list[Line]:
    """Return lines of four to eight real test digits; no digit is used twice before all have been used once."""
    test = data.load("mnist").test
    assert test.labels is not None
    draws = np.random.default_rng([20261127, list(STYLES).index(style)])
    rounds = -(-count * 8 // len(test.images))
    order = np.concatenate([draws.permutation(len(test.images)) for _ in range(rounds)])
    lines, start = [], 0
    for _ in range(count):
        places = order[start : start + int(draws.integers(4, 9))]
        start += len(places)
        image = STYLES[style](list(test.images[places, :, :, 0]), draws)
        lines.append(Line(image, "".join(map(str, test.labels[places]))))
    return lines


# -------------------------------------------------------------------------------------------------------- recogniser


class Recogniser(nn.Module):
    """Reads lines: a small CRNN with 462,102 parameters.

    It follows Shi, Bai and Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition", 2015,
    with fewer layers. Each column of features gives two columns of logits, because two touching ones are narrower than
    the three columns that CTC needs for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 5, 2, 2), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, 2, 1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, 64, 3, 1, 1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, 128, 3, (2, 1), 1), nn.BatchNorm2d(128), nn.ReLU(),
            nn.Conv2d(128, 128, (4, 3), 1, (0, 1)), nn.BatchNorm2d(128), nn.ReLU(),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.2)
        self.context = nn.GRU(128, 96, bidirectional=True)
        self.head = nn.Linear(192, 2 * 11)

    def forward(self, lines: Tensor) -> Tensor:
        """Return the logits [2 · (W // 4), N, 11] of lines float32 [N, 1, 32, W]."""
        columns = self.features(lines).squeeze(2).permute(2, 0, 1)  # [W // 4, N, 128]
        states, _ = self.context(self.dropout(columns))
        return self.head(states).unflatten(2, (2, 11)).transpose(1, 2).flatten(0, 1)


def as_input(image: Pixels) -> NDArray[np.float32]:
    """Scale an image to about 0 for paper, its median, and 1 for ink, its darkest hundredth."""
    values = image.astype(np.float32)
    paper, ink = np.percentile(values, [50, 99])
    return ((values - paper) / (ink - paper + 8)).astype(np.float32)


def together(lines: Sequence[NDArray[np.float32]]) -> Tensor:
    """Return lines [32, W] as one batch [N, 1, 32, W], with paper to their right up to a multiple of four."""
    width = -(-max(line.shape[1] for line in lines) // 4) * 4
    batch = np.zeros((len(lines), 1, HEIGHT, width), np.float32)
    for place, line in zip(batch, lines, strict=True):
        place[0, :, : line.shape[1]] = line
    return torch.from_numpy(batch)


def moved(lines: Tensor, source: torch.Generator) -> Tensor:
    """Change each line a little: position, form, pen and paper.

    Zoom it by up to a fifth, stretch it by up to a fifth, slant it by up to 8.5 degrees, shift it by up to two rows
    and columns, make strokes up to half a pixel thicker or thinner on each side, and add noise of up to a tenth.

    The page [N, 1, 32, W] becomes a quarter wider, [N, 1, 32, 5/4 W].
    """
    n, channels, height, width = lines.shape

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(n, generator=source, device=source.device) - 1) * limit

    zoom = uniform(0.2).exp()
    across = (1.25 * zoom * uniform(0.2).exp()).clamp(min=1)  # never wider than the page
    maps = torch.zeros(n, 2, 3, device=source.device)
    maps[:, 0, 0], maps[:, 1, 1] = across, zoom
    maps[:, 0, 1] = uniform(0.15) * height / width
    maps[:, 0, 2] = across - 1 + uniform(4 / width)  # the left end stays
    maps[:, 1, 2] = uniform(4 / height)
    grid = functional.affine_grid(maps, [n, channels, height, 5 * width // 4], align_corners=False)
    page = functional.grid_sample(lines, grid, align_corners=False)
    pen = uniform(0.5)[:, None, None, None]
    thicker = functional.max_pool2d(page, 3, 1, 1) - page
    thinner = page + functional.max_pool2d(-page, 3, 1, 1)
    page = page + pen.clamp(min=0) * thicker + pen.clamp(max=0) * thinner
    noise = torch.randn(page.shape, generator=source, device=source.device)
    return page + uniform(0.1).clamp(min=0)[:, None, None, None] * noise


def batches(widths: NDArray[np.int64], batch: int, draws: Draws) -> Iterator[NDArray[np.int64]]:
    """Yield the indices of the lines of each batch, endlessly: lines of similar width, in random order."""
    while True:
        order = draws.permutation(len(widths))
        found = []
        for start in range(0, len(order), 16 * batch):
            chunk = order[start : start + 16 * batch]
            chunk = chunk[np.argsort(widths[chunk], kind="stable")]
            found += [chunk[i : i + batch] for i in range(0, len(chunk), batch)]
        for i in draws.permutation(len(found)):
            yield found[i]


def rate(step: int, steps: int) -> float:
    """Return the learning rate, which rises for a tenth of the steps, then falls to zero along half a cosine."""
    rise = 0.1 * steps
    if step < rise:
        return 3e-3 * (step + 1) / (rise + 1)
    return 1.5e-3 * (1 + float(np.cos(np.pi * (step - rise) / (steps - rise))))


class Task(NamedTuple):
    """A recogniser to train, with its source and seed."""

    name: str
    source: Source
    seed: int
    options: argparse.Namespace

    @property
    def path(self) -> Path:
        """The file that keeps the result."""
        folder: Path = self.options.out
        return folder / f"{self.name.replace(' ', '-')}-{self.seed}.json"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings on which the result depends, besides the seed."""
        names = ("lines", "steps", "batch", "tests", "device")
        settings = {name: getattr(self.options, name) for name in names} | asdict(self.source)
        settings["processor"] = device_name(self.options.device)
        return json.loads(json.dumps(settings))  # lists for tuples

    def kept(self) -> dict[str, Any] | None:
        """Return the result of an earlier run with the same settings; None if there is none."""
        if not self.path.exists():
            return None
        row: dict[str, Any] = json.loads(self.path.read_text("utf-8"))
        return row if row["settings"] == self.settings else None


def trained(task: Task, lines: Sequence[Line]) -> Recogniser:
    """Train a recogniser with AdamW, with all lines in the device's memory."""
    steps = task.options.steps
    torch.manual_seed(task.seed)
    device = torch.device(task.options.device)
    precision = resolve_precision("auto", device)
    source = torch.Generator(device).manual_seed(task.seed)
    network = Recogniser().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2, fused=device.type == "cuda")
    widths = np.array([line.image.shape[1] for line in lines])
    lengths = torch.tensor([len(line.text) for line in lines])
    pages = together([as_input(line.image) for line in lines]).half().to(device)
    texts = nn.utils.rnn.pad_sequence([torch.tensor([int(digit) for digit in line.text]) for line in lines], True)
    texts = texts.to(device)
    start = time.perf_counter()
    order = batches(widths, task.options.batch, np.random.default_rng(task.seed))
    for step, places in zip(range(steps), order, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        there = torch.from_numpy(places).to(device)
        batch = pages[there, :, :, : -(-int(widths[places].max()) // 4) * 4].float()
        shown = moved(batch, source) if task.source.moved else batch
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            logits = network(shown)
        loss = functional.ctc_loss(
            logits.float().log_softmax(2), texts[there], torch.full((len(places),), len(logits)), lengths[places],
            BLANK, zero_infinity=True,
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if step % 100 == 99:
            left = (time.perf_counter() - start) * (steps / (step + 1) - 1)
            told = f"step {step + 1} of {steps}: loss {loss.item():.3f}, {left:.0f} s left"
            say(f"{task.name}, seed {task.seed}: {told}")
    return network.eval()


def read(network: Recogniser, lines: Sequence[Pixels], device: str = "cpu") -> list[str]:
    """Return the texts that the recogniser reads: each column's likeliest class, without repeats and blanks (CTC)."""
    order = np.argsort([line.shape[1] for line in lines])
    texts = [""] * len(lines)
    for start in range(0, len(lines), 64):
        places = order[start : start + 64]
        batch = together([as_input(lines[i]) for i in places])
        with torch.inference_mode():
            best = network(batch.to(device)).argmax(2).T.cpu()
        for i, row in zip(places, best, strict=True):
            texts[i] = "".join(str(one) for one in row.unique_consecutive().tolist() if one != BLANK)
    return texts


# --------------------------------------------------------------------------------------------------------- the answer


def run(task: Task) -> dict[str, Any]:
    """Train one recogniser, count the lines of each style that it reads correctly, and keep the result.

    If an earlier run has kept it, nothing is computed.
    """
    kept = task.kept()
    if kept is not None:
        return kept
    options = task.options
    lines = training_lines(task.source, options.lines, task.seed)
    start = time.perf_counter()
    network = trained(task, lines)
    seconds = time.perf_counter() - start
    right = {}
    for style in STYLES:
        asked = glued_lines(style, options.tests)
        answers = read(network, [line.image for line in asked], options.device)
        right[style] = sum(answer == line.text for answer, line in zip(answers, asked, strict=True))
    row = {
        "source": task.name, "seed": task.seed, "settings": task.settings, "commit": commit(), "right": right,
        "seconds of training": seconds,
    }  # fmt: skip
    write_bytes(task.path, (json.dumps(row, indent=1) + "\n").encode())
    return row


def results(tasks: Sequence[Task], jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the results of the tasks in their order, computed in this process or in several, with one thread each."""
    torch.set_num_threads(1)
    if jobs == 1:
        yield from map(run, tasks)
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(run, tasks)


def shares(rows: Sequence[dict[str, Any]], style: str) -> NDArray[np.float64]:
    """Return the share of correct lines in each run, of one style or of all."""
    styles = STYLES if style == "all styles" else [style]
    return np.array([sum(row["right"][one] for one in styles) / len(styles) / row["settings"]["tests"] for row in rows])


def of_seeds(rows: Sequence[dict[str, Any]], style: str) -> str:
    """Return the median over seeds, with the smallest and the largest."""
    return spread(shares(rows, style).tolist(), ".1%")


def pooled(rows: Sequence[dict[str, Any]], style: str) -> str:
    """Return the share of correct lines among those of all seeds, with Wilson's interval."""
    styles = STYLES if style == "all styles" else [style]
    right = sum(row["right"][one] for row in rows for one in styles)
    return share(right, sum(row["settings"]["tests"] * len(styles) for row in rows))


def report(found: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> str:
    """Return the tables of all sources and styles, and how far each source is from the first."""
    columns = ["all styles", *STYLES]
    tables = []
    for title, cell in (("median [smallest to largest] of seeds", of_seeds), ("all seeds together", pooled)):
        cells = [[f"learnt from ({title})", "seeds", *columns]]
        cells += [[name, str(len(rows)), *(cell(rows, style) for style in columns)] for name, rows in found.items()]
        tables.append(table(cells))
    first, *others = found
    seconds = [row["seconds of training"] for rows in found.values() for row in rows]
    arithmetic = str(resolve_precision("auto", torch.device(options.device))).removeprefix("torch.")
    notes = [
        f"{options.lines:,} lines to learn from, {options.steps} steps of {options.batch}",
        f"lines right, of {options.tests} of each style",
        "all seeds together: 95 % interval of Wilson, which takes the lines of all seeds for independent",
        f"trained on {device_name(options.device)} in {arithmetic}, {options.jobs} processes",
        f"seconds for one, while the others ran: {spread(seconds, '.0f')}",
    ]
    notes += [gap(found, first, name, "all styles") for name in others]
    if options.ablation is not None and "real digits" in others:
        notes += [gap(found, "real digits", name, "all styles") for name in others if name != "real digits"]
    if options.ablation is None:
        notes += [gap(found, first, name, style) for name in others for style in STYLES]
    commits = ", ".join(sorted({row["commit"] for rows in found.values() for row in rows}))
    title = "A recogniser of lines of real digits" + (", knob by knob" if options.ablation is not None else "")
    return "\n".join([*heading(title, 1, *notes, measured_commit=commits), tables[0], "", tables[1]])


def gap(found: dict[str, list[dict[str, Any]]], first: str, other: str, style: str) -> str:
    """Return the difference of the means of two sources in a style, with Welch's interval."""
    ours, theirs = (shares(found[name], style) for name in (first, other))
    text = "(one seed)"
    if len(ours) > 1:
        interval = difference_of_means(ours, theirs)
        text = f"[{100 * interval.low:+.1f} to {100 * interval.high:+.1f}] (Welch, 95 %)"
    return f"{other} less {first}, {style}: {100 * (theirs.mean() - ours.mean()):+.1f} percentage points {text}"


def device_name(device: str) -> str:
    """Return the name of the GPU, or the processor's name and features."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else processor()


def main() -> None:
    """Train, read and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument(
        "--ablation", nargs="*", choices=list(ABLATION), help="change these knobs, one at a time, or all"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=8000, help="lines that each recogniser learns from")
    parser.add_argument("--steps", type=int, default=2500, help="of training")
    parser.add_argument("--batch", type=int, default=128, help="lines of a step")
    parser.add_argument("--tests", type=int, default=500, help="lines of each style that are read")
    parser.add_argument("--device", default="cpu", help="where recognisers learn and read: cpu or cuda")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with a recogniser to train")
    parser.add_argument("--out", type=Path, default=Path("runs/recogniser"), help="where finished runs are kept")
    options = parser.parse_args()
    resolve_device(options.device)
    sources = SOURCES
    if options.ablation is not None:
        sources = {"inkgan": OURS} | {name: ABLATION[name] for name in options.ablation or ABLATION}
    tasks = [Task(name, sources[name], seed, options) for seed, name in product(range(options.seeds), sources)]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sources}
    start = time.perf_counter()
    for done, (task, row) in enumerate(zip(tasks, results(tasks, options.jobs), strict=True), 1):
        found[task.name].append(row)
        minutes = (time.perf_counter() - start) / 60
        text = f"{task.name}, seed {task.seed}: {pooled([row], 'all styles')} right"
        say(f"{text}; {done} of {len(tasks)} runs in {minutes:.1f} min")
    machine = hardware() if options.device == "cpu" else device_name(options.device).lower()
    question = f"recogniser{'' if options.ablation is None else '_ablation'}_{machine}"
    finish(result_name(question, parser, options, {"out", "device", "jobs"}), options, report(found, options), found)


if __name__ == "__main__":
    main()
