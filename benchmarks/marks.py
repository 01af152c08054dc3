"""The clock of the board: train up to fixed times and draw at each, in the same way for every contestant.

The clock runs while a contestant trains, first step included, and stops while images are drawn and stored. This module
needs only NumPy, so that an environment with TensorFlow and without inkgan can use it. It prints a line of JSON when
training begins, one for each time at which images were drawn, and one if training broke down.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def emit(**what: Any) -> None:
    """Print one line of JSON."""
    print(json.dumps(what), flush=True)


def train_to_marks(
    step: Callable[[int, float], None],
    draw: Callable[[], np.ndarray],
    marks: list[float],
    images: int,
    folder: Path,
    about: dict[str, Any],
) -> None:
    """Train to each time, draw images there, and store them.

    Args:
        step: does one training step, given its number and the seconds trained so far.
        draw: draws a batch of new images in [0, 1], [N, 28, 28] or [N, 28, 28, 1].
        marks: the times in seconds of training, in order.
        images: the number of images to draw at each time.
        folder: the folder in which they are stored, as uint8 [images, 28, 28, 1].
        about: facts about the contestant, printed with the first line.
    """
    emit(began=time.time(), about=about)
    trained, steps = 0.0, 0
    for mark in marks:
        start = time.perf_counter()
        while (now := trained + time.perf_counter() - start) < mark:
            try:
                step(steps, now)
            except ArithmeticError as error:
                emit(error=str(error), seconds=now, steps=steps)
                return
            steps += 1
        trained = now  # the first look at the clock that was not before the mark
        start = time.perf_counter()
        drawn = collect(draw, images)
        if not np.isfinite(drawn).all():
            emit(error="the images are not finite", seconds=trained, steps=steps)
            return
        path = folder / f"{mark:g}.npy"
        np.save(path, np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8))
        emit(mark=mark, seconds=trained, steps=steps, drawing=time.perf_counter() - start, images=str(path))


def collect(draw: Callable[[], np.ndarray], images: int) -> np.ndarray:
    """Draw whole batches until there are enough images, as float32 [images, 28, 28, 1]."""
    batches: list[np.ndarray] = []
    while sum(map(len, batches)) < images:
        batches.append(np.asarray(draw(), np.float32).reshape(-1, 28, 28, 1))
    return np.concatenate(batches)[:images]
