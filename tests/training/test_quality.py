"""The quality that a short run of ``fast`` reaches on MNIST, and a broken recipe does not."""

from __future__ import annotations

from pathlib import Path

import pytest

import inkgan


@pytest.mark.slow
def test_a_hundred_and_fifty_steps_draw_digits(tmp_path: Path) -> None:
    """The distance is far below that of the tutorial's 100,000 steps, which is 25.

    The limits leave a margin beyond the results of ten seeds in float32 (docs/experiments.md, "150 steps").
    """
    settings = {"watch.save_every": 150, "watch.grid_every": 0, "watch.log_every": 0}
    run = inkgan.train(
        "fast", steps=150, seed=0, device="cpu", precision="float32", out=tmp_path / "run", settings=settings
    )
    report = inkgan.evaluate(run.folder, n=1000)
    assert report["frechet_digit_distance"].value < 12
    assert report["accuracy"].value > 0.85
    assert min(one.accuracy.value for one in report.classes if one.accuracy) > 0.4
