"""The files of ``inkgan write``: pictures with labels, and arrays; whole or not at all; no user's file is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tiny_runs as runs
from inkgan.cli import run
from inkgan.errors import ConfigError, OutputError
from inkgan.generation.image_files import save_writings
from inkgan.generation.legibility import LEGIBLE
from inkgan.generation.writing import Writing
from stand_in_models import write
from waiting import SECONDS, start_at_the_first_move

pytestmark = pytest.mark.usefixtures("real_digits")


def test_one_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A .png holds the image that Python returns, and a .jsonl beside it its label."""
    out = tmp_path / "new" / "date.png"
    assert run(["write", "2026-11-22", "-o", str(out), "--seed", "7", "--slant", "-5", "--labels"]) == 0
    assert capsys.readouterr().out == f"1 image: {out}\n"
    written = write("2026-11-22", seed=7, slant=-5, legible=LEGIBLE)
    with Image.open(out) as picture:
        np.testing.assert_array_equal(np.asarray(picture), 255 - written.image)
    label = json.loads(out.with_suffix(".jsonl").read_text())
    assert label["probabilities"] == [None if p is None else round(p, 4) for p in written.probabilities]
    assert label["factors"] == list(written.factors)
    assert [place for place, p in enumerate(label["probabilities"]) if p is None] == [4, 7]
    assert [p is None for p in label["probabilities"]] == [f is None for f in label["factors"]]
    assert label == {"file_name": "date.png", **written.label}


def test_transparent_png(tmp_path: Path) -> None:
    """A transparent image keeps its second channel."""
    out = tmp_path / "a.png"
    assert run(["write", "1", "-o", str(out), "--background", "transparent"]) == 0
    with Image.open(out) as picture:
        assert picture.mode == "LA"


@pytest.mark.slow
@pytest.mark.parametrize("background", ["white", "transparent"])
def test_a_labelled_folder(tmp_path: Path, background: str) -> None:
    """Image i is by writer i of the seed, with the texts in turn, and labels hold its text and boxes."""
    out = f"{tmp_path}/numbers/"
    options = ["--seed", "3", "--height", "32", "--background", background]
    assert run(["write", "dd", "d.d", "-n", "11", "--labels", *options, "-o", out]) == 0
    labels = [json.loads(line) for line in Path(out, "metadata.jsonl").read_text().splitlines()]
    assert [label["file_name"] for label in labels] == [f"{index:02d}.png" for index in range(11)]
    files = {path.name for path in Path(out).iterdir()}
    assert files == {*(label["file_name"] for label in labels), "metadata.jsonl", ".inkgan.json"}
    for index, label in enumerate(labels):
        hand: dict[str, Any] = {"seed": 3, "writer": index}
        written = write(["dd", "d.d"][index % 2], **hand, height=32, background=background, legible=LEGIBLE)
        assert label["text"] == written.text
        assert label["boxes"] == [list(box) for box in written.boxes]
        with Image.open(Path(out, label["file_name"])) as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.asarray(written.picture))


@pytest.mark.parametrize("background", ["white", "transparent"])
def test_arrays(tmp_path: Path, background: str) -> None:
    """An .npz has Python's images padded with paper; labels add texts, and boxes padded with -1."""
    out = tmp_path / "numbers.npz"
    assert run(["write", "1", "2345", "-o", str(out), "--labels", "--background", background]) == 0
    short = write("1", background=background, legible=LEGIBLE)
    with np.load(out) as archive:
        assert archive["texts"].tolist() == ["1", "2345"]
        assert archive["boxes"].shape == (2, 4, 4)
        assert archive["boxes"][0].tolist() == [list(short.boxes[0]), *[[-1] * 4] * 3]
        np.testing.assert_array_equal(
            archive["probabilities"][0], np.array([*short.probabilities, *[np.nan] * 3], np.float32)
        )
        np.testing.assert_array_equal(archive["factors"][0], np.array([*short.factors, *[np.nan] * 3], np.float32))
        width = short.image.shape[1]
        assert archive["widths"].tolist() == [width, archive["images"].shape[2]]
        np.testing.assert_array_equal(archive["images"][0, :, :width], short.image)
        assert not archive["images"][0, :, width:].any()
    assert run(["write", "1", "-n", "2", "-o", str(out), "--force"]) == 0
    with np.load(out) as archive:
        assert archive.files == ["images"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.png", "a.npz", "a/"])
def test_nothing_is_overwritten(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Existing files are replaced only with --force, and the same command writes the same bytes."""
    out = f"{tmp_path}/{name}"
    words = ["write", "12", "--labels", "-o", out]
    assert run(words) == 0
    before = runs.listing(tmp_path)
    assert run([*words, "--seed", "1"]) == 2
    assert "--force" in capsys.readouterr().err
    assert runs.listing(tmp_path) == before
    assert run([*words, "--force"]) == 0
    assert runs.listing(tmp_path) == before
    assert run([*words, "--force", "--seed", "1"]) == 0
    assert runs.listing(tmp_path) != before


def test_a_name_that_is_too_long_with_its_other_ending(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name short enough for .png may be too long for .jsonl: it is refused if the .jsonl is asked for."""
    words = ["write", "12", "-o", f"{tmp_path}/{'a' * 250}.png"]
    assert run([*words, "--labels"]) == 2
    assert "file name too long. Choose a place" in capsys.readouterr().err
    assert runs.listing(tmp_path) == {}
    assert run(words) == 0
    assert runs.listing(tmp_path).keys() == {f"{'a' * 250}.png"}


@pytest.mark.parametrize("more", [[], ["--force"]])
def test_labels_are_not_overwritten(tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A user's .jsonl file beside a new image is kept too, and no --force is promised that would refuse."""
    (tmp_path / "a.jsonl").write_text("mine")
    assert run(["write", "12", "--labels", "-o", f"{tmp_path}/a.png", *more]) == 2
    assert runs.listing(tmp_path) == {"a.jsonl": b"mine"}
    said = capsys.readouterr().err
    assert "a.jsonl was not written by inkgan" in said
    assert "--force" not in said


def test_an_image_is_replaced_with_its_label(tmp_path: Path) -> None:
    """An old label is removed with its image; a user's file of that name stays, even one like it."""
    out, label = tmp_path / "a.png", tmp_path / "a.jsonl"
    assert run(["write", "12", "--labels", "-o", str(out)]) == 0
    written = label.read_text("utf-8")
    assert run(["write", "12", "--seed", "1", "--labels", "-o", str(out), "--force"]) == 0
    assert label.read_text("utf-8") != written
    assert run(["write", "34", "-o", str(out), "--force"]) == 0
    assert not label.exists()
    label.write_text(written, "utf-8")
    assert run(["write", "56", "-o", str(out), "--force"]) == 0
    assert label.read_text("utf-8") == written


def test_two_processes_that_replace_one_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits until the first has put its picture and its label in place, so the two belong together."""
    out = tmp_path / "a.png"
    first, second = write("12"), write("345")
    save_writings([first], 1, out, labels=True)
    other = threading.Thread(
        target=save_writings, args=([second], 1, out), kwargs={"labels": True, "force": True}, daemon=True
    )
    start_at_the_first_move(monkeypatch, other)
    save_writings([first], 1, out, labels=True, force=True)
    other.join(SECONDS)
    assert json.loads(out.with_suffix(".jsonl").read_text())["text"] == "345"
    save_writings([first], 1, out, labels=True, force=True)  # refused unless the label is that of the picture


@pytest.mark.slow
@pytest.mark.parametrize("change", ["edited", "a link"])
def test_a_label_that_was_changed_is_the_users(tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A label file that was edited is never replaced: the command refuses and names it."""
    out, label, other = tmp_path / "a.png", tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert run(["write", "12", "--labels", "-o", str(out)]) == 0
    if change == "edited":
        label.write_text(label.read_text("utf-8") + '{"mine": 1}\n', "utf-8")
    else:
        label.rename(other)
        label.symlink_to(other)
    before = runs.listing(tmp_path)
    assert run(["write", "34", "--labels", "-o", str(out), "--force"]) == 2
    assert str(label) in capsys.readouterr().err
    assert runs.listing(tmp_path) == before
    assert run(["write", "34", "-o", str(out), "--force"]) == 0
    assert runs.listing(tmp_path).keys() == before.keys()
    assert label.read_bytes() == before["a.jsonl"]


@pytest.mark.parametrize("labels", [True, False])
def test_a_killed_write_can_be_repeated(labels: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a process is killed that replaces a picture with its labels, the same command goes on afterwards."""

    class Killed(BaseException):
        pass

    def killing(act: Callable[..., Any], moment: int) -> Callable[..., Any]:
        def acting(*given: Any) -> Any:
            done = act(*given)
            calls.append(given)
            if len(calls) == moment:
                raise Killed
            return done

        return acting

    save_writings([write("22")], 1, tmp_path / "fresh" / "a.png", labels=labels)
    for moment in range(1, 100):
        out = tmp_path / str(moment) / "a.png"
        save_writings([write("11")], 1, out, labels=True)
        calls: list[Any] = []
        with monkeypatch.context() as patch, suppress(Killed):
            for name in ("replace", "unlink"):
                patch.setattr(Path, name, killing(getattr(Path, name), moment))
            save_writings([write("22")], 1, out, labels=labels, force=True)
        save_writings([write("22")], 1, out, labels=labels, force=True)
        assert runs.listing(out.parent) == runs.listing(tmp_path / "fresh")
        if len(calls) < moment:  # it was not killed any more
            break
    assert moment > 2


@pytest.mark.parametrize("name", ["a/", "a.npz"])
def test_whole_or_not_at_all(tmp_path: Path, name: str) -> None:
    """If the tenth image fails, nothing is written."""

    def failing(index: int) -> Writing:
        if index == 9:
            raise ConfigError("the tenth")
        return write("1", writer=index)

    with pytest.raises(ConfigError, match="the tenth"):
        save_writings(map(failing, range(10)), 10, f"{tmp_path}/{name}", labels=True)
    assert list(tmp_path.iterdir()) == []


def test_too_large_an_array(tmp_path: Path) -> None:
    """An array of more than 2 GiB is refused at the first image."""
    with pytest.raises(OutputError, match="2 GiB"):
        save_writings(iter([write("1" * 60)]), 1_000_000, f"{tmp_path}/a.npz")


@pytest.mark.parametrize(("count", "out", "message"), [(0, "a.npz", "Ask for 1 to"), (2, "a.png", "not 2")])
def test_counts_that_do_not_fit(tmp_path: Path, count: int, out: str, message: str) -> None:
    """No images, or two for one .png, are refused before anything is drawn or written."""
    with pytest.raises((ConfigError, OutputError), match=message):
        save_writings(iter([]), count, str(tmp_path / out))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("count", [0, 1_000_001])
def test_a_number_of_images_out_of_range(tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int) -> None:
    """Whoever wants more is told how to get them, before anything is drawn."""
    assert run(["write", "1", "-n", str(count), "-o", f"{tmp_path}/a/"]) == 2
    said = f"cannot write {count} images into one output. Ask for 1 to 1,000,000, or for a data set with --shards."
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
