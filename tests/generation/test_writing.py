"""Writing: one hand for each line, every character where its box says, and the same bytes for the same arguments."""

from __future__ import annotations

import inspect
import io
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage  # type: ignore[import-untyped]

import inkgan
from inkgan.cli import run
from inkgan.cli.write import write as command
from inkgan.errors import ConfigError
from inkgan.evaluation.features import load_features
from inkgan.generation import ink, writing
from inkgan.generation.hands import morph
from inkgan.generation.texts import CHARACTERS, DIGITS, SEPARATORS
from inkgan.generation.writing import Writing, WritingOptions, in_batches, write_batch
from inkgan.seeds import LARGEST_SEED
from refusals import refusal
from stand_in_models import RealDigits, write

TEXTS = st.text(CHARACTERS, min_size=1, max_size=12).filter(str.strip)
SEEDS = st.integers(0, LARGEST_SEED)
SAMPLES = ["2026-11-22", "3.14159", "12:45", "1/2 + 3", "1,000"]


def part(written: Writing, place: int) -> NDArray[np.uint8]:
    """Return the ink in one character's box."""
    left, top, right, bottom = written.boxes[place]
    return written.image[top:bottom, left:right]


@pytest.mark.slow
@settings(max_examples=60)
@given(TEXTS, SEEDS, st.floats(0, 1), st.floats(-45, 45), st.integers(24, 160))
def test_boxes_hold_exactly_the_ink(text: str, seed: int, style: float, slant: float, height: int) -> None:
    """Ink touches all four sides of each box, none is outside or at the page's edge; a space's box has no area."""
    written = write(text, seed=seed, style=style, slant=slant, height=height)
    assert written.text == text
    assert written.image.shape[0] == height
    outside = written.image.copy()
    assert len(written.boxes) == len(text)
    for character, box, place in zip(text, written.boxes, range(len(text)), strict=True):
        left, top, right, bottom = box
        if character == " ":
            assert (left, top) == (right, bottom)
            continue
        assert 0 < left < right < written.image.shape[1]
        assert 0 < top < bottom < height
        dark = part(written, place) > 0
        assert all(side.any() for side in (dark[0], dark[-1], dark[:, 0], dark[:, -1]))
        outside[top:bottom, left:right] = 0
    assert not outside.any()


@pytest.mark.slow
@pytest.mark.parametrize("text", SAMPLES)
def test_a_box_is_that_of_its_own_character(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn alone, each character fills its own box and nothing else."""
    drawn: list[ink.Strip] = []

    def noting(*given: Any) -> list[list[ink.Strip]]:
        rows = true(*given)
        drawn.extend(rows[0])
        return rows

    true = writing._characters
    monkeypatch.setattr(writing, "_characters", noting)
    written = write(text, seed=4)
    together = np.zeros_like(written.image)
    for strip, (left, top, right, bottom) in zip(drawn, written.boxes, strict=True):
        alone = np.zeros_like(written.image)
        alone[:, left:right] = strip
        if alone.any():
            assert Image.fromarray(alone).getbbox() == (left, top, right, bottom)
        together = np.maximum(together, alone)
    np.testing.assert_array_equal(written.image, together)


@pytest.mark.slow
def test_a_classifier_reads_it() -> None:
    """The bundled classifier, which never saw such drawing, reads nearly all boxes as their labels."""
    images, labels = [], []
    for seed in range(30):
        written = write("0123456789", seed=seed, style=0.3, slant=seed - 15.0)
        for place, character in enumerate(written.text):
            ink_image = Image.fromarray(part(written, place))
            ink_image.thumbnail((20, 20), Image.Resampling.BOX)
            page = Image.new("L", (28, 28))
            page.paste(ink_image, ((28 - ink_image.width) // 2, (28 - ink_image.height) // 2))
            images.append(np.asarray(page))
            labels.append(int(character))
    read = load_features().probabilities(np.stack(images)[..., None]).argmax(1)
    assert (read == labels).mean() > 0.95


@pytest.mark.slow
def test_hands_differ() -> None:
    """Another seed is another hand, and so is another writer with the same seed."""
    pages = [write("2026", **hand) for hand in ({}, {"seed": 1}, {"writer": 1}, {"seed": 1, "writer": 1})]
    assert len({page.image.tobytes() for page in pages}) == 4


@pytest.mark.slow
def test_one_hand() -> None:
    """The digits of one hand are more alike in weight and slant than those of many hands."""

    def spread(written: list[Writing]) -> Any:
        parts = [part(page, place) for page in written for place in range(len(page.text))]
        return np.std([(ink.stroke_width(one), ink.lean_of(one)) for one in parts], axis=0)

    one_hand = np.mean([spread([write("2222222222", seed=seed)]) for seed in range(8)], 0)
    many_hands = spread([write("2", seed=seed) for seed in range(80)])
    assert (one_hand < 0.7 * many_hands).all()


def test_style() -> None:
    """At style 0 all 2s are identical; by default they differ, and at 1 they differ more."""

    def difference(style: float) -> float:
        pages = [write("2 2", seed=seed, style=style, height=48) for seed in range(20)]
        small = [[np.asarray(Image.fromarray(part(page, k)).resize((20, 30)), float) for k in (0, 2)] for page in pages]
        return float(np.mean([np.abs(one - other).mean() for one, other in small]))

    assert difference(0) == 0 < difference(0.25) < difference(1)


def test_slant() -> None:
    """A slant of 20 degrees makes the whole line lean by about that much more."""
    leans = [
        [ink.lean_of(part(write("1", seed=seed, slant=slant, style=0), 0)) for seed in range(10)] for slant in (0, 20)
    ]
    assert abs(np.mean(leans[1]) - np.mean(leans[0]) - np.tan(np.radians(20))) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("height", [32, 96, 300])
def test_digits_stand_on_the_baseline(height: int) -> None:
    """Digits share a baseline and a height except for a small jitter; a comma hangs below, a dash floats."""
    for seed in range(5):
        written = write("1234567890", seed=seed, height=height)
        feet, heads = ([box[side] / height for box in written.boxes] for side in (3, 1))
        assert np.ptp(feet) < 0.09
        assert np.ptp(heads) < 0.2
        assert abs(np.median(feet) - 0.78) < 0.01 + 1.1 / height
        comma, dash = write(",-", seed=seed, height=height).boxes
        assert comma[3] > max(feet) * height + 1
        assert dash[3] < 0.7 * height


def width(strips: list[NDArray[np.uint8]]) -> float:
    """Return the mean width of strokes, measured by the distance from the ink's middle to paper."""
    widths = []
    for strip in strips:
        depth = ndimage.distance_transform_edt(np.pad(strip > 127, 1))
        ridge = (depth == ndimage.maximum_filter(depth, 3)) & (depth > 0)
        widths.append(2 * np.median(depth[ridge]))
    return float(np.mean(widths))


PEN: dict[str, Any] = {"height": 256, "style": 0}


@pytest.fixture(scope="module")
def widths_of_digits() -> list[float]:
    """Return the widths of the strokes of the digits of six hands."""
    pages = [write(DIGITS, seed=seed, **PEN) for seed in range(6)]
    return [width([part(page, place) for place in range(10)]) for page in pages]


@pytest.mark.slow
@pytest.mark.parametrize("separator", SEPARATORS)
def test_separators_are_drawn_with_the_same_pen(widths_of_digits: list[float], separator: str) -> None:
    """Their strokes are about as wide as the digits'."""
    ratios = [
        width([part(write(separator, seed=seed, **PEN), 0)]) / expected
        for seed, expected in enumerate(widths_of_digits)
    ]
    assert 0.8 < np.mean(ratios) < 1.25
    assert 0.7 < min(ratios) < max(ratios) < 1.4


@pytest.mark.parametrize("text", ["1111", "7.7", "4,4", "0/0", "1:1", "3-3", "2+2", "5 5"])
def test_characters_do_not_touch(text: str) -> None:
    """There is paper between neighbours, but not too much."""
    for seed in range(6):
        written = write(text, seed=seed)
        _, pieces = ndimage.label(written.image > 0, np.ones((3, 3)))
        assert pieces >= len(text.replace(" ", "").replace(":", ".."))
        gaps = [after[0] - before[2] for before, after in pairwise(written.boxes)]
        assert max(gaps) < 0.4 * 96


def test_pictures() -> None:
    """An image is 0 on paper and 255 in ink; its picture is dark on white, or black with the ink as opacity."""
    white, clear = write("1/2", seed=2), write("1/2", seed=2, background="transparent")
    np.testing.assert_array_equal(white.image, clear.image)
    assert white.image[0, 0] == 0
    assert white.image.max() == 255
    assert white.boxes == clear.boxes
    assert (white.picture.mode, clear.picture.mode) == ("L", "LA")
    np.testing.assert_array_equal(np.asarray(white.picture), 255 - white.image)
    black, opacity = np.moveaxis(np.asarray(clear.picture), 2, 0)
    np.testing.assert_array_equal(opacity, white.image)
    assert not black.any()


def test_in_a_notebook() -> None:
    """A writing shows as its picture, and prints in one short line."""
    written = write("12:45")
    with Image.open(io.BytesIO(written._repr_png_())) as picture:
        np.testing.assert_array_equal(np.asarray(picture), 255 - written.image)
    height, width = written.image.shape
    assert repr(written) == f"<Writing '12:45': image {height}x{width}, 5 boxes>"
    assert repr(inkgan.write("7")).endswith(", 1 box>")


@pytest.mark.slow
def test_any_digit() -> None:
    """``d`` becomes a digit that depends on the seed and the writer, every digit occurs, and the rest stays."""
    texts = [write("dd-d", writer=writer, height=24).text for writer in range(60)]
    assert set("".join(texts)) == {*DIGITS, "-"}
    assert {text[2] for text in texts} == {"-"}
    assert len(set(texts)) > 50
    assert texts[7] == write("dd-d", writer=7, height=96).text


def test_specks_are_not_ink() -> None:
    """A speck beside a digit is removed; two strokes that do not touch both stay."""
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 8:11] = image[4:24, 15:18] = 255
    clean = image.copy()
    image[2:4, 24:26] = 255
    dirty, drawn = ink.digits(ink.without_specks(np.stack([image, clean])), ink.Line(96, 74.9, 57.6))
    np.testing.assert_array_equal(dirty, drawn)
    assert ndimage.label(drawn)[1] == 2


def test_a_digit_without_ink() -> None:
    """If the model draws a digit without ink, the digit is left out, and its box has no area."""

    class Blank(RealDigits):
        def draw(self, latents: Any, labels: Any) -> NDArray[np.uint8]:
            return np.zeros((len(latents), 28, 28), np.uint8)

    written = inkgan.write("1-2", model=Blank(), legible=0)
    first, (left, top, right, bottom), last = written.boxes
    assert (first[:2], last[:2]) == (first[2:], last[2:])
    assert written.image[top:bottom, left:right].any()
    written.image[top:bottom, left:right] = 0
    assert not written.image.any()


@pytest.mark.parametrize(
    ("text", "options", "needed"),
    [
        ("", {}, "cannot write '', 0 characters. Write 1 to 64, not only spaces."),
        ("   ", {}, "cannot write '   ', 3 characters. Write 1 to 64, not only spaces."),
        ("1" * 65, {}, "', 65 characters. Write 1 to 64"),
        ("12 June", {}, "cannot write 'June'. Write digits, . , - : / + and space"),
        ("1\n2", {}, r"'\n'"),
        ("{digits:6}", {}, "cannot write '{digits:6}': fields in braces are for commands"),
        ("١", {}, "cannot write"),
        ("1", {"seed": -1}, "the seed -1"),
        ("1", {"seed": 2**63}, "2^63 - 1"),
        ("1", {"writer": -1}, "no writer -1"),
        ("1", {"style": 1.5}, "the style 1.5"),
        ("1", {"style": float("nan")}, "the style nan"),
        ("1", {"slant": 50}, "a slant of 50"),
        ("1", {"height": 23}, "a height of 23"),
        ("1", {"height": 513}, "24 to 512"),
        ("1", {"background": "whit"}, "Did you mean 'white'?"),
        ("1", {"legible": 1}, "legible 1.0 is out of range"),
        ("1", {"legible": -0.1}, "0, which takes digits as they come, to 0.9999"),
    ],
)
def test_out_of_range(text: str, options: dict[str, Any], needed: str) -> None:
    """Options out of range are refused, and the error says what is allowed."""
    refusal(lambda: write(text, **options), needed, kind=ConfigError)


def test_lines_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines written together are the same as each alone, in any order and in batches of any size."""
    lines = [("2026-11-22", 4), ("1 2", 0), ("-", 4), ("d.d", LARGEST_SEED), ("9876543210", 22), (" ,1", 1)]
    options: dict[str, Any] = {"model": inkgan.load("fast"), "seed": 7, "style": 1, "slant": -12, "height": 40}
    alone = [inkgan.write(text, writer=writer, **options) for text, writer in lines]
    assert any(factor not in (None, 1) for one in alone for factor in one.factors)
    monkeypatch.setattr(writing, "_BATCH_PIXELS", 5 * 40**2)
    in_parts = list(in_batches(iter(lines * 2), **options))
    assert len(in_parts) == 12
    for others in (
        write_batch(lines, **options),
        write_batch(lines[::-1], **options)[::-1],
        in_parts[:6],
        in_parts[6:],
    ):
        for one, other in zip(alone, others, strict=True):
            assert (one.text, one.boxes) == (other.text, other.boxes)
            assert (one.probabilities, one.factors) == (other.probabilities, other.factors)
            np.testing.assert_array_equal(one.image, other.image)


def test_batches_take_lines_as_they_need_them() -> None:
    """Endless lines give their first images at once, and no lines give no images."""
    written = in_batches((("1", writer) for writer in count()), model=RealDigits(), height=512)
    assert next(written).text == "1"
    assert write_batch([], model=RealDigits()) == []


def test_defaults_of_many_lines_are_those_of_write() -> None:
    """The defaults of ``write`` are also those where options are checked."""
    given = inspect.signature(inkgan.write).parameters
    said = {name: given[name].default for name in WritingOptions.__optional_keys__}
    assert len(said) == len(given) - len(("text", "model", "seed", "writer"))
    checked, default = (writing.CheckedOptions(**options) for options in (said, {}))
    assert checked == default


def test_defaults_of_the_command_are_those_of_write() -> None:
    """What is left out on the command line is as in Python."""
    said, typed = (inspect.signature(one).parameters for one in (inkgan.write, command))
    shared = said.keys() & typed.keys()
    assert shared == {"model", "seed", *WritingOptions.__optional_keys__}
    assert {name: typed[name].default for name in shared} == {name: said[name].default for name in shared}


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"style": 1.5}, "style 1.5"),
        ({"slant": "far"}, "slant of 'far'"),
        ({"height": 24.0}, "height of 24.0"),
        ({"legible": 1}, "legible"),
        ({"background": "whte"}, "Did you mean 'white'"),
        ({"look": "scann"}, "Did you mean 'scan'"),
        ({"look": "scan", "background": "transparent"}, "cannot have the background transparent"),
    ],
)
def test_options_are_checked_before_anything_else(option: dict[str, Any], said: str) -> None:
    """A wrong option is reported before a model is loaded, even if there are no lines to write."""
    with pytest.raises(ConfigError, match=said):
        inkgan.write("1", model="no such model", **option)
    with pytest.raises(ConfigError, match=said):
        write_batch([], model="no such model", **option)
    with pytest.raises(ConfigError, match=said):
        in_batches([], model="no such model", **option)


@pytest.mark.parametrize("line", ["2026", ("1",), ("1", 0, 0), 3, None])
def test_a_line_is_a_text_and_a_writer(line: Any) -> None:
    """Whatever is not a pair is refused as a line, and not by an error of Python's from inside."""
    for draw in (write_batch, lambda lines, **options: list(in_batches(lines, **options))):
        with pytest.raises(ConfigError, match=r"is not a line\. Give a text and the number of its writer"):
            draw([("1", 0), line], model=RealDigits())


def test_an_option_that_lines_do_not_have() -> None:
    """It is named as it was given, with the option that was meant."""
    wrong: Any = {"styl": 0.5}
    for draw in (write_batch, in_batches):
        with pytest.raises(ConfigError, match=r"unknown option 'styl'\. Did you mean 'style'\? Lines are written with"):
            draw([], model=RealDigits(), **wrong)


@pytest.mark.parametrize("seeds", [[5, 6], np.array([5, 6])])
def test_lines_with_a_seed_each(seeds: Any) -> None:
    """Each line with its own seed is the same as alone; the numbers of seeds and lines, of any iterable, must agree."""
    lines = [("12", 0), ("3-4", 2)]
    together = write_batch(iter(lines), model=RealDigits(), seed=seeds, legible=0)
    for (text, writer), seed, line in zip(lines, (5, 6), together, strict=True):
        assert np.array_equal(line.image, write(text, seed=seed, writer=writer).image)
    with pytest.raises(ConfigError, match="1 seed for 2 lines: give one for all"):
        write_batch(lines, model=RealDigits(), seed=[5])


@pytest.mark.slow
@pytest.mark.parametrize("order", ["9876543210", "3145926078"])
def test_digits_are_drawn_by_name(order: str) -> None:
    """If a model has the ten digits in another order, each is drawn by its name."""

    class Shuffled(RealDigits):
        class_names = tuple(order)

    for text in ("2026", "1/2 + 3", "--"):
        np.testing.assert_array_equal(write(text, model=Shuffled()).image, write(text).image)
    shuffled, plain = (morph([3, 4], model=model, legible=0) for model in (Shuffled(), RealDigits()))
    np.testing.assert_array_equal(shuffled, plain)


def test_one_text_needs_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture is named after the text, in the working folder, and is never replaced unasked."""
    monkeypatch.chdir(tmp_path)
    assert run(["write", "12/05"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["12-05.png"]
    before = (tmp_path / "12-05.png").read_bytes()
    assert run(["write", "12/05", "--seed", "4"]) == 2
    assert (tmp_path / "12-05.png").read_bytes() == before
    assert run(["write", "12/05", "--seed", "4", "--force"]) == 0
    assert (tmp_path / "12-05.png").read_bytes() != before
