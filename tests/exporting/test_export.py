"""Exported models that can be given to others."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import inkgan
import tiny_runs as runs
from inkgan import cli
from inkgan.errors import CheckpointError, ConfigError, InkganWarning, OutputError
from inkgan.exporting import page, saved
from inkgan.exporting.saved import SavedModel
from inkgan.generation import legibility, loading
from inkgan.runs import checkpoint
from refusals import command_refusal

FILES = {"generator.safetensors", "model.json", "manifest.json", "README.md"}
BUNDLED = Path(inkgan.__file__).parent / "models"


def exported(*arguments: object) -> int:
    """Run ``inkgan export`` and return the exit code."""
    return cli.run(["export", *map(str, arguments)])


@pytest.mark.parametrize("model", ["best", "tutorial"])
def test_a_bundled_model_is_handed_on_byte_for_byte(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "handed"
    assert exported(model, "-o", f"{out}/") == 0
    assert capsys.readouterr().out == f"1.{'5' if model == 'best' else '3'} MB: {out}/\n"
    assert {path.name for path in out.iterdir()} == FILES | {".inkgan.json"}
    for name in FILES:
        assert (out / name).read_bytes() == (BUNDLED / model / name).read_bytes(), name


def test_a_classifier_that_is_damaged_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page of digits needs the classifier, which is part of the package, so installing that again helps."""
    monkeypatch.setattr(legibility, "_MODELS", tmp_path)
    legibility.weights_of.cache_clear()
    said = command_refusal(capsys, "export", "fast", "-o", tmp_path / "a.html")
    assert said.endswith("Install inkgan again.")
    assert not (tmp_path / "a.html").exists()


def test_a_run_becomes_a_model_that_draws_the_same(finished_run: Path, tmp_path: Path) -> None:
    """The card says where the model comes from and gives no licence: the weights are the user's."""
    size = inkgan.export(finished_run, f"{tmp_path}/mine/", which="4")
    out = tmp_path / "mine"
    assert size == sum((out / name).stat().st_size for name in FILES)
    np.testing.assert_array_equal(inkgan.load(out).sample(3), inkgan.load(finished_run, which="4").sample(3))
    checkpoint.verify(out, ("generator", "model"))
    card = (out / "README.md").read_text("utf-8")
    assert "| recipe | fast |\n| steps | 4 |\n| seed | 0 |\n" in card
    assert "12×12×1" in card
    assert "licence" not in card
    assert cli.run(["sample", str(out), "-o", str(tmp_path / "drawn.png")]) == 0


def digest_in(path: Path) -> str:
    """Return the digest of the weights that an exported file states."""
    found: dict[str, str] = {one.key: one.value for one in onnx.load(path).metadata_props}
    return found["weights_sha256"]


@pytest.mark.parametrize("out", ["a.onnx", "a.html", "a/"])
def test_the_checkpoint_that_was_asked_for_is_exported(finished_run: Path, tmp_path: Path, out: str) -> None:
    contents = []
    for which in (0, "4", np.int64(6), "latest"):
        path = tmp_path / str(which) / out
        path.parent.mkdir(exist_ok=True)
        inkgan.export(finished_run, f"{path.parent}/{out}", which=which)
        contents.append((path / "generator.safetensors" if path.is_dir() else path).read_bytes())
    assert len(set(contents[:3])) == 3
    assert contents[3] == contents[2]
    with pytest.raises(ConfigError, match=r"no checkpoint 2\.5\. Give latest, best or a step"):
        inkgan.export(finished_run, f"{tmp_path}/{out}", which=2.5)  # type: ignore[arg-type]


def test_the_command_exports_the_checkpoint_that_was_asked_for(finished_run: Path, tmp_path: Path) -> None:
    """Without an option, that is the latest."""
    for more, which in (([], "latest"), (["--checkpoint", "4"], "4")):
        assert exported(finished_run, "-o", tmp_path / "a.onnx", "--force", *more) == 0
        size = inkgan.export(finished_run, tmp_path / "b.onnx", which=which, force=True)
        assert (tmp_path / "a.onnx").stat().st_size == size
        assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_a_damaged_checkpoint_is_passed_over_and_that_is_said(finished_run: Path, tmp_path: Path) -> None:
    """The warning points to the caller of export."""
    folder = runs.copy(finished_run, tmp_path / "run")
    before = hashlib.sha256((folder / "checkpoints/step-0000004/generator.safetensors").read_bytes()).hexdigest()
    runs.damage(runs.newest(folder) / "generator.safetensors")
    with pytest.warns(InkganWarning, match=r"step-0000006/generator\.safetensors is damaged.*Taking step 4") as caught:
        inkgan.export(folder, tmp_path / "a.onnx")
    assert [one.filename for one in caught] == [__file__]
    assert digest_in(tmp_path / "a.onnx") == before


def test_force_replaces_a_file(finished_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.onnx"
    out.write_text("mine", "utf-8")
    assert inkgan.export(finished_run, out, force=True) == out.stat().st_size
    assert len(digest_in(out)) == 64


@pytest.mark.slow
@pytest.mark.parametrize("by_directory", [False, True])
def test_exported_models_do_not_name_the_users_folders(tmp_path: Path, small_data: Path, by_directory: bool) -> None:
    """An exported model names its data, but not the folder they were in."""
    where = {"data_dir": small_data.parent} if by_directory else {}
    runs.train(tmp_path / "run", Path("small") if by_directory else small_data, steps=1, **where)
    saved = (runs.newest(tmp_path / "run") / "model.json").read_bytes()
    inkgan.export(tmp_path / "run", f"{tmp_path}/mine/")
    handed = {path.name: path.read_bytes() for path in (tmp_path / "mine").iterdir()}
    place = str(small_data.parent)
    in_json = json.dumps(place)[1:-1].encode()  # which escapes letters that are not ASCII
    assert in_json in saved
    assert not [name for name, content in handed.items() if in_json in content or place.encode() in content]
    kept = json.loads(handed["model.json"])["config"]["data"]
    assert kept["name"] == ("small" if by_directory else small_data.name)


def test_a_card_goes_with_its_model(tmp_path: Path) -> None:
    """A card that somebody edited is exported as it is."""
    inkgan.export("fast", f"{tmp_path}/first/")
    (tmp_path / "first" / "README.md").write_text("# Mine\n\n| licence | CC0 |\n", "utf-8")
    inkgan.export(tmp_path / "first", f"{tmp_path}/second/")
    assert (tmp_path / "second" / "README.md").read_text("utf-8") == "# Mine\n\n| licence | CC0 |\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_licence_that_is_added_to_a_card(end: str) -> None:
    """It is found whatever the line ends of the editor."""
    card = end.join(["# Mine", "", "| seed | 0 |", "| licence | CC0 |", "| steps | 3 |", ""])
    assert saved.read("fast", "latest")._replace(card=card).licence == "CC0"


@pytest.mark.slow
def test_force_replaces_what_was_exported_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "model"
    assert exported("fast", "-o", f"{out}/") == 0
    (out / "notes.txt").write_text("mine")
    assert exported("tutorial", "-o", f"{out}/") == 2
    assert "already holds files. Add --force" in capsys.readouterr().err
    assert exported("tutorial", "-o", f"{out}/", "--force") == 0
    assert inkgan.load(out).description["network"] == "tutorial"
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", sorted(FILES))
def test_files_of_the_users_are_never_replaced(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "theirs"
    out.mkdir()
    (out / name).write_text("mine")
    before = runs.listing(tmp_path)
    for more in ([], ["--force"]):
        said = command_refusal(capsys, "export", "fast", "-o", f"{out}/", *more)
        assert runs.listing(tmp_path) == before
    assert "was not written by inkgan" in said


def test_a_folder_whose_name_ends_like_a_file(tmp_path: Path) -> None:
    """It is ambiguous, so it is refused; with a slash at the end, the folder is meant."""
    (tmp_path / "a.onnx").mkdir()
    with pytest.raises(OutputError, match=r"a\.onnx is a folder\. End its name with a slash to write into it"):
        inkgan.export("fast", tmp_path / "a.onnx")
    assert not list((tmp_path / "a.onnx").iterdir())
    (tmp_path / "v1.0").mkdir()
    (tmp_path / "my.folder").mkdir()
    for name in ("a.onnx/", "v1.0", "my.folder"):
        inkgan.export("fast", f"{tmp_path}/{name}")
        assert (tmp_path / name / "model.json").is_file()


def test_a_path_has_no_slash_at_its_end(tmp_path: Path) -> None:
    """A caller who typed one is told why it does not count."""
    for out, ending in (
        (tmp_path / "mine/", "; give a text then, because a Path loses the slash"),
        (f"{tmp_path}/mine", ""),
    ):
        with pytest.raises(OutputError, match=rf"or / for a folder{ending}\.$"):
            inkgan.export("fast", out)


@pytest.mark.parametrize("out", ["model/", "model.onnx", "model.html"])
def test_a_damaged_model_leaves_nothing(
    out: str, finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model-of-mine"
    inkgan.export("fast", f"{model}/")
    runs.damage(model / "generator.safetensors")
    before = runs.listing(tmp_path)
    assert "is damaged" in command_refusal(capsys, "export", model, "-o", f"{tmp_path}/{out}")
    assert runs.listing(tmp_path) == before


def tiny(side: int, names: str) -> saved.SavedModel:
    """Return a compact generator without weights."""
    about = {"network": "compact", "image_shape": [side, side, 1], "num_classes": 10, "latent_dim": 3, "channels": 8}
    return saved.SavedModel("tiny", about, {}, tuple(names), "")


@pytest.mark.parametrize(
    ("side", "names", "learns"),
    [
        (28, "0123456789", True),
        (27, "0123456789", False),
        (28, "abcdefghij", False),
        (28, "012345678", False),
        (27, "abcdefghij", False),
    ],
)
def test_a_page_of_digits_alone_learns_and_reads(side: int, names: str, learns: bool) -> None:
    content = page.web_page(tiny(side, names)).decode()
    for part in ("classifier", "digits", "replay"):
        assert (f'type="application/octet-stream" id="inkgan-{part}"' in content) == learns


@pytest.mark.parametrize("name", ["/home/somebody/mine", "/home/somebody/mine/", "somebody/../mine"])
def test_a_page_names_no_folder(name: str) -> None:
    """It has only the last part of the model's name, without the folder or the user in it."""
    content = page.web_page(tiny(8, "")._replace(name=name)).decode()
    assert "somebody" not in content
    assert '"name": "mine"' in content


def test_a_page_may_be_as_large_as_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(page.web_page(tiny(8, "")))
    monkeypatch.setattr(page, "LARGEST_BYTES", size)
    assert len(page.web_page(tiny(8, ""))) == size
    monkeypatch.setattr(page, "LARGEST_BYTES", size - 1)
    with pytest.raises(OutputError) as refused:
        page.web_page(tiny(8, ""))
    assert str(refused.value) == (
        f"the page would have {size:,} bytes, 1 more than a page may. "
        "Train with fewer generator.channels (this model has 8), a smaller latent_dim (3), or fewer classes (10)."
    )
    model = tiny(8, "")._replace(name="a longer name")
    with pytest.raises(OutputError, match=r"has 8\), or a smaller latent_dim \(3\)\.$"):
        page.web_page(model._replace(description={**model.description, "num_classes": 0}))


Described = Callable[..., SavedModel]


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Described:
    """Return a function that reads a model of a name whose ``model.json`` has these values, and no card beside it."""
    found = loading.read("fast", "latest")._replace(folder=tmp_path)

    def read(name: str, **about: Any) -> SavedModel:
        monkeypatch.setattr(loading, "read", lambda *_: found._replace(description={**found.description, **about}))
        return saved.read(name, "latest")

    return read


def test_a_description_loses_the_folders_of_the_data(described: Described) -> None:
    """Only the folders are removed, and the original is not changed."""
    data = {"name": "/home/somebody/mine.npz", "directory": "/home/somebody", "channels": 1}
    kept = described("mine", step=3, config={"seed": 1, "data": data}).description
    assert kept["config"] == {"seed": 1, "data": {"name": "mine.npz", "directory": None, "channels": 1}}
    assert kept["step"] == 3
    assert data["directory"] == "/home/somebody"


@pytest.mark.parametrize("config", [{"seed": 1}, {"data": None}, {"data": "mnist"}, None])
def test_a_description_that_names_no_folder_stays(described: Described, config: Any) -> None:
    assert described("mine", config=config).description["config"] == config


def test_cards_that_are_not_read(finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A card is read only from a short text file, and not through a link, which may lead anywhere."""
    inkgan.export(finished_run, f"{tmp_path}/mine/")
    card = tmp_path / "mine" / "README.md"

    def is_read() -> bool:
        return not saved.read(tmp_path / "mine", "latest").card.startswith("# mine: a generator\n")

    card.write_text("# A card", "utf-8")
    monkeypatch.setattr(saved, "_LARGEST_CARD", 8)
    assert is_read()
    card.write_text("# A card.", "utf-8")
    assert not is_read()
    (tmp_path / "other").write_text("secret", "utf-8")
    card.unlink()
    assert not is_read()
    card.symlink_to("../other")
    assert not is_read()
    card.unlink()
    card.write_bytes(b"\xff")
    assert not is_read()
    card.unlink()
    os.mkfifo(card)  # a reader would wait for ever
    assert not is_read()


def test_a_card_has_the_name_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished_run: Path
) -> None:
    run = runs.copy(finished_run, tmp_path / "mine")
    monkeypatch.chdir(run)
    assert saved.read(".", "latest").card.startswith("# mine: a generator\n")


def test_what_a_card_says_stays_in_its_cell(described: Described) -> None:
    """A name cannot end its table cell or line, nor be HTML; unknown values have no row."""
    card = described("folder/a|b", data="c|<d>\n", step=0, config=None, precision=None, digest=None).card
    assert card.startswith("# a\\|b: a generator\n")
    rows = [line for line in card.splitlines() if line.startswith("| ")]
    assert rows[3:] == ["| steps | 0 |", "| data | c\\|&lt;d>\\n |"]


@pytest.mark.parametrize(("classes", "said"), [(10, "from N(0, 1) and one of 10 labels to"), (0, "from N(0, 1) to")])
def test_the_card_says_what_the_network_takes(described: Described, classes: int, said: str) -> None:
    card = described("tiny", image_shape=[8, 9, 1], num_classes=classes, latent_dim=3, class_names=None).card
    assert f"| network | compact: a latent of 3 numbers {said} an image of 8×9×1 |" in card


@pytest.mark.parametrize("network", ["tutorial", "mine"])
def test_what_no_page_draws_is_told_where_it_can_go(network: str) -> None:
    """The error suggests a form that every network has."""
    model = saved.read("fast", "latest")._replace(description={"network": network})
    with pytest.raises(CheckpointError, match=rf"not {network}\. Export to DIR/ instead\.$"):
        page.web_page(model)
