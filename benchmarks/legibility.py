"""How many writers have a digit that a second judge misreads, as drawn and as `inkgan write` draws them?

    python benchmarks/legibility.py [--models best fast] [--first 0] [--writers 2000] [--legible 0.99] [--record]

Writers of seed 0 each draw the ten digits. The judge (`benchmarks/second_judge.py`) differs from the two readers of
`inkgan write` in architecture, training and seed, and has no say in which digits are drawn again. With a style of 0
the digits come from the writers' own latents, as in most reports on generators; with another style they vary as in
`write`. The share of real test digits that the judge misreads is its own limit.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from machine import hardware, say
from numpy.typing import NDArray
from report import finish, heading, parser_for, result_name, share, table
from second_judge import load_judge, read

import inkgan
from inkgan import data
from inkgan.generation import ink
from inkgan.generation.hands import hand_of, slerp
from inkgan.generation.legibility import made_legible
from inkgan.generation.model import Model
from inkgan.seeds import Stream, rng

_AT_ONCE = 50  # writers
DIGITS = np.arange(10)


def latents_of(model: Model, writer: int, style: float) -> NDArray[np.float32]:
    """Return the latents [10, D] of a writer's ten digits, as in the text 0123456789."""
    hand = hand_of(model.latent_dim, 0, writer)[0]
    others = rng(0, Stream.WRITING, writer).standard_normal((10, model.latent_dim), dtype=np.float32)
    return slerp(np.repeat(hand[None], 10, 0), others, style)


def measure(name: str, writers: range, style: float, legible: float) -> dict[str, Any]:
    """Draw, judge and count."""
    model = inkgan.load(name)
    judge = load_judge()

    def draw(latents: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.uint8]:
        return ink.without_specks(np.asarray(model.draw(latents, labels)))

    wrong: dict[str, list[NDArray[np.bool_]]] = {"plain": [], "legible": []}
    probabilities, factors = [], []
    for start in range(0, len(writers), _AT_ONCE):
        numbers = writers[start : start + _AT_ONCE]
        latents = np.concatenate([latents_of(model, writer, style) for writer in numbers])
        labels = np.tile(DIGITS, len(numbers))
        plain = draw(latents, labels)
        chosen = made_legible(draw, plain, latents, labels, labels, legible)
        for kind, images in (("plain", plain), ("legible", chosen.images)):
            wrong[kind].append((read(judge, images) != labels).reshape(-1, 10))
        probabilities.append(chosen.probabilities)
        factors.append(chosen.factors.reshape(-1, 10))
        if start % 500 == 0:
            say(f"{name}: {start} of {len(writers)} writers")
    every = {kind: np.concatenate(parts) for kind, parts in wrong.items()}
    changed = np.concatenate(factors)
    return {
        "model": name,
        "writers": len(writers),
        **{f"{kind} writers": int(misread.any(1).sum()) for kind, misread in every.items()},
        **{f"{kind} digits": int(misread.sum()) for kind, misread in every.items()},
        "changed digits": int((changed != 1).sum()),
        "changed writers": int((changed != 1).any(1).sum()),
        "factors": {
            f"{factor:.1f}": count for factor, count in sorted(Counter(changed[changed != 1].tolist()).items())
        },
        "least probability": float(np.concatenate(probabilities).min()),
    }


def main() -> None:
    """Measure and report."""
    parser = parser_for(__doc__ or "")
    parser.add_argument("--models", nargs="+", default=["best", "fast"])
    parser.add_argument("--first", type=int, default=0, help="the number of the first writer")
    parser.add_argument("--writers", type=int, default=2000, help="how many there are")
    parser.add_argument("--style", type=float, default=0.0)
    parser.add_argument("--legible", type=float, default=0.99)
    options = parser.parse_args()
    writers = range(options.first, options.first + options.writers)
    results = [measure(name, writers, options.style, options.legible) for name in options.models]
    test = data.load("mnist").test
    misread = int((read(load_judge(), test.images) != test.labels).sum())
    limit = share(misread, len(test.images), ".2%")
    rows = [["", *options.models]]
    for title, key, per_writer in (
        ("writers with a misread digit, plain", "plain writers", 1),
        ("writers with a misread digit, legible", "legible writers", 1),
        ("misread digits, plain", "plain digits", 10),
        ("misread digits, legible", "legible digits", 10),
        ("digits that changed", "changed digits", 10),
        ("writers with a digit that changed", "changed writers", 1),
    ):
        rows.append([title, *(share(one[key], per_writer * options.writers, ".2%") for one in results)])
    rows.append(["factors: digits", *(", ".join(f"{k}: {n}" for k, n in one["factors"].items()) for one in results)])
    rows.append(["least probability by the readers", *(f"{one['least probability']:.4f}" for one in results)])
    notes = [
        f"{options.writers:,} writers of seed 0 from number {options.first:,} on, ten digits each",
        f"style {options.style:g}, legible {options.legible:g}",
        f"the second judge misreads {limit} of the {len(test.images):,} real test digits",
        "shares with 95 % intervals by Wilson",
    ]
    text = "\n".join([*heading("Legible digits, by a second judge", 1, *notes), table(rows)])
    finish(result_name(f"legibility_{hardware()}", parser, options), options, text, results)


if __name__ == "__main__":
    main()
