"""What does a recogniser learn from written lines? It reads lines of real digits that nobody showed it.

    python benchmarks/recogniser.py [--seeds 5] [--lines 8000] [--steps 3000] [--record]
    python benchmarks/recogniser.py --ablation ["no spaces" "legible 0"] --seeds 2 [--record]

A small network (CRNN: convolutions, a bidirectional GRU, CTC) learns from lines of four to eight digits. One learns
from lines of `inkgan.write_many`. The other learns from as many lines in which real training digits of MNIST take the
place of the generated ones; layout, slants and looks are the same. Both read lines glued from real *test* digits in six
styles, by a procedure that neither has seen. A line counts if every digit is right.

Training lines, initialisation and order change with the seed; the test lines stay. An ablation changes one knob of the
training lines at a time: those that are named, or all. Finished runs are kept in a folder (--out), so a series that was
interrupted goes on, and a longer one starts with those of a shorter one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from machine import commit, hardware, say
from numpy.typing import NDArray
from PIL import Image
from report import finish, heading, parser_for, result_name, spread, table
from torch import Tensor, nn
from torch.nn import functional

from inkgan import data
from inkgan.evaluation.metrics.intervals import difference_of_means, repeated, wilson
from inkgan.generation.spec import Spec, texts_of, write_many
from inkgan.generation.writing import Writing, in_batches

Pixels = NDArray[np.uint8]
Draws = np.random.Generator

HEIGHT = 32
BATCH = 32
#: The class of CTC that stands for no digit.
BLANK = 10
TEXTS = ("dddd", "ddddd", "dddddd", "ddddddd", "dddddddd")
#: The same with spaces, which are the only way to set digits apart; they are no part of what is read.
SPACED = ("d d d d", "dd ddd", "d d d d d d", "dddd ddd", "dd dd dd dd")


class Line(NamedTuple):
    """An image uint8 [32, W], 0 paper to 255 ink, and what it says."""

    image: Pixels
    text: str


# ---------------------------------------------------------------------------------------------------- training lines


@dataclass(frozen=True)
class Source:
    """From which lines a recogniser learns.

    Attributes:
        model: that draws the digits, or ``real`` for MNIST's training digits.
        looks: of the lines, in equal parts.
        slants: of the lines in degrees, in equal parts.
        style: how much a writer varies.
        legible: the probability with which each digit can be read; real digits are taken as they are.
        spaced: whether half of the lines have spaces between digits.
        share: of the lines that --lines asks for.
        moved: whether lines are zoomed and shifted a little whenever they are shown.
    """

    model: str = "best"
    looks: tuple[str, ...] = ("clean", "scan", "photo", "field")
    slants: tuple[float, ...] = (-10.0, 0.0, 10.0)
    style: float = 0.25
    legible: float = 0.99
    spaced: bool = True
    share: float = 1.0
    moved: bool = True


OURS = Source()
SOURCES = {"inkgan": OURS, "real digits": replace(OURS, model="real")}
ABLATION = {
    "look clean alone": replace(OURS, looks=("clean",)),
    "no slant": replace(OURS, slants=(0.0,)),
    "no spaces": replace(OURS, spaced=False),
    "style 0": replace(OURS, style=0.0),
    "style 1": replace(OURS, style=1.0),
    "legible 0": replace(OURS, legible=0.0),
    "model fast": replace(OURS, model="fast"),
    "a quarter of the lines": replace(OURS, share=0.25),
    "lines neither zoomed nor shifted": replace(OURS, moved=False),
}


class RealDigits:
    """Draws MNIST's training digits instead of new ones, each as often as the others of its class."""

    name = "mnist"
    class_names = tuple("0123456789")
    latent_dim = 2
    image_shape = (28, 28, 1)

    def __init__(self, seed: int) -> None:
        train = data.load("mnist").train
        assert train.labels is not None
        draws = np.random.default_rng(seed)
        self.images = train.images[..., 0]
        self.order = [draws.permutation(np.flatnonzero(train.labels == digit)) for digit in range(10)]
        self.taken = [0] * 10

    def draw(self, latents: NDArray[np.float32], labels: NDArray[np.int64]) -> Pixels:
        """Images uint8 [N, 28, 28] of the digits ``labels`` [N]; latents change nothing."""
        places = []
        for label in labels.tolist():
            order = self.order[label]
            places.append(order[self.taken[label] % len(order)])
            self.taken[label] += 1
        images: Pixels = self.images[places]
        return images


def specs(source: Source, lines: int, seed: int) -> list[Spec]:
    """The data sets that make up a source, one for each look and slant, all by different writers."""
    pairs = [(look, slant) for look in source.looks for slant in source.slants]
    texts = tuple(chain(*zip(TEXTS, SPACED, strict=True))) if source.spaced else TEXTS
    count = round(lines * source.share)
    ends = [count * i // len(pairs) for i in range(len(pairs) + 1)]
    return [
        Spec(
            texts=texts, count=end - start, model=OURS.model if source.model == "real" else source.model,
            seed=1000 * seed + i, style=source.style, slant=slant, height=HEIGHT, legible=source.legible, look=look,
        )
        for i, ((look, slant), start, end) in enumerate(zip(pairs, ends[:-1], ends[1:], strict=True))
        if end > start
    ]  # fmt: skip


def written(spec: Spec, digits: RealDigits | None) -> Iterator[Writing]:
    """The lines of a data set; if there are real digits, with these in place of generated ones."""
    if digits is None:
        yield from write_many(spec)
        return
    texts = texts_of(spec)
    asked = ((texts.text(spec.seed, number), number) for number in range(spec.count))
    yield from in_batches(
        asked, model=digits, seed=spec.seed, style=spec.style, slant=spec.slant, height=spec.height, legible=0,
        look=spec.look,
    )  # fmt: skip


def training_lines(source: Source, lines: int, seed: int) -> list[Line]:
    """All lines from which one recogniser learns."""
    digits = RealDigits(seed) if source.model == "real" else None
    return [
        Line(one.image, one.text.replace(" ", ""))
        for spec in specs(source, lines, seed)
        for one in written(spec, digits)
    ]


# -------------------------------------------------------------------------------------------------------- test lines


def trimmed(image: Pixels) -> Pixels:
    """A digit without the empty columns at its sides."""
    inked = np.flatnonzero(image.max(0) > 40)
    return image[:, inked[0] : inked[-1] + 1]


def distance(left: Pixels, right: Pixels) -> int:
    """Empty columns between the ink of two images of one height that stand side by side, at the closest point.

    Rows within one of each other count as the same.
    """

    def empty(image: Pixels) -> NDArray[np.int64]:
        ink = image > 100
        near = ink | np.roll(ink, 1, 0) | np.roll(ink, -1, 0)
        return np.where(near.any(1), near.argmax(1), image.shape[1])

    both = empty(left[:, ::-1]) + empty(right)
    return int(both.min())


def joined(digits: Sequence[Pixels], gaps: Sequence[int]) -> Pixels:
    """Digits [32, W] side by side; a gap below zero moves a digit over the one before."""
    width = sum(digit.shape[1] for digit in digits) + sum(gaps)
    line = np.zeros((HEIGHT, width + 12), np.uint8)
    x = 6
    for digit, gap in zip(digits, [*gaps, 0], strict=True):
        place = line[:, x : x + digit.shape[1]]
        np.maximum(place, digit, out=place)
        x += digit.shape[1] + gap
    return line


def on_rows(digit: Pixels, draws: Draws) -> Pixels:
    """A digit of up to 32 rows on 32 rows, up to one row away from the middle."""
    free = HEIGHT - len(digit)
    top = int(np.clip(free // 2 + draws.integers(-1, 2), 0, free))
    return np.pad(digit, ((top, free - top), (0, 0)))


def plain(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Two to six columns between digits."""
    gaps = draws.integers(2, 7, len(digits) - 1).tolist()
    return joined([on_rows(trimmed(digit), draws) for digit in digits], gaps)


def touching(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Digits touch or overlap by a column, unless one would have to move over the other by more than three."""
    rows = [on_rows(trimmed(digit), draws) for digit in digits]
    gaps = []
    for left, right in pairwise(rows):
        gaps.append(max(-3, -distance(left, right) - int(draws.integers(0, 2))))
    return joined(rows, gaps)


def sheared(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """The whole line leans by 15 to 30 degrees to one side."""
    line = np.pad(plain(digits, draws), ((0, 0), (8, 8)))
    lean = np.tan(np.radians(draws.uniform(15, 30))) * draws.choice([-1, 1])
    return affine(line, (1, float(lean), float(-lean * HEIGHT / 2), 0, 1, 0), line.shape[1])


def scaled(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Each digit has a size of its own, 0.65 to 1.1 of the usual one, and stands where it will."""
    rows = []
    for digit in digits:
        size = round(28 * draws.uniform(0.65, 1.1))
        small = np.asarray(Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC))
        free = HEIGHT - size
        top = int(np.clip(free // 2 + draws.integers(-3, 4), 0, free))
        rows.append(np.pad(trimmed(small), ((top, free - top), (0, 0))))
    return joined(rows, draws.integers(2, 7, len(digits) - 1).tolist())


def boxed(digits: Sequence[Pixels], draws: Draws) -> Pixels:
    """Each digit has a printed box of its own, in which it is not quite in the middle."""
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
    """Pale ink on grey paper, with the noise of a bad sensor and stray dots."""
    line = plain(digits, draws)
    page = draws.uniform(20, 70) + line * draws.uniform(0.45, 0.8)
    seen = page + draws.uniform(15, 35) * draws.normal(size=line.shape)
    dots = draws.random(line.shape) < 0.01
    return np.where(dots, draws.integers(0, 256, line.shape), np.clip(seen, 0, 255)).astype(np.uint8)


STYLES: dict[str, Callable[[Sequence[Pixels], Draws], Pixels]] = {
    "plain": plain, "touching": touching, "sheared": sheared, "scaled": scaled, "boxed": boxed, "noisy": noisy,
}  # fmt: skip


def affine(image: Pixels, back: Sequence[float], width: int) -> Pixels:
    """An image after an affine map, given by its inverse as Pillow takes it."""
    picture = Image.fromarray(image).transform(
        (width, len(image)), Image.Transform.AFFINE, list(back), Image.Resampling.BICUBIC
    )
    return np.asarray(picture)


def glued_lines(style: str, count: int) -> list[Line]:
    """Lines of four to eight real test digits; none comes twice before all have come once."""
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
    """Reads lines: a small CRNN with 162,838 parameters.

    It is that of Shi, Bai and Yao, "An End-to-End Trainable Neural Network for Image-based Sequence Recognition", 2015,
    with fewer layers. Each column of features gives two columns of logits: two ones that touch are narrower than the
    three columns that CTC needs for them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 5, 2, 2), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, (2, 1), 1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, 96, (4, 3), 1, (0, 1)), nn.BatchNorm2d(96), nn.ReLU(),
        )  # fmt: skip
        self.dropout = nn.Dropout(0.2)
        self.context = nn.GRU(96, 64, bidirectional=True)
        self.head = nn.Linear(128, 2 * 11)

    def forward(self, lines: Tensor) -> Tensor:
        """Logits [2 · (W // 4), N, 11] of lines float32 [N, 1, 32, W]."""
        columns = self.features(lines).squeeze(2).permute(2, 0, 1)  # [W // 4, N, 96]
        states, _ = self.context(self.dropout(columns))
        logits: Tensor = self.head(states).unflatten(2, (2, 11)).transpose(1, 2).flatten(0, 1)
        return logits


def as_input(image: Pixels) -> NDArray[np.float32]:
    """About 0 for paper, which is the median, and 1 for ink, which is the darkest hundredth."""
    values = image.astype(np.float32)
    paper, ink = np.percentile(values, [50, 99])
    normal: NDArray[np.float32] = ((values - paper) / (ink - paper + 8)).astype(np.float32)
    return normal


def together(lines: Sequence[NDArray[np.float32]]) -> Tensor:
    """Lines [32, W] as one batch [N, 1, 32, W], with paper to their right up to a multiple of four."""
    width = -(-max(line.shape[1] for line in lines) // 4) * 4
    batch = np.zeros((len(lines), 1, HEIGHT, width), np.float32)
    for place, line in zip(batch, lines, strict=True):
        place[0, :, : line.shape[1]] = line
    return torch.from_numpy(batch)


def moved(lines: Tensor, source: torch.Generator) -> Tensor:
    """Zoom each line by up to a fifth, stretch it by up to a fifth, shift it by up to two rows and columns.

    The page [N, 1, 32, W] becomes a quarter wider, [N, 1, 32, 5/4 W].
    """
    n, channels, height, width = lines.shape

    def uniform(limit: float) -> Tensor:
        return (2 * torch.rand(n, generator=source) - 1) * limit

    zoom = uniform(0.2).exp()
    across = (1.25 * zoom * uniform(0.2).exp()).clamp(min=1)  # never wider than the page
    maps = torch.zeros(n, 2, 3)
    maps[:, 0, 0], maps[:, 1, 1] = across, zoom
    maps[:, 0, 2] = across - 1 + uniform(4 / width)  # the left end stays
    maps[:, 1, 2] = uniform(4 / height)
    grid = functional.affine_grid(maps, [n, channels, height, 5 * width // 4], align_corners=False)
    return functional.grid_sample(lines, grid, align_corners=False)


def batches(widths: NDArray[np.int64], draws: Draws) -> Iterator[NDArray[np.int64]]:
    """The places of the lines of each batch, for ever: lines of similar width, in an order that chance decides."""
    while True:
        order = draws.permutation(len(widths))
        parts = []
        for start in range(0, len(order), 16 * BATCH):
            chunk = order[start : start + 16 * BATCH]
            chunk = chunk[np.argsort(widths[chunk], kind="stable")]
            parts += [chunk[i : i + BATCH] for i in range(0, len(chunk), BATCH)]
        for i in draws.permutation(len(parts)):
            yield parts[i]


def trained(lines: Sequence[Line], steps: int, seed: int, is_moved: bool, note: Callable[[str], None]) -> Recogniser:
    """Train a recogniser: AdamW, a learning rate that rises for a tenth of the steps and falls to zero."""
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(seed)
    network = Recogniser().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    inputs = [as_input(line.image) for line in lines]
    texts = [torch.tensor([int(digit) for digit in line.text]) for line in lines]
    order = batches(np.array([line.image.shape[1] for line in lines]), np.random.default_rng(seed))
    start = time.perf_counter()
    for step, places in zip(range(steps), order, strict=False):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min((step + 1) / (0.1 * steps), 1 - step / steps)
        batch = together([inputs[i] for i in places])
        logits = network(moved(batch, source) if is_moved else batch)
        targets = [texts[i] for i in places]
        loss = functional.ctc_loss(
            logits.log_softmax(2), torch.cat(targets), torch.full((len(places),), len(logits)),
            torch.tensor([len(one) for one in targets]), BLANK, zero_infinity=True,
        )  # fmt: skip
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        if step % 100 == 99:
            left = (time.perf_counter() - start) * (steps / (step + 1) - 1)
            note(f"step {step + 1} of {steps}: loss {loss.item():.3f}, {left:.0f} s left")
    return network.eval()


def read(network: Recogniser, lines: Sequence[Pixels]) -> list[str]:
    """What the recogniser reads: in each column the likeliest class, without repeats and blanks (CTC, best path)."""
    order = np.argsort([line.shape[1] for line in lines])
    texts = [""] * len(lines)
    for start in range(0, len(lines), BATCH):
        places = order[start : start + BATCH]
        with torch.inference_mode():
            best = network(together([as_input(lines[i]) for i in places])).argmax(2).T
        for i, row in zip(places, best, strict=True):
            texts[i] = "".join(str(one) for one in row.unique_consecutive().tolist() if one != BLANK)
    return texts


# --------------------------------------------------------------------------------------------------------- the answer


def run(source: Source, seed: int, lines: int, steps: int, tests: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Train one recogniser and count the lines of each style that it reads rightly."""
    start = time.perf_counter()
    known = training_lines(source, lines, seed)
    drawn = time.perf_counter()
    note(f"{len(known)} lines drawn in {drawn - start:.0f} s")
    network = trained(known, steps, seed, source.moved, note)
    learnt = time.perf_counter()
    right = {}
    for style in STYLES:
        asked = glued_lines(style, tests)
        answers = read(network, [line.image for line in asked])
        right[style] = sum(answer == line.text for answer, line in zip(answers, asked, strict=True))
    return {"right": right, "seconds of drawing": drawn - start, "seconds of training": learnt - drawn}


def kept_run(folder: Path, name: str, seed: int, source: Source, options: argparse.Namespace) -> dict[str, Any]:
    """The result of a run, which is made unless the folder has it already, under these very settings."""
    settings = {"lines": options.lines, "steps": options.steps, "tests": options.tests, **asdict(source)}
    settings = json.loads(json.dumps(settings))  # lists for tuples
    path = folder / f"{name.replace(' ', '-')}-{seed}.json"
    if path.exists():
        row: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if row["settings"] == settings:
            return row
    found = run(
        source, seed, options.lines, options.steps, options.tests, lambda text: say(f"{name}, seed {seed}: {text}")
    )
    row = {"source": name, "seed": seed, "settings": settings, "commit": commit(), **found}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row, indent=1) + "\n", "utf-8")
    return row


def shares(rows: Sequence[dict[str, Any]], style: str) -> NDArray[np.float64]:
    """The share of lines that are right in each run, of a style or of all."""
    styles = STYLES if style == "all styles" else [style]
    return np.array([sum(row["right"][one] for one in styles) / len(styles) / row["settings"]["tests"] for row in rows])


def cell(rows: Sequence[dict[str, Any]], style: str) -> str:
    """A mean over seeds with Student's interval; a single seed has Wilson's interval over its lines."""
    values = shares(rows, style)
    if len(rows) > 1:
        interval = repeated(values).interval
    else:
        n = rows[0]["settings"]["tests"] * (len(STYLES) if style == "all styles" else 1)
        interval = wilson(round(float(values[0]) * n), n)
    return f"{values.mean():.1%} [{interval.low:.1%} to {min(interval.high, 1):.1%}]"


def report(found: dict[str, list[dict[str, Any]]], options: argparse.Namespace) -> str:
    """The table of all sources and styles, and how far each source is from the first."""
    columns = ["all styles", *STYLES]
    cells = [["learnt from", "seeds", *columns]]
    cells += [[name, str(len(rows)), *(cell(rows, style) for style in columns)] for name, rows in found.items()]
    first, *others = found
    seconds = [row["seconds of training"] for rows in found.values() for row in rows]
    notes = [
        f"{options.lines:,} lines to learn from, {options.steps} steps of {BATCH}; {options.tests} of each style read",
        "lines right: mean and 95 % interval over seeds (Student), or over lines for a single seed (Wilson)",
        f"seconds to train one, while other programs used the machine too: {spread(seconds, '.0f')}",
    ]
    for name in others:
        ours, theirs = shares(found[first], "all styles"), shares(found[name], "all styles")
        if len(ours) > 1:
            gap = difference_of_means(ours, theirs)
            text = f"[{100 * gap.low:+.1f} to {100 * gap.high:+.1f}] (Welch)"
        else:
            text = "(one seed)"
        notes.append(f"{name} less {first}: {100 * (theirs.mean() - ours.mean()):+.1f} percentage points {text}")
    commits = ", ".join(sorted({row["commit"] for rows in found.values() for row in rows}))
    title = "A recogniser of lines of real digits" + (", knob by knob" if options.ablation is not None else "")
    return "\n".join([*heading(title, 1, *notes, measured_commit=commits), table(cells)])


def main() -> None:
    """Train, read and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument(
        "--ablation", nargs="*", choices=list(ABLATION), help="change these knobs, one at a time, or all"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=8000, help="from which each recogniser learns")
    parser.add_argument("--steps", type=int, default=3000, help="of training, with 32 lines each")
    parser.add_argument("--tests", type=int, default=500, help="lines of each style that are read")
    parser.add_argument("--out", type=Path, default=Path("runs/recogniser"), help="where finished runs are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    sources = SOURCES
    if options.ablation is not None:
        sources = {"inkgan": OURS} | {name: ABLATION[name] for name in options.ablation or ABLATION}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in sources}
    start, total = time.perf_counter(), options.seeds * len(sources)
    for done, (seed, name) in enumerate(product(range(options.seeds), sources), 1):
        row = kept_run(options.out, name, seed, sources[name], options)
        found[name].append(row)
        left = (time.perf_counter() - start) * (total / done - 1)
        say(f"{name}, seed {seed}: {cell([row], 'all styles')} right; {done} of {total} runs, {left / 60:.0f} min left")
    question = f"recogniser{'' if options.ablation is None else '_ablation'}_{hardware()}"
    finish(result_name(question, parser, options, {"out"}), options, report(found, options), found)


if __name__ == "__main__":
    main()
