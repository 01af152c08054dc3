"""Drawing from trained generators: image i depends only on the weights, the seed and i, and needs no PyTorch."""

from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import inkgan
import tiny_runs as runs
from fresh_process import modules_after
from inkgan.cli import run
from inkgan.errors import CheckpointError, ConfigError, InkganWarning
from inkgan.evaluation.features import load_features
from inkgan.generation.loading import bundled_models
from inkgan.generation.model import Model
from inkgan.generation.numpy_networks import TUTORIAL_SHAPES, draw_tutorial
from inkgan.images import sheet, to_uint8
from inkgan.runs import checkpoint
from inkgan.seeds import Stream, latents
from refusals import refusal


@pytest.fixture(scope="module")
def model(tutorial_run: Path) -> Model:
    """The generator of the finished run."""
    return inkgan.load(tutorial_run)


def sampled(*arguments: object) -> int:
    """Run ``inkgan sample`` and return the exit code."""
    return run(["sample", *map(str, arguments)])


def test_what_is_drawn(model: Model) -> None:
    """Grey images are uint8 of shape [N, H, W], and not all the same."""
    images = model.sample(5)
    assert images.dtype == np.uint8
    assert images.shape == (5, 28, 28)
    assert len({image.tobytes() for image in images}) == 5


def test_for_another_process(model: Model) -> None:
    """A model can be pickled for a process pool or the workers of a DataLoader."""
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).sample(2, seed=3), model.sample(2, seed=3))


@pytest.mark.slow
def test_an_image_does_not_depend_on_its_neighbours(model: Model) -> None:
    """Image i is the same alone, in ten and in a hundred."""
    hundred = model.sample(100, seed=3)
    for count in (1, 2, 10, 31, 32, 33):
        np.testing.assert_array_equal(model.sample(count, seed=3), hundred[:count])


@pytest.mark.slow
def test_the_seed_decides(model: Model) -> None:
    """The same seed draws the same images, another seed draws others, up to the largest one."""
    np.testing.assert_array_equal(model.sample(3, seed=7), model.sample(3, seed=7))
    assert not np.array_equal(model.sample(3, seed=7), model.sample(3, seed=8))
    assert not np.array_equal(model.sample(3, seed=2**63 - 1), model.sample(3, seed=2**63 - 2))


def test_what_a_generator_cannot_do(model: Model) -> None:
    """A class for a model without labels, or batch statistics for one that has none, is refused, not ignored."""
    with pytest.raises(ConfigError, match=r"draws without labels.* Leave the label out\.$"):
        model.sample(2, labels=1)
    with pytest.raises(ConfigError, match="is for the tutorial"):
        inkgan.load("fast").sample(2, statistics="batch")


def test_the_tutorials_own_behaviour(model: Model, tutorial_run: Path) -> None:
    """With the statistics of the batch, images are those that the training graph draws from the same latents."""
    weights = dict(inkgan.load(tutorial_run)._weights)
    latent = np.concatenate([latents(5, Stream.SAMPLE_LATENTS, i, 1, 100) for i in range(4)])
    together = to_uint8(draw_tutorial(weights, latent)[0])[..., 0]
    np.testing.assert_array_equal(model.sample(4, seed=5, statistics="batch"), together)
    assert not np.array_equal(model.sample(1, seed=5, statistics="batch"), together[:1])


def test_numpys_numbers(model: Model, tutorial_run: Path) -> None:
    """NumPy numbers are accepted like Python's, and a step may be a number instead of a string."""
    np.testing.assert_array_equal(model.sample(np.int64(3), seed=np.uint8(7)), model.sample(3, seed=7))
    np.testing.assert_array_equal(model.sample(np.array(2), seed=np.array(7)), model.sample(2, seed=7))
    assert inkgan.load(tutorial_run, which=np.int64(4)).description["step"] == 4
    written = inkgan.write(
        "1", model="fast", seed=np.int64(3), writer=np.int8(2), height=np.uint16(48), style=np.float32(0.5)
    )
    np.testing.assert_array_equal(
        written.image, inkgan.write("1", model="fast", seed=3, writer=2, height=48, style=0.5).image
    )


def test_in_a_notebook(model: Model) -> None:
    """Samples are arrays that show as a sheet and print in one line; arrays computed from them print as usual."""
    images = model.sample(12)
    assert repr(images) == str(images) == "<12 images of 28x28, uint8>"
    shown = images._repr_png_()
    assert shown is not None
    with Image.open(io.BytesIO(shown)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), np.asarray(sheet(np.asarray(images), 10, scale=2)))
    assert repr(images[:1]) == "<1 image of 28x28, uint8>"
    for other in (images[0], images / 255.0, images.mean(0), images[:0], images.sum()):
        assert "images" not in repr(other)
        assert getattr(other, "_repr_png_", lambda: None)() is None
    plain = np.asarray(images)
    for function in (np.mean, np.max, np.sum, np.median):
        assert repr(function(images)) == repr(function(plain))  # a number, and not an array of one
    assert repr(inkgan.load("fast")) == "<Model fast: compact, 28x28x1, classes 0 to 9>"
    assert repr(inkgan.load("tutorial")) == "<Model tutorial: tutorial, 28x28x1, without labels>"


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ({"n": 0}, "cannot sample 0 images"),
        ({"n": -5}, "cannot sample -5 images"),
        ({"n": 1_000_001}, "1,000,000"),
        ({"n": 1, "seed": -1}, "the seed -1"),
        ({"n": 2.0}, "cannot sample 2.0 images"),
        ({"n": "2"}, "cannot sample '2' images"),
        ({"n": 1, "seed": 1.5}, "the seed 1.5"),
        ({"n": 1, "seed": [1, 2]}, "the seed [1, 2]"),
        ({"n": 1, "statistics": 3}, "unknown statistics 3"),
        ({"n": 1, "seed": 2**63}, "2^63 - 1"),
        ({"n": 1, "statistics": "standin"}, "Did you mean 'standing'?"),
        ({"n": 1, "statistics": "standin", "legible": 0.9}, "Did you mean 'standing'?"),
    ],
)
def test_out_of_range(model: Model, options: dict[str, Any], needed: str) -> None:
    """Options out of range are refused."""
    refusal(lambda: model.sample(**options), needed, kind=ConfigError)


@pytest.mark.slow
def test_which_checkpoint(tutorial_run: Path, model: Model) -> None:
    """A checkpoint is chosen by its step, by its path, or as the latest one."""
    first = inkgan.load(tutorial_run, which="4")
    assert (first.description["step"], model.description["step"]) == (4, 6)
    np.testing.assert_array_equal(first.sample(2), inkgan.load(tutorial_run / "checkpoints" / "step-0000004").sample(2))
    np.testing.assert_array_equal(inkgan.load(tutorial_run, which="6").sample(2), model.sample(2))
    assert not np.array_equal(first.sample(2), model.sample(2))
    untrained = inkgan.load(tutorial_run, which=0)
    assert untrained.description["step"] == 0
    assert not np.array_equal(untrained.sample(2), first.sample(2))


@pytest.mark.parametrize("which", ["5", "-1", "best", "newest", "", "../6", "9" * 100])
def test_a_checkpoint_that_is_not_there(tutorial_run: Path, which: str) -> None:
    """The error for a missing checkpoint lists those that exist."""
    with pytest.raises(CheckpointError, match="4, 6" if which != "best" else "latest"):
        inkgan.load(tutorial_run, which=which)


@pytest.mark.parametrize("which", [10**5000, 2.5, None, [4]], ids=["huge", "fraction", "none", "list"])
def test_what_names_no_checkpoint(tutorial_run: Path, which: Any) -> None:
    """Anything but a string or a whole number is refused as the name of a checkpoint."""
    with pytest.raises(ConfigError, match=r"^there is no checkpoint .{1,80}\. Give latest, best or a step\.$"):
        inkgan.load(tutorial_run, which=which)


def test_a_model_folder_of_its_own(tutorial_run: Path, tmp_path: Path, model: Model) -> None:
    """A model needs only two files and their manifest, and nothing else of its run."""
    source = runs.newest(tutorial_run)
    for name in ("model.json", "generator.safetensors", "manifest.json"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    np.testing.assert_array_equal(inkgan.load(tmp_path).sample(2), model.sample(2))


@pytest.mark.parametrize("file", ["model.json", "generator.safetensors", "manifest.json"])
@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_damaged_model(tutorial_run: Path, tmp_path: Path, file: str, how: str) -> None:
    """A damaged model is refused, and the error names the file."""
    folder = runs.copy(tutorial_run, tmp_path / "run")
    path = runs.newest(folder) / file
    runs.damage(path) if how == "damaged" else path.unlink()
    with pytest.raises(CheckpointError, match="model" if file == "model.json" and how == "missing" else file):
        inkgan.load(path.parent)
    with pytest.raises(CheckpointError, match=file):
        inkgan.load(folder, which="6")


@pytest.mark.slow
def test_a_run_whose_newest_checkpoint_is_damaged(
    tutorial_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The checkpoint before it draws, with a warning; damage to files that sampling does not read is ignored."""
    folder = runs.copy(tutorial_run, tmp_path / "run")
    runs.damage(runs.newest(folder) / "optimizers.safetensors")
    assert inkgan.load(folder).description["step"] == 6
    runs.damage(runs.newest(folder) / "generator.safetensors")
    with pytest.warns(InkganWarning, match=r"step-0000006/generator\.safetensors is damaged.*Taking step 4"):
        model = inkgan.load(folder)
    assert model.description["step"] == 4
    assert len(model.notes) == 1
    assert sampled(folder, "-n", 2, "-o", tmp_path / "two.npz") == 0
    assert "Taking step 4" in capsys.readouterr().err
    with np.load(tmp_path / "two.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], inkgan.load(folder, which="4").sample(2))
    for step in (0, 4):
        runs.damage(folder / "checkpoints" / checkpoint.checkpoint_name(step) / "model.json")
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        inkgan.load(folder)


def test_a_run_that_is_being_trained(tutorial_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a trainer saves and prunes between finding and reading a checkpoint, the one that then exists is read."""
    folder = runs.copy(tutorial_run, tmp_path / "run")
    checkpoints = folder / "checkpoints"
    expected = inkgan.load(folder).sample(2)
    true = checkpoint.read_arrays
    moved: list[int] = []

    def read_arrays(*given: Any) -> Any:
        if len(moved) < 5:
            newest = checkpoint.list_steps(checkpoints)[-1]
            moved.append(newest)
            place = checkpoints / checkpoint.checkpoint_name(newest)
            place.rename(checkpoints / checkpoint.checkpoint_name(newest + 10))
        return true(*given)

    monkeypatch.setattr(checkpoint, "read_arrays", read_arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(inkgan.load(folder).sample(2), expected)
    assert len(moved) == 5
    with pytest.raises(CheckpointError, match="has no checkpoint '6'"):
        inkgan.load(folder, which="6")


@pytest.mark.slow
def test_loading_while_another_process_saves(tutorial_run: Path, tmp_path: Path) -> None:
    """Loading never fails or warns while another process saves and prunes as fast as it can."""
    folder = runs.copy(tutorial_run, tmp_path / "run")
    code = (
        "import sys, itertools\n"
        "from pathlib import Path\n"
        "from inkgan.runs import checkpoint\n"
        "folder = Path(sys.argv[1])\n"
        "source = folder / checkpoint.checkpoint_name(6)\n"
        "weights = checkpoint.read_arrays(source, 'generator', eval(sys.argv[2]))\n"
        "description = checkpoint.read_document(source, 'model')\n"
        "for step in itertools.count(7):\n"
        "    checkpoint.save(folder, step, {'generator': weights}, {'model': description})\n"
        "    checkpoint.prune(folder, 1)\n"
    )
    command = [sys.executable, "-c", code, str(folder / "checkpoints"), repr(dict(TUTORIAL_SHAPES))]
    loaded: set[Path | None] = set()
    with subprocess.Popen(command) as process, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            while len(loaded) < 15:
                assert process.poll() is None
                loaded.add(inkgan.load(folder)._folder)
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("none", "there is no model or run '"),
        ("a file", "is a file, not a model folder. Name a run"),
        ("empty folder", "is neither a run (it has no config.json) nor a model (no model.json). Name a run,"),
        ("foreign run", "unknown setting 'model_type'"),
        ("x" * 300, "file name too long."),
        ("a\nb", "there is no model or run '"),
    ],
)
def test_what_is_no_model(tmp_path: Path, what: str, said: str) -> None:
    """Anything that is neither a run nor a model is refused in one line."""
    path = tmp_path / what
    if what == "a file":
        path.write_bytes(b"hello")
    elif what == "empty folder":
        path.mkdir()
    elif what == "foreign run":
        path.mkdir()
        (path / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")
    refusal(lambda: inkgan.load(path), said, kind=CheckpointError)


def test_a_path_is_a_place(tmp_path: Path, tutorial_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run in a folder with the name of a bundled model is found by its path; its name gives a warning."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"A Path is never the name of a bundled model: give the text 'fast'\."):
        inkgan.load(Path("fast"))
    for model in (tutorial_run, runs.newest(tutorial_run)):  # a run, and a model
        Path("fast").unlink(missing_ok=True)
        Path("fast").symlink_to(model)
        for place in (Path("fast"), "./fast"):
            assert inkgan.load(place).description["network"] == "tutorial"
        with pytest.warns(InkganWarning, match=r"fast is the bundled model; .* as \./fast\."):
            assert inkgan.load("fast").description["network"] == "compact"


def test_a_model_in_a_folder_with_any_name(tmp_path: Path, tutorial_run: Path) -> None:
    """It is shown in one line, in a notebook and in messages."""
    folder = runs.copy(tutorial_run, tmp_path / "a\nb")
    model = inkgan.load(folder)
    assert model.name == rf"{tmp_path}/a\nb"
    assert refusal(lambda: model.sample(1, labels=1), kind=ConfigError).startswith(f"{model.name} draws without labels")
    for checkpoint_folder in (folder / "checkpoints").iterdir():
        runs.damage(checkpoint_folder / "model.json")
    refusal(lambda: inkgan.load(folder), "has an intact generator", kind=CheckpointError)


def test_a_model_has_one_state(tutorial_run: Path) -> None:
    """A checkpoint can be chosen from a run, but not from a model."""
    for model in ("fast", runs.newest(tutorial_run)):
        with pytest.raises(CheckpointError, match=r"it has no checkpoint .*\. Leave the checkpoint out\.$"):
            inkgan.load(model, which="999")


@pytest.mark.parametrize(
    ("latents", "labels", "said"),
    [
        (np.zeros((2, 63), np.float32), [0, 1], r"give float32 \[N, 64\]"),
        (np.zeros(64, np.float32), [0], r"give float32 \[N, 64\]"),
        (np.zeros((0, 64), np.float32), [], r"give float32 \[N, 64\]"),
        (np.zeros((2, 64), np.int64), [0, 1], r"give float32 \[N, 64\]"),
        (np.zeros((2, 64), np.float32), [0], "labels for 2 images"),
        (np.zeros((2, 64), np.float32), [0, 10], "there is no class 10"),
        (np.zeros((2, 64), np.float32), None, "has labels: give each image a class"),
        ([[1.0], [2.0, 3.0]], [0, 1], "latents cannot be read as an array: .* Give a NumPy array"),
        (np.full((2, 64), np.nan), [0, 1], "latents hold numbers that are not finite"),
        (np.full((2, 64), 1e300), [0, 1], "latents hold numbers that are not finite"),
        (np.full((2, 64), -1e30), [0, 1], "or beyond a million"),
    ],
)
def test_latents_that_do_not_fit(latents: Any, labels: list[int] | None, said: str) -> None:
    """Latents and labels that the generator was not built for are refused."""
    with pytest.raises(ConfigError, match=said):
        inkgan.load("fast").draw(latents, None if labels is None else np.array(labels, np.int64))


def test_to_a_sheet(tutorial_run: Path, model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A .png is a sheet: dark ink on white paper, twice the size."""
    out = tmp_path / "new" / "digits.png"
    assert sampled(tutorial_run, "-n", 6, "--seed", 2, "--columns", 2, "-o", out) == 0
    assert capsys.readouterr().out == f"6 images: {out}\n"
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape == (3 * 30 * 2, 2 * 30 * 2)
    fourth = pixels[60:120, 60:][2:-2:2, 2:-2:2]
    np.testing.assert_array_equal(255 - fourth, model.sample(6, seed=2)[3])
    assert sampled(tutorial_run, "-n", 6, "--seed", 2, "-o", out, "--force") == 0
    with Image.open(out) as picture:
        assert picture.size == (3 * 30 * 2, 2 * 30 * 2)  # without --columns it is about square


def test_of_a_checkpoint(finished_run: Path, tmp_path: Path) -> None:
    """The newest one draws, unless the command names another."""
    drawn = []
    for which, more in (("latest", ()), ("4", ("--checkpoint", 4)), ("0", ("--checkpoint", 0))):
        out = tmp_path / f"{which}.npz"
        assert sampled(finished_run, "-n", 3, *more, "-o", out) == 0
        drawn.append(np.load(out)["images"])
        np.testing.assert_array_equal(drawn[-1], inkgan.load(finished_run, which=which).sample(3))
    assert len({images.tobytes() for images in drawn}) == 3


def test_to_arrays(tutorial_run: Path, model: Model, tmp_path: Path) -> None:
    """An .npz has uint8 images [N, H, W], without labels where there are no classes."""
    out = tmp_path / "digits.npz"
    assert sampled(tutorial_run, "-n", 3, "-o", out, "--statistics", "batch") == 0
    with np.load(out) as archive:
        assert archive.files == ["images"]
        np.testing.assert_array_equal(archive["images"], model.sample(3, statistics="batch"))


@pytest.mark.parametrize("exists", [False, True])
def test_to_a_folder(
    tutorial_run: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exists: bool
) -> None:
    """A name that ends with a slash is a folder with one picture each, in order, dark on white."""
    monkeypatch.chdir(tmp_path)
    if exists:
        Path("digits").mkdir()
    assert sampled(tutorial_run, "-n", 11, "-o", "digits/") == 0
    names = sorted(path.name for path in Path("digits").iterdir())
    assert names == [".inkgan.json", *(f"{index:02d}.png" for index in range(11))]
    with Image.open("digits/10.png") as picture:
        np.testing.assert_array_equal(255 - np.asarray(picture), model.sample(11)[10])
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


@pytest.mark.parametrize("name", ["digits.png", "digits.npz", "digits/"])
def test_nothing_is_overwritten(
    tutorial_run: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Existing files are kept, and replaced only with --force."""
    out = f"{tmp_path}/{name}"
    assert sampled(tutorial_run, "-n", 2, "-o", out) == 0
    before = runs.listing(tmp_path)
    assert sampled(tutorial_run, "-n", 2, "--seed", 1, "-o", out) == 2
    assert "--force" in capsys.readouterr().err
    assert runs.listing(tmp_path) == before
    assert sampled(tutorial_run, "-n", 2, "--seed", 1, "-o", out, "--force") == 0
    assert runs.listing(tmp_path).keys() == before.keys()
    assert runs.listing(tmp_path) != before


@pytest.mark.parametrize(
    "command", [["sample", "model"], ["write", "1", "--model", "model"], ["morph", "1", "--model", "model"]]
)
def test_a_model_is_not_replaced_by_its_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """--force replaces what inkgan wrote, but never the model that draws."""
    monkeypatch.chdir(tmp_path)
    assert run(["export", "best", "-o", "model/"]) == 0
    before = runs.listing(tmp_path)
    assert run([*command, "--force", "-o", "./model/"]) == 2
    assert "is the model that draws, so it is not replaced" in capsys.readouterr().err
    assert runs.listing(tmp_path) == before


def test_a_link_to_itself_as_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A link to itself is refused like any other link to nothing."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert run(["sample", "best", "-n", "2", "-o", "loop/"]) == 2
    assert capsys.readouterr().err == ("inkgan: loop is a link to nothing, not a folder. Name another folder.\n")


def test_a_folder_with_the_name_of_a_bundled_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder called best is not the bundled model of that name, so images may be written there."""
    monkeypatch.chdir(tmp_path)
    assert run(["sample", "best", "-n", "2", "-o", "best/"]) == 0
    assert len(list((tmp_path / "best").rglob("*.png"))) == 2


@pytest.mark.slow
def test_no_torch(tutorial_run: Path, tmp_path: Path) -> None:
    """Sampling never imports PyTorch, neither from Python nor on the command line."""
    code = "import sys, inkgan.cli\nassert inkgan.cli.run(['sample', *sys.argv[1:]]) == 0"
    loaded = modules_after(code, str(tutorial_run), "-n", "2", "-o", str(tmp_path / "digits.npz"))
    assert not {"torch", "tensorboard"} & loaded


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled_models())
def test_bundled_models_draw_digits(name: str) -> None:
    """Every bundled model is small, and the digit classifier reads its images as the classes asked for."""
    folder = Path(inkgan.__file__).parent / "models" / name
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2 * 2**20
    model = inkgan.load(name)
    _, probabilities = load_features().extract(model.sample(400, seed=5)[..., None])
    labels = model.labels_for(400)
    if labels is None:
        assert (probabilities.max(axis=1) > 0.5).mean() > 0.8
    else:
        assert (probabilities.argmax(axis=1) == labels).mean() > 0.97


def test_the_discriminator_of_a_run_is_found_from_another_folder(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished_run.parent)
    model = inkgan.load(finished_run.name)
    images = model.sample(2)
    expected = model.logits(images)
    monkeypatch.chdir(tmp_path)
    np.testing.assert_array_equal(model.logits(images), expected)
