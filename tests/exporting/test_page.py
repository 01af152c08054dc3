"""Exporting a model as a page."""

from __future__ import annotations

import base64
import colorsys
import hashlib
import json
import os
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_array_equal
from PIL import Image

from data_files import write_set
from documents import ROOT
from inkgan import cli, data
from inkgan.exporting import page
from inkgan.exporting.page import to_eight_bits, web_page
from inkgan.exporting.saved import SavedModel, read
from inkgan.images import LINE_COLOURS
from inkgan.networks.grid import EMBEDDING_DIM
from refusals import command_refusal

MODELS = Path(page.__file__).parents[1] / "models"
TINY = {"network": "compact", "image_shape": [8, 8, 1], "num_classes": 0, "latent_dim": 3, "channels": 8}


def filled(about: dict[str, Any], name: str = "tiny", class_names: tuple[str, ...] = ()) -> str:
    """Return the page with a model of this description, which has an embedding and no other weights."""
    return web_page(SavedModel(name, about, {"embedding": np.zeros((2, EMBEDDING_DIM))}, class_names, "")).decode()


def block(content: str, name: str) -> str:
    """Return what a data block of a page holds."""
    found = re.search(rf'<script type="[^"]*" id="inkgan-{name}">([^<]*)</script>', content)
    assert found, name
    return found[1]


def unpacked(content: str, name: str) -> bytes:
    return zlib.decompress(base64.b64decode(block(content, name)))


def test_a_page_has_the_slope_of_its_model() -> None:
    """Models saved before slope was a setting have 0.2."""
    later: dict[str, Any] = {**TINY, "slope": 0.3}
    for about, slope in ((TINY, 0.2), (later, 0.3)):
        assert json.loads(block(filled(about), "model"))["slope"] == slope


def test_what_a_page_is_told_of_its_model() -> None:
    """It gets the sizes that drawing needs and the classes, but nothing else, such as the settings of the run."""
    about = {**TINY, "num_classes": 3, "slope": 0.1, "config": {"seed": 1}}
    assert json.loads(block(filled(about, "日", ("a", "</script>", "c")), "model")) == {
        "name": "日", "slope": 0.1, "image_shape": [8, 8, 1], "num_classes": 3, "latent_dim": 3, "channels": 8,
        "class_names": ["a", "</script>", "c"],
    }  # fmt: skip


def test_a_page_knows_the_classes_of_any_model() -> None:
    """Ten classes that are not the digits, such as Fashion-MNIST's, get neither writing nor a classifier."""
    names = ("T-shirt", *"123456789")
    content = web_page(read("fast", "latest")._replace(class_names=names)).decode()
    assert json.loads(block(content, "model"))["class_names"] == list(names)
    assert "inkgan-classifier" not in content.partition("</style>")[2].partition('id="inkgan-model"')[2]


def test_a_page_that_learns_replays_recorded_grids() -> None:
    """Each step has twenty images, the tutorial's being those of the picture in the docs; other pages have none."""
    content = web_page(read("fast", "latest")).decode()
    assert 'id="inkgan-replay"' not in filled(TINY)
    steps, _, packed = unpacked(content, "replay").partition(b"\n")
    assert json.loads(steps) == {
        "tutorial": [1000, 3000, 10_000, 30_000, 100_000],
        "fast": list(range(0, 2501, 50)),
    }
    four_bits = np.frombuffer(packed, np.uint8)
    pixels = 17 * np.stack([four_bits >> 4, four_bits & 15], 1).reshape(56, 20, 28, 28).astype(int)
    with Image.open(ROOT / "docs" / "pictures" / "tutorial.png") as picture:
        shown = 255 - np.asarray(picture).astype(int)
    for number in range(5):  # the seventh latent, and the seventeenth below it
        top, left = 136 * number + 2, 90 + 6 * 60 + 2
        assert np.abs(pixels[number, 6] - shown[top : top + 56 : 2, left : left + 56 : 2]).max() <= 8
        assert np.abs(pixels[number, 16] - shown[top + 60 : top + 116 : 2, left : left + 56 : 2]).max() <= 8


def test_a_page_holds_the_first_digits_of_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "DIGITS_OF_A_CLASS", 2)
    images, labels = page.choose_digits(np.arange(6, dtype=np.uint8), np.array([2, 0, 2, 2, 0, 1]))
    assert_array_equal(images, [0, 1, 2, 4, 5])
    assert_array_equal(labels, [2, 0, 2, 0, 1])


@pytest.mark.slow
def test_a_page_never_holds_digits_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes to others, and names the authors of MNIST; a data folder may hold one's own digits in MNIST's form."""
    published = unpacked(web_page(read("fast", "latest")).decode(), "digits")
    write_set(tmp_path / "mnist")
    monkeypatch.setenv("INKGAN_DATA", str(tmp_path))
    assert unpacked(web_page(read("fast", "latest")).decode(), "digits") == published
    monkeypatch.setenv("INKGAN_DATA", str(tmp_path / "gone"))
    assert unpacked(web_page(read("fast", "latest")).decode(), "digits") == published


def test_digits_are_packed_as_labels_and_then_two_pixels_in_a_byte() -> None:
    """Pixels are rounded to the nearest of 16 grey levels, which are 17 apart."""
    images = np.array([[[0, 17], [34, 255]], [[8, 9], [255, 0]]], np.uint8)
    assert page.pack_digits(images, np.array([3, 1])) == bytes([3, 1, 0x01, 0x2F, 0x01, 0xF0])


@pytest.mark.slow
def test_the_page_holds_the_models_weights_and_real_digits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "page.html"
    assert cli.run(["export", "fast", "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out.stat().st_size / 1e6:.1f} MB: {out}\n"
    assert out.stat().st_size <= page.LARGEST_BYTES
    content = out.read_text("utf-8")
    about = json.loads(block(content, "model"))
    assert (about["name"], about["class_names"]) == ("fast", list("0123456789"))
    credit = re.findall(r"<footer>.*?</footer>", content, re.DOTALL)[-1]
    assert "Yann LeCun and Corinna Cortes" in credit
    assert "creativecommons.org/licenses/by-sa/3.0" in credit
    files = {"weights": "fast/generator.safetensors", "classifier": "digit-features/weights.safetensors"}
    for part, file in files.items():
        kept = safetensors.numpy.load(unpacked(content, part))
        expected = to_eight_bits(safetensors.numpy.load_file(MODELS / file))
        assert kept.keys() == expected.keys()
        for name, array in expected.items():
            assert_array_equal(kept[name], array)
    digits = np.frombuffer(unpacked(content, "digits"), np.uint8)
    assert len(digits) == 3000 * (1 + 392)
    assert_array_equal(np.bincount(digits[:3000]), 300)
    real = data.load("mnist").train.images[0].ravel().astype(int)
    first = digits[3000:3392].astype(int)
    assert np.abs(np.stack([first >> 4, first & 15], 1).ravel() * 17 - real).max() <= 8


def test_a_browser_runs_only_the_script_and_the_style_that_were_built() -> None:
    """The hashes in the policy are those of the content, so nothing else in the page can run."""
    content = page.TEMPLATE.read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', content)
    assert policy
    assert policy[1].startswith("default-src 'none'; ")
    for tag in ("script", "style"):
        inside = re.search(rf"<{tag}>(.*)</{tag}>", content, re.DOTALL)
        assert inside
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"https?://(?!www\.w3\.org/)", content)


def test_the_page_in_the_package_is_that_of_the_sources() -> None:
    """After a change in web/, ``npm run build`` must build the page again. web/build.mjs writes the hash."""
    web = ROOT / "web"
    files = [path for path in (web / "src").rglob("*") if path.is_file()]
    files += [web / "build.mjs", web / "package-lock.json"]
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(web).as_posix(), path) for path in files):
        digest.update(f"{name}\n".encode() + path.read_bytes() + b"\n")
    found = re.search(r'<meta name="inkgan-source" content="(\w+)">', page.TEMPLATE.read_text("utf-8"))
    assert found
    assert found[1] == digest.hexdigest()


def test_losses_have_the_colours_of_the_lessons() -> None:
    """Lesson 4 draws the discriminator's loss first, then the generator's; the page uses the same hues."""
    style = (ROOT / "web" / "src" / "page" / "style.css").read_text("utf-8")

    def hue(colour: str) -> float:
        red, green, blue = bytes.fromhex(colour.removeprefix("#"))
        return 360 * colorsys.rgb_to_hsv(red, green, blue)[0]

    assert "--discriminator: var(--more);" in style
    for name, of_lessons in zip(("more", "generator"), LINE_COLOURS, strict=False):
        colours = re.findall(rf"--{name}: (#\w{{6}});", style)
        assert len(colours) == 3
        assert all(abs(hue(colour) - hue(of_lessons)) < 10 for colour in colours), name


def test_a_name_is_text_whatever_it_says() -> None:
    name = "<!--<script>alert(1)"
    content = filled(TINY, name)
    assert name not in content
    assert json.loads(block(content, "model"))["name"] == name


def test_a_page_of_a_folder_with_any_name() -> None:
    """A folder's name may be bytes that are not UTF-8, or move the cursor of a terminal."""
    content = filled(TINY, os.fsdecode(b"models/a\xff\x1b[2J/"))
    assert json.loads(block(content, "model"))["name"] == r"a\xff\x1b[2J"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["best", "-o", "page.png"],
            "the name page.png does not say what to write. End it with .html, .onnx, or /",
        ),
        (["tutorial", "-o", "p.html"], "a page draws the networks of fast and best, not tutorial. Export to DIR/"),
        (["bset", "-o", "p.html"], "there is no model or run 'bset'. Did you mean 'best'?"),
        (["bset", "-o", "p.onnx"], "there is no model or run 'bset'. Did you mean 'best'?"),
        (["bset", "-o", "p/"], "there is no model or run 'bset'. Did you mean 'best'?"),
        (["best", "-o", ""], "--out was given an empty value."),
        (["best", "-o", "there.html"], "there.html exists already. Add --force to replace it"),
        (["best", "-o", "there.html/"], "there.html is a file, not a folder."),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.html").write_text("mine")
    assert command_refusal(capsys, "export", *arguments).startswith(said)
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
    assert Path("there.html").read_text() == "mine"
