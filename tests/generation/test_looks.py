"""Looks by name, from files and by single knobs: on the command line, from Python and in data sets."""

from __future__ import annotations

import json
import pickle
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import inkgan
from inkgan.cli import run
from inkgan.errors import ConfigError
from inkgan.generation.looks import KNOBS, LIMITS, LOOKS, Look, look_of, name_of
from inkgan.generation.paper import with_look
from inkgan.generation.shards import make_shard, write_shards
from inkgan.generation.spec import sources_of
from inkgan.generation.writing import Writing

OPTIONS: dict[str, Any] = {"texts": ["12"], "count": 2, "model": "fast", "height": 24, "legible": 0}


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of images with a look equals what Python draws, and its labels hold the cells."""
    monkeypatch.chdir(tmp_path)
    words = ["--look", "scan", "--knob", "form=cells", "--knob", "turn=-3..3", "--labels", "--seed", "2"]
    assert run(["write", "12", "34", *words, "--height", "32", "--model", "fast", "-o", "a/"]) == 0
    look = {"look": "scan", "form": "cells", "turn": [-3, 3]}
    seen = inkgan.write("34", model="fast", seed=2, writer=1, height=32, look=look)
    with Image.open("a/1.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), 255 - seen.image)
    label = json.loads(Path("a/metadata.jsonl").read_text("utf-8").splitlines()[1])
    assert label["boxes"] == [list(box) for box in seen.boxes]
    assert label["cells"] == [list(box) for box in seen.cells]


def test_a_file(tmp_path: Path) -> None:
    """A file starts from the look that it names and changes single knobs; knobs of the command override it."""
    path = tmp_path / "my.toml"
    path.write_text('look = "photo"\nblur = 1.5\nnoise = [0, 3]\npen = ["blue", "#112233"]\nturn = "-2..2"\n', "utf-8")
    look = look_of(str(path), {"noise": "7"})
    assert (look.blur, look.noise, look.pen, look.turn) == ((1.5, 1.5), (7, 7), ("blue", "#112233"), (-2, 2))
    untouched = [name for name in KNOBS if name not in {"blur", "noise", "pen", "turn"}]
    assert all(getattr(look, name) == getattr(LOOKS["photo"], name) for name in untouched)
    assert look == look_of(path, {"noise": 7}) == look_of(look)
    path.write_text("", "utf-8")
    assert name_of(look_of(path)) == "clean"


@pytest.mark.slow
def test_mistakes_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says what is wrong and what is allowed, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (["--look", "scam"], "Did you mean 'scan'?"),
        (
            ["--look", "photo", "--background", "transparent"],
            "a look with paper cannot have the background transparent",
        ),
        (["--knob", "blur=1", "--background", "transparent", "--shards", "1"], "a look with paper cannot"),
        (["--knob", "blur"], "--knob blur is not NAME=VALUE. Write it like blur=0.5..2."),
    ):
        assert run(["write", "1", *words, "-o", "b/"]) == 2
        assert said in capsys.readouterr().err.replace("\n", " ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("look", "knobs", "said"),
    [
        ("none.toml", {}, "cannot read .*none.toml"),
        ("bad.toml", {}, "bad.toml is not a TOML file"),
        ("odd.toml", {}, "odd.toml: unknown knob 'colour'"),
        ("scan", {"blurr": "1"}, "Did you mean 'blur'. A look has form, gap, variety, elastic, pen,"),
        ("scan", {"blur": "11"}, "blur = '11' is not allowed"),
        ("scan", {"blur": "2..1"}, "The range runs backwards: give the smaller number first."),
        ("scan", {"blur": "-1..2"}, "It takes a number from 0 to 10, or a range such as 0..10: the standard deviation"),
        ("scan", {"blur": "nan"}, "blur = 'nan' is not allowed"),
        ("scan", {"blur": "1..2..3"}, "blur = '1..2..3' is not allowed"),
        ("scan", {"quality": "50.5"}, "the quality of a JPEG file, in whole numbers"),
        ("scan", {"quality": "50..60.5"}, "the quality of a JPEG file, in whole numbers"),
        ("scan", {"form": "boxes"}, "Choose from none, line, frame, cells."),
        ("scan", {"pen": "azure"}, "one or several of black, grey, blue,"),
        ("scan", {"tint": "#12345"}, "tint = '#12345' is not allowed"),
        ({"look": 7}, {}, "unknown look 7."),
        ({1: 2}, {}, "unknown knob 1. A look has form, gap"),
    ],
)
def test_mistakes(tmp_path: Path, look: Any, knobs: dict[str, Any], said: str) -> None:
    """The error says what is wrong and what is allowed."""
    (tmp_path / "bad.toml").write_text("blur = ", "utf-8")
    (tmp_path / "odd.toml").write_text('colour = "blue"', "utf-8")
    with pytest.raises(ConfigError, match=said):
        look_of(tmp_path / look if str(look).endswith(".toml") else look, knobs)


@pytest.mark.parametrize("value", [True, [], [1, 2, 3], ["a"], None, {}, "1,2", 10**400])
def test_what_is_no_range(value: Any) -> None:
    """Whatever a file or a caller gives instead of a range, the same kind of error says what is allowed."""
    with pytest.raises(ConfigError, match="It takes a number from 0 to 10"):
        look_of({"blur": value})
    with pytest.raises(ConfigError, match="is not allowed"):
        look_of({"pen": value})


def test_characters_touch_where_the_gap_is_below_zero() -> None:
    """The knob adds to the writer's own gap, each line draws its own value, and cells ignore it."""

    def lefts(**knobs: Any) -> list[int]:
        return [box[0] for box in inkgan.write("48530", seed=3, height=96, look=knobs).boxes]

    plain, size = lefts(), 0.58 * 96
    assert lefts(gap=0) == plain
    assert lefts(gap=0.5) == pytest.approx(
        [left + 0.5 * size * k for k, left in enumerate(plain)], abs=2 + 2 * size / 9
    )
    touching = inkgan.write("48530", seed=3, height=96, look={"gap": -0.14})
    assert touching.boxes[-1][0] < lefts(gap=-0.1)[-1] < lefts(gap=-0.06)[-1]
    columns = touching.image.max(0) > 0
    inked = np.flatnonzero(columns)
    assert columns[inked[0] : inked[-1]].all()
    assert all(right[0] < left[2] for left, right in pairwise(touching.boxes))
    drawn = {inkgan.write("11", seed=3, writer=writer, look={"gap": (-0.1, 0.4)}).image.shape[1] for writer in range(8)}
    assert len(drawn) > 4
    assert lefts(form="cells", gap=0.5) == lefts(form="cells")


def test_digits_are_distorted() -> None:
    """Boxes follow the digits, separators and readings stay the same, and each line draws its own strength."""

    def written(writer: int = 0, **knobs: Any) -> Writing:
        return inkgan.write("-8-", seed=3, writer=writer, height=96, look=knobs)

    def cut(writing: Writing, number: int) -> list[list[int]]:
        left, top, right, bottom = writing.boxes[number]
        return writing.image[top:bottom, left:right].tolist()

    plain, distorted = written(), written(elastic=0.08)
    np.testing.assert_array_equal(written(elastic=0).image, plain.image)
    assert [cut(plain, number) == cut(distorted, number) for number in range(3)] == [True, False, True]
    assert (distorted.probabilities, distorted.factors) == (plain.probabilities, plain.factors)
    left, top, right, bottom = distorted.boxes[1]
    ink = distorted.image[:, left:right] > 0
    assert np.flatnonzero(ink.any(1))[[0, -1]].tolist() == [top, bottom - 1]
    assert ink[:, [0, -1]].any(0).all()
    assert distorted.boxes[0][0] < left < right < distorted.boxes[2][2]
    for writer in range(3):
        assert cut(written(writer, elastic=0.1), 1) != cut(written(writer, elastic="0..0.1"), 1)


class Echo:
    """A generator that keeps the latents that it is asked for, and draws the same stroke for all."""

    name = "echo"
    class_names = tuple("0123456789")
    latent_dim = 3
    image_shape = (28, 28, 1)

    def __init__(self) -> None:
        self.latents: list[Any] = []

    def draw(self, latents: Any, labels: Any) -> Any:
        self.latents.append(latents)
        images = np.zeros((len(labels), 28, 28), np.uint8)
        images[:, 4:24, 12:16] = 255
        return images


@pytest.mark.parametrize("style", [0.0, 0.25, 1.0])
def test_variety_multiplies_the_latents(style: float) -> None:
    """It multiplies the latents of the digits and of those that show the pen; each line draws its own factor."""

    def latents(writer: int = 0, **knobs: Any) -> Any:
        echo = Echo()
        inkgan.write("12-3", seed=3, writer=writer, model=echo, style=style, legible=0, look=knobs)
        (drawn,) = echo.latents
        return drawn

    usual = latents()
    np.testing.assert_array_equal(latents(variety=1), usual)
    np.testing.assert_array_equal(latents(variety=1.5), np.float32(1.5) * usual)
    assert not latents(variety=0).any()
    factors = [latents(writer, variety="0.5..1.5") / latents(writer) for writer in range(20)]
    for factor in factors:
        np.testing.assert_allclose(factor, factor[0, 0], rtol=1e-6)
    means = [factor.mean() for factor in factors]
    assert 0.5 <= min(means) < 0.8
    assert 1.2 < max(means) <= 1.5


def test_looks_are_part_of_a_data_set(tmp_path: Path) -> None:
    """A spec keeps a look's name or its values, but no path to a file, and its images have that look."""
    path = tmp_path / "my.toml"
    path.write_text('look = "scan"\nform = "cells"\n', "utf-8")
    clean, named, own = (inkgan.Spec(**OPTIONS, look=look) for look in ("clean", "photo", str(path)))
    path.unlink()
    first, seen = (next(iter(inkgan.write_many(spec))) for spec in (clean, named))
    np.testing.assert_array_equal(with_look(first, 0, LOOKS["photo"]).image, seen.image)
    assert (named.look, own.look) == ("photo", look_of("scan", {"form": "cells"}))
    assert inkgan.Spec(**OPTIONS, look=LOOKS["photo"]) == named
    again = inkgan.Spec(**json.loads(own.model_dump_json()))
    assert again == pickle.loads(pickle.dumps(own)) == own
    first_shards = [make_shard(spec, sources_of(spec), 0) for spec in (again, own, named)]
    assert first_shards[0] == first_shards[1] != first_shards[2]
    with pytest.raises(ConfigError, match="a look with paper cannot"):
        inkgan.Spec(**OPTIONS, look="photo", background="transparent")


def test_unusual_touching_digits_without_paper() -> None:
    """Knobs of the digits and their places need no paper, so a picture of them may be transparent."""
    look = {"gap": -0.2, "variety": 1.3, "elastic": 0.05}
    drawn, seen = (inkgan.write("2026", look=look, background=background) for background in ("transparent", "white"))
    np.testing.assert_array_equal(drawn.image, seen.image)
    np.testing.assert_array_equal(np.asarray(drawn.picture)[..., 1], drawn.image)
    assert not np.array_equal(drawn.image, inkgan.write("2026").image)
    for knob in set(KNOBS) - look.keys():
        value = {"form": "line", "pen": "grey", "tint": "cream"}.get(knob) or LIMITS[knob][0] or LIMITS[knob][1]
        assert look_of({**look, knob: value}).has_paper, knob


@pytest.mark.usefixtures("no_workers")
def test_the_manifest_has_the_values(tmp_path: Path) -> None:
    """A manifest holds a look's values even if it has a name. An older one resumes; another look is refused."""
    spec = inkgan.Spec(**OPTIONS, look={"look": "scan", "blur": 1})
    write_shards(spec, tmp_path)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    assert Look(**manifest["look"]) == spec.look
    assert manifest["look"]["turn"] == [-1.5, 1.5]
    for look, said in (("photo", "its look is"), ({"look": "scan", "blur": 1, "noise": 3}, r"its noise is \[0")):
        with pytest.raises(inkgan.OutputError, match=said):
            write_shards(inkgan.Spec(**OPTIONS, look=look), tmp_path)
    del manifest["look"]
    path.write_text(json.dumps(manifest), "utf-8")
    write_shards(spec, tmp_path)
    path.write_text(json.dumps(manifest | {"look": manifest["spec"]["look"] | {"blur": [1, 2]}}), "utf-8")
    with pytest.raises(inkgan.OutputError, match=r"its blur is \[1, 2\], and not \[1.0, 1.0\]"):
        write_shards(spec, tmp_path)
    path.write_text(json.dumps(manifest | {"look": "scan"}), "utf-8")
    with pytest.raises(inkgan.OutputError, match="damaged"):
        write_shards(spec, tmp_path)


@pytest.mark.usefixtures("no_workers")
def test_a_data_set_from_before_a_knob_goes_on(tmp_path: Path) -> None:
    """A knob missing from an old manifest had no effect, so the data set differs only if the knob has one now."""
    spec = inkgan.Spec(**OPTIONS, look={"look": "scan", "blur": 1})
    write_shards(spec, tmp_path)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    for knob in ("stroke", "blur"):
        del manifest["look"][knob], manifest["spec"]["look"][knob]
        path.write_text(json.dumps(manifest), "utf-8")
        if knob == "stroke":
            write_shards(spec, tmp_path)
    with pytest.raises(inkgan.OutputError, match=r"its blur is \[0.0, 0.0\], and not \[1.0, 1.0\]"):
        write_shards(spec, tmp_path)


@pytest.mark.slow
def test_a_preview(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A preview draws 24 images and estimates the total time, but writes nothing of the data set."""
    monkeypatch.chdir(tmp_path)
    words = ["write", "dd", "-n", "1000000", "--shards", "100", "--model", "fast", "--height", "24", "--preview"]
    assert run([*words, "-o", "numbers/", "--jobs", "3", "--labels"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("24 of 1,000,000 images: numbers-preview.png\n")
    assert re.search("images a second in one process; in [123] process(es)?, all take about ", said)
    assert [path.name for path in tmp_path.iterdir()] == ["numbers-preview.png"]
    with Image.open("numbers-preview.png") as picture:
        assert picture.height == 8 * 26
    assert run([*words, "-o", "numbers/"]) == 2
    assert "--force" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "1 process, all take about 0:10:00"),
        ("-n 20", "1 process, all take about 0:00:01"),
        ("--labels", "1 process, all take about 0:10:00"),
        ("--format yolo", "3 processes, all take about 0:03:20"),
        ("--jobs 3", "3 processes, all take about 0:03:20"),
        ("--jobs 3 --shards 2", "2 processes, all take about 0:05:00"),  # the third would have no shard
        ("--jobs 3 --shards 1", "1 process, all take about 0:10:00"),
        ("--jobs 40 --shards 40", "4 processes, all take about 0:02:30"),  # there are no more cores
        ("--jobs 40 --shards 40 --engine ray", "40 processes, all take about 0:00:15"),
    ],
)
def test_how_long_a_data_set_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, said: str
) -> None:
    """A preview assumes that processes work as fast as one alone, up to one for each shard and for each core here."""
    monkeypatch.setattr("inkgan.generation.spec.preview", lambda _: (np.zeros((24, 24, 24), np.uint8), 50.0))
    for module in ("device", "generation.engines"):
        monkeypatch.setattr(f"inkgan.{module}.cores", lambda: 4)
    count = [] if "-n" in words else ["-n", "30000"]
    assert run(["write", "d", *count, "--preview", *words.split(), "-o", f"{tmp_path}/a.png"]) == 0
    assert capsys.readouterr().out.endswith(f"50 images a second in one process; in {said}.\n")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("sheet.PNG", "sheet.PNG"),
        ("sheet.png", "sheet.png"),
        ("a.tar", "a.tar-preview.png"),
        ("a.png/", "a.png-preview.png"),
    ],
)
def test_the_name_of_a_preview(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, name: str
) -> None:
    """A name that ends in .png or .PNG is kept; any other gets -preview.png appended."""
    monkeypatch.chdir(tmp_path)
    assert run(["write", "7", "-n", "2", "--model", "fast", "--height", "24", "--preview", "-o", given]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert f"images: {name}\n" in capsys.readouterr().out
