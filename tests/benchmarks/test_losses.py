"""The picture of a run's losses, in English and in Chinese."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from documents import ROOT


def test_the_chinese_picture_differs_in_its_words_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every word is Chinese, in the font that was given; the curves are the same to the pixel."""
    losses = importlib.import_module("losses")
    run = tmp_path / "tutorial"
    run.mkdir()
    steps = [
        {"step": step, "loss_real": 0.1 + step / 900, "loss_fake": 0.5, "loss_generator": 2.0}
        for step in range(0, 2001, 100)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in steps), "utf-8")
    written: list[str] = []
    fonts: set[Path] = set()
    original = ImageFont.truetype

    def text(_draw: Any, _place: Any, words: str, **_: Any) -> None:
        written.append(words)

    def truetype(font: Any, size: float, **rest: Any) -> Any:
        if isinstance(font, Path):
            fonts.add(font)
            return ImageFont.load_default(size)
        return original(font, size, **rest)  # Pillow's own font is loaded by the same function

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    monkeypatch.setattr(ImageFont, "truetype", truetype)
    losses.main(run, tmp_path / "english.png", None)
    english = [words for words in written if not words[0].isdigit()]
    assert sorted(english) == ["D on generated ones", "D on real images", "G", "Losses of tutorial", "loss", "steps"]
    assert fonts == set()
    written.clear()
    losses.main(run, tmp_path / "chinese.png", Path("characters.ttc"))
    chinese = [words for words in written if not words[0].isdigit()]
    assert sorted(chinese) == sorted(["判别器，生成的图", "判别器，真图", "生成器", "tutorial 的损失", "损失", "步数"])
    assert fonts == {Path("characters.ttc")}
    first, second = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("english", "chinese"))
    assert np.array_equal(first, second)
    assert np.ptp(first) > 0


def test_a_point_of_a_curve_has_the_quartiles_of_the_500_steps_before_it(tmp_path: Path) -> None:
    """Pre-training, whose steps are negative, is left out."""
    losses = importlib.import_module("losses")
    lines = [{"step": step, "loss_generator": float(step)} for step in range(-100, 1000)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    steps, values = losses.losses(tmp_path)["G"]
    assert steps[0] == 0
    assert losses.quartiles(steps, values, 800) == (300 + 499 / 4, 300 + 499 / 2, 300 + 3 * 499 / 4)


def test_the_lesson_s_two_pictures_have_the_same_curves() -> None:
    """Between the axes, the English and the Chinese picture of the tutorial's losses are the same to the pixel."""
    folder = ROOT / "docs" / "pictures"
    left, top, right, bottom = 110, 70, 1180, 800
    english, chinese = (
        np.asarray(Image.open(folder / name).convert("RGB"))[top : bottom + 1, left : right + 1]
        for name in ("tutorial-losses.png", "tutorial-losses.zh-CN.png")
    )
    assert np.array_equal(english, chinese)
