"""The command line: its surface, its help, and a one-line error with exit code 2 for everything that is wrong."""

from __future__ import annotations

import errno
import gzip
import inspect
import io
import os
import pickle
import pty
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer

import inkgan
import tiny_runs as runs
from data_files import write_set
from fresh_process import modules_after
from inkgan.cli import app, run
from inkgan.cli.console import watcher_for
from inkgan.config import resolve
from inkgan.errors import ConfigError, InkganWarning
from inkgan.generation.hands import morph
from inkgan.training.many_runs import TrainingTask
from inkgan.training.options import TrainingOptions
from inkgan.training.watching import Result
from refusals import command_refusal
from waiting import SECONDS, wait_for_file

SURFACE = {
    "": ["--help", "--version"],
    "train": [
        "--config", "--data", "--data-dir", "--device", "--dry-run", "--engine", "--evaluate-every", "--extend",
        "--force", "--heal", "--help", "--jobs", "--out", "--plain", "--precision", "--processes", "--quiet",
        "--recipe", "--resize", "--resume", "--seconds", "--seed", "--seeds", "--set", "--steps", "--stop-at",
        "--timeout",
    ],
    "sample": [
        "--checkpoint", "--columns", "--count", "--digit", "--force", "--help", "--label", "--legible", "--out",
        "--seed", "--statistics", "RUN_OR_MODEL",
    ],
    "write": [
        "--background", "--count", "--engine", "--force", "--format", "--height", "--help", "--jobs", "--knob",
        "--labels", "--legible", "--look", "--model", "--out", "--preview", "--seed", "--shard", "--shards", "--slant",
        "--split", "--style", "--texts", "TEXT...",
    ],
    "morph": ["--force", "--help", "--legible", "--model", "--out", "--steps", "SEED..."],
    "evaluate": [
        "--data", "--data-dir", "--force", "--full", "--help", "--json", "--n", "--report", "--seed", "--set", "WHAT",
    ],
    "compare": [
        "--data", "--data-dir", "--force", "--full", "--help", "--json", "--n", "--seed", "--set", "A B [C ...]",
    ],
    "doctor": ["--help", "--strict", "RUN..."],
    "export": ["--checkpoint", "--force", "--help", "--out", "RUN_OR_MODEL"],
    "serve": ["--access-log", "--allow-host", "--help", "--host", "--port", "--workers", "[MODEL]"],
    "help": ["--help", "[TOPIC]"],
    "data": ["--data-dir", "--help"],
    "data check": ["--data-dir", "--help", "--resize", "--set", "NAME_OR_PATH"],
    "data show": [
        "--columns", "--data-dir", "--force", "--help", "--out", "--output", "--resize", "--set", "--split",
        "NAME_OR_PATH",
    ],
}  # fmt: skip
SHORT = {
    "train": ["-n", "-o", "-q"],
    "sample": ["-n", "-o"],
    "write": ["-n", "-o"],
    "morph": ["-o"],
    "evaluate": ["-n"],
    "compare": ["-n"],
    "data show": ["-o"],
    "export": ["-o"],
}


#: The warning of a new run with the small data.
TOO_FEW = (
    "inkgan: warning: small has too few test images to measure: evaluate and compare need 128, and it has 2; put as "
    "many into its test split, a folder test/ beside train/ or arrays test_images and test_labels.\n"
)


def test_the_surface_is_frozen() -> None:
    """Commands, options and short options have not changed; if you add one, add it above."""
    found: dict[str, list[str]] = {}
    short: dict[str, list[str]] = {}

    def walk(command: Any, name: str) -> None:
        long: list[str] = ["--help"]
        letters: list[str] = []
        for parameter in command.params:
            if parameter.param_type_name == "argument":
                long.append(parameter.metavar)
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                (long if option.startswith("--") else letters).append(option)
        found[name] = sorted(long)
        if letters:
            short[name] = sorted(letters)
        for inner, one in getattr(command, "commands", {}).items():
            walk(one, f"{name} {inner}".strip())

    walk(typer.main.get_command(app), "")
    assert found == SURFACE, "give the command or option to SURFACE, above"
    assert short == SHORT, "give the short option to SHORT, above"


@pytest.mark.parametrize("command", SURFACE)
def test_help_teaches(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command explains itself, with every option it has."""
    assert run([*command.split(), "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert all(option in said.out for option in SURFACE[command])
    assert run([*command.split(), "-h"]) == 0
    assert capsys.readouterr() == said


_TO_MEASURE = "-n 200 --data d.npz --data-dir e --seed 3 --full --set data.ink=dark"
_MEASURING = {"n": 200, "data": "d.npz", "data_dir": Path("e"), "seed": 3, "full": True, "settings": ["data.ink=dark"]}
_TO_DRAW = "--steps 3 --model runs/first --legible 0.5"
_DRAWING = {"steps": 3, "model": "runs/first", "legible": 0.5}
_TO_SERVE = "--host ::1 --port 8001 --allow-host a --allow-host b --workers 3 --access-log"
_SERVING = {"host": "::1", "port": 8001, "allow_hosts": ["a", "b"], "workers": 3, "access_log": True}

_TO_TRAIN = (
    "--data d.npz --data-dir e --resize 32 --seed 3 --steps 9 --seconds 5 --stop-at 4 --extend 6 --out o --resume "
    "--force --heal --processes 2 --timeout 7 --device cpu --precision float32 --config c.toml --set slope=0.3 "
    "--evaluate-every 2"
)
_TRAINING: TrainingOptions = {
    "data": "d.npz",
    "data_dir": Path("e"),
    "resize": "32",
    "seed": 3,
    "steps": 9,
    "seconds": 5.0,
    "stop_at": 4,
    "extend": 6,
    "out": "o",
    "resume": True,
    "force": True,
    "heal": True,
    "processes": 2,
    "timeout": 7.0,
    "device": "cpu",
    "precision": "float32",
    "config": Path("c.toml"),
    "settings": ["watch.evaluate_every=2", "slope=0.3"],
}


def test_training_is_tested_with_every_option() -> None:
    """The table above has every option that ``inkgan.train`` takes."""
    assert set(_TRAINING) == set(TrainingOptions.__annotations__)


@pytest.mark.parametrize(
    ("words", "function", "arguments", "options"),
    [
        (f"train --recipe best {_TO_TRAIN}", "training.start.train", ("best",), _TRAINING),
        (f"evaluate a {_TO_MEASURE}", "evaluation.evaluate.evaluate", ("a",), _MEASURING),
        (f"compare a b {_TO_MEASURE}", "evaluation.compare.compare", ("a", "b"), _MEASURING),
        (f"morph 4 5 -o a.gif {_TO_DRAW}", "generation.hands.morph", ([4, 5],), _DRAWING),
        (f"morph 4 5 -o a.png {_TO_DRAW}", "generation.hands.morph", ([4, 5],), _DRAWING),
        (f"serve runs/first {_TO_SERVE}", "serving.server.serve", ("runs/first",), _SERVING),
        (
            f"train --recipe best {_TO_TRAIN} --seeds 1-2 --jobs 2 --engine ray",
            "cli.many_runs.train_many",
            (TrainingTask("best", _TRAINING), [1, 2]),
            {"jobs": 2, "engine": "ray"},
        ),
        (
            "write 12 -n 9 --shards 3 --shard 2/3 --jobs 2 --engine ray -o a/",
            "generation.shards.write_shards",
            (inkgan.Spec(texts=["12"], count=9, shards=3), "a/"),
            {"part": (2, 3), "jobs": 2, "engine": "ray"},
        ),
    ],
)
def test_every_option_has_an_effect(
    words: str,
    function: str,
    arguments: tuple[Any, ...],
    options: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What does the work gets each option, none of which has its default here."""
    monkeypatch.chdir(tmp_path)

    def work(*given: Any, **named: Any) -> None:
        assert given == arguments
        assert {name: named[name] for name in options} == options
        raise ConfigError("every option is here")

    monkeypatch.setattr(f"inkgan.{function}", work)
    assert command_refusal(capsys, *words.split()) == "every option is here"


@pytest.mark.parametrize(
    ("command", "function", "names"),
    [
        ("write", inkgan.write, "model seed style slant height background legible look"),
        ("sample", inkgan.Model.sample, "seed statistics legible"),
        ("morph", morph, "steps model legible"),
        ("evaluate", inkgan.evaluate, "n data data_dir seed full"),
        ("compare", inkgan.compare, "n data data_dir seed full"),
    ],
)
def test_what_is_left_out_is_as_in_python(command: str, function: Callable[..., Any], names: str) -> None:
    group: Any = typer.main.get_command(app)
    options = {option.name: option.default for option in group.commands[command].params}
    given = inspect.signature(function).parameters
    assert [options[name] for name in names.split()] == [given[name].default for name in names.split()]


@pytest.mark.parametrize(
    "words", ["evaluate fast --json taken", "evaluate fast --report taken.html", "compare fast best --json taken"]
)
def test_a_file_that_is_taken_is_noticed_before_measuring(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Measuring takes minutes."""
    monkeypatch.chdir(tmp_path)
    for name in ("taken", "taken.html"):
        Path(name).touch()
    for name in ("evaluate", "compare"):
        monkeypatch.setattr(f"inkgan.evaluation.{name}.{name}", lambda *_, **__: pytest.fail("it measured first"))
    given = words.split()
    assert command_refusal(capsys, *given).startswith(f"{given[-1]} exists already. Add --force")


def test_no_arguments_teach_too(capsys: pytest.CaptureFixture[str]) -> None:
    """``inkgan`` alone shows the help."""
    run([])
    said = capsys.readouterr()
    assert "Usage: inkgan" in said.out + said.err
    assert "train" in said.out + said.err
    assert "inkgan: " not in said.err  # an error would begin with it


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints one line."""
    assert run(["--version"]) == 0
    assert re.fullmatch(r"inkgan \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> Path:
    """A folder of inputs that are damaged, empty or of the wrong kind. Copy it before use."""
    place = tmp_path_factory.mktemp("inputs")
    good = small_data.read_bytes()
    for folder in ("empty", "full", "run", "broken", "cut", "text", "bomb", "trained/checkpoints"):
        (place / folder).mkdir(parents=True)
    for folder in ("cut", "text", "bomb"):
        write_set(place / folder, zipped=False)
        (place / folder / "train-images-idx3-ubyte").unlink()
    for name, content in {
        "text.txt": b"hello",
        "small.npz": good,
        "empty.npz": b"",
        "cut.npz": good[: len(good) // 2],
        "full/notes.txt": b"mine",
        "run/config.json": resolve(options={"data.name": "small.npz"}).model_dump_json().encode(),
        "broken/config.json": b"{",
        "heavy.toml": b"[[texts]]\ntemplate='1'\nweight=1e308\n[[texts]]\ntemplate='2'\nweight=1e308\n",
        "trained/config.json": b"{}",
        "model.pt": pickle.dumps({"w": 1}),
        "cut/train-images-idx3-ubyte": b"\0\0\x08\x03\0\0\0\x09",
        "text/train-images-idx3-ubyte": b"hello, this is no IDX file",
        "bomb/train-images-idx3-ubyte.gz": gzip.compress(b"\0\0\x08\x03" + b"\0" * 2**22),
    }.items():
        (place / name).write_bytes(content)
    np.savez(place / "wide.npz", images=np.random.default_rng(0).random((20, 8, 9)))
    np.savez(place / "objects.npz", images=np.array([{}, []], dtype=object))
    return place


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        ("train extra", "Got unexpected extra argument(s) (extra)."),
        ("train --steps", "Option '--steps' requires an argument. Type `inkgan train --help`."),
        ("data show small.npz -o", "Option '-o' requires an argument. Type `inkgan data show --help`."),
        ("train --steps many", "'--steps': 'many' is not a whole number."),
        ("train --steps 5 --seconds 5", "either steps or seconds"),
        ("train --seed -1", "seed=-1 is not allowed: give 0 or more"),
        ("train --seeds 1-2 --jobs 0", "cannot run 0 jobs"),
        ("train --seeds 1-2 --out .", "--out '.' cannot name many runs"),
        ("train --set watch.kep=5", "Did you mean 'watch.keep'?"),
        ("train --config none.toml", "cannot read none.toml: no such file"),
        ("train --data mnits", "Did you mean 'mnist'?"),
        ("train --data none.npz", "none.npz does not exist."),
        ("train --data empty.npz", "empty.npz is empty."),
        ("train --data cut.npz", "cut.npz is damaged or not an .npz file"),
        ("train --data objects.npz", "objects.npz: `images` holds object values"),
        ("train --recipe tutorial --data wide.npz", "made for 28×28 grey images; "),
        ("train --data empty", "empty has no image that can be used: it holds no such file."),
        ("train --data text.txt", "text.txt is a single file."),
        ("train --data mnist --data-dir none", "none is not a folder."),
        ("train --data mnist --data-dir cut", "train-images-idx3-ubyte is truncated"),
        ("train --data mnist --data-dir text", "train-images-idx3-ubyte is not an IDX file"),
        ("train --data mnist --data-dir bomb", "train-images-idx3-ubyte.gz is empty"),
        ("train --data small.npz --device cuda:99", "no device 'cuda:99' here"),
        ("train --data small.npz --out=", "--out was given an empty value"),
        ("train --data small.npz --resume --out=", "--out was given an empty value"),
        ("sample fast -o=", "--out was given an empty value"),
        ("write 1 -n 2 --shards 2 -o=", "--out was given an empty value"),
        ("train --data small.npz --out text.txt", "cannot write text.txt: not a directory."),
        ("train --data small.npz --out text.txt/run", "cannot write text.txt/run: not a directory."),
        ("train --data small.npz --out full", "full holds notes.txt, which no run wrote"),
        ("train --data small.npz --out full --force", "full holds notes.txt, which no run wrote"),
        ("train --data small.npz --out run", "replace it with --force"),
        ("train --data small.npz --out /proc/run", "cannot write /proc/run: "),
        ("train --data small.npz --resume", "there is no run fast-small-seed0 in runs to resume."),
        ("train --data small.npz --resume --out full", "full is not the folder of a run: it has no config.json."),
        ("train --data small.npz --resume --out run --seed 5", "seed: 0 -> 5"),
        ("train --data small.npz --resume --out broken", "broken/config.json is damaged: it is not JSON"),
        ("train --resume --out nowhere", "nowhere is not the folder of a run: there is no such folder."),
        ("doctor .", ". is not the folder of a run: it has no config.json, but holds the folders of runs, such as "),
        (
            "doctor full",
            "full is not the folder of a run: it has no config.json. Name the folder that `inkgan train` printed.",
        ),
        ("train --resume --force --out run", "--resume continues the run in --out, and --force replaces it"),
        ("train --extend 9 --force --out run", "--extend continues the run"),
        ("train --seed 1 --quiet --seed=2", "--seed was given 2 times"),
        ("train --set steps=9 --set loss=hinge --set steps=8", "steps was given 2 values"),
        ("train --steps 9 --set steps=9", "steps was given 2 values"),
        ("train --recipe best --set recipe=fast", "recipe was given 2 values"),
        ("train --evaluate-every 5 --set watch.evaluate_every=6", "watch.evaluate_every was given 2 values"),
        ("train --jobs 2", "Name their seeds, such as --seeds 0-9."),
        ("train --dry-run --device npu:0", "no device 'npu:0'"),
        ("train --dry-run --device cuda:99", "no device 'cuda:99' here"),
        ("train --dry-run --seeds 1-2 --device cuda:99", "no device 'cuda:99' here"),
        pytest.param(f"write 1 --shards 2 --shard {'1' * 5000}/2 -o x/", "is not I/N. Write 3/64", id="long --shard"),
        ("train --dry-run --seeds 1-2 --device vulkan", "no device 'vulkan'"),
        ("train --dry-run --seeds 1-2 --engine rey", "unknown engine 'rey'"),
        ("train --dry-run --seeds 1-2 --seed 3", "--seed is for one run"),
        ("train --dry-run --stop-at -3", "stop_at=-3"),
        ("train --dry-run --timeout nan", "timeout=nan"),
        ("train --dry-run --processes 0", "--processes 0 is not possible here"),
        ("train --dry-run --processes 3", "3 processes cannot share slices=1 evenly"),
        ("train --dry-run --out run", "already holds a run"),
        ("train --dry-run --data here/none", "here/none does not exist"),
        ("train --dry-run --data empty", "empty has no image that can be used: it holds no such file"),
        ("train --dry-run --seeds 1-2 --data full", "full has no image that can be used"),
        ("train --dry-run --data text.txt", "text.txt is a single file. Give a folder of images,"),
        ("train --dry-run --data empty.npz", "empty.npz is empty. Give an .npz file"),
        ("train --dry-run --resume --out run --seed 5", "seed: 0 -> 5"),
        ("train --dry-run --extend 5 --out run", "run is not complete: it is at step 0"),
        ("train --dry-run --data-dir text.txt", "text.txt is not a folder"),
        ("train --dry-run --set network=bigger", "unknown network 'bigger'"),
        ("sample run", "Missing option '--out' / '-o'."),
        ("sample none -o a.png", "there is no model or run 'none'."),
        ("sample full -o a.png", "full is neither a run ("),
        ("sample model.pt -o a.png", "model.pt is a pickle"),
        ("sample broken -o a.png", "broken/config.json is damaged: it is not JSON"),
        ("sample run -o a.png", "no checkpoint yet"),
        ("sample run -o a.jpg", "a.jpg does not say what to write. End it with .png"),
        ("sample run -o full", "full already holds files. Add --force"),
        ("sample fast -n 0 -o a.png", "cannot sample 0 images."),
        ("sample run -n 10001 -o a.png", "10,001 images do not fit on a sheet."),
        ("sample run -n x -o a.png", "'--count': 'x' is not a whole number."),
        ("sample run --columns 0 -o a.png", "'--columns': 0 is out of range."),
        ("data chek mnist", "Did you mean 'check'?"),
        ("data check small.npz --set loss=hinge", "loss does not change how images are read. These do: data.ink"),
        ("data show small.npz --set data.name=mnist", "data.name was given 2 values"),
        ("data check small.npz --resize 8 --set data.resize=9", "data.resize was given 2 values"),
        ("data --data-dir full check small.npz --data-dir empty", "--data-dir was given 2 times"),
        ("data --data-dir full --data-dir empty", "--data-dir was given 2 times"),
        ("sample fast -o a.png -n 2 --count 3", "-n was given 2 times"),
        ("sample fast -o a.png --label 2 --digit 3", "--label was given 2 times"),
        ("write 1 --knob blur=1 --knob blur=2", "blur was given 2 values"),
        ("write 1 -o a/ --format=", "--format was given an empty value"),
        ("write 1 -o a/ --split=", "--split was given an empty value"),
        ("write --texts heavy.toml -n 2 -o a.npz", "1,000,000,000 or less"),
        ("write 1 -o trained/ --model fast --force", "trained is the folder of a run"),
        ("sample fast -n 1 -o trained", "trained is the folder of a run"),
        ("morph 1 -o trained/ --model fast --force", "trained is the folder of a run"),
        ("export fast -o trained/ --force", "trained is the folder of a run"),
        ("evaluate small.npz --report trained/ --force", "trained is the folder of a run"),
        ("evaluate small.npz --report=", "--report was given an empty value"),
        ("evaluate small.npz --report a.html --json a.html", "Name two files"),
        ("data show small.npz --split trian", "'trian' is not one of 'train', 'validation', 'test'"),
        ("write 1 -o a.png --model tutorial", "tutorial cannot write"),
        ("write 1 -o a.png --model text.txt", "text.txt is a file, not a model folder"),
        ("write", "there is no text to write."),
        ("write 1 2", "there is no output. Name it with -o"),
        ("write .. -n 1", "there is no output. Name it with -o"),
        ("write 1 --texts none.txt -o a.png", "one of the two"),
        ("write --texts none.txt -o a.png", "cannot read none.txt: no such file"),
        ("write --texts text.txt -o a.png", "text.txt, line 1: cannot write 'hello'"),
        ("write {dat} -o a.png", "Did you mean 'date'?"),
        ("write 1 --force -o", "Option '-o' requires an argument."),
        ("write -5 -o a.png", "Put -- before"),
        ("morph x -o a.gif", "'SEED...': 'x' is not a whole number."),
        ("morph 3 -4 -o a.gif", "No such option: -4. Put -- before"),
        ("xyz 2026", "No such command 'xyz'. Type `inkgan --help`."),
        ("trian", "Did you mean 'train'? Type `inkgan --help`."),
        ("data list", "No such command 'list'. Type `inkgan data --help`."),
        ("sample", "Missing argument 'RUN_OR_MODEL'. Type `inkgan sample --help`."),
        ("train --stepz 3", "(Possible options: --set, --steps, --stop-at). Type `inkgan train --help`."),
        ("write 1 --seed 9223372036854775808 -o a.png", "A seed is a whole number from 0"),
        ("morph 1 -o a.exe", "a.exe does not say what to write."),
        ("data --data-dir none", "none is not a folder."),
        ("data --data-dir=", "--data-dir was given an empty value"),
        ("data check small.npz --data-dir=", "--data-dir was given an empty value"),
        ("train --dry-run --config=", "--config was given an empty value"),
        ("train --dry-run --set loss=hinge --set=", "--set was given an empty value"),
        ("evaluate small.npz --json=", "--json was given an empty value"),
        ("sample fast --columns 3 -o a.npz", "--columns is for a sheet"),
        ("sample fast --columns 3 -o a/", "--columns is for a sheet"),
    ],
)
def test_bad_input(
    tmp_path: Path,
    inputs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    needed: str,
) -> None:
    """Wrong input ends with one line that says what is wrong and exit code 2, and changes nothing on the disk."""
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    before = runs.listing(tmp_path)
    line = command_refusal(capsys, *arguments.split())
    assert needed in line
    assert len(line) < 500
    Path("run/lock").unlink(missing_ok=True)
    assert runs.listing(tmp_path) == before


@pytest.mark.parametrize("command", ["sample", "evaluate", "export", "write", "write 1 --model", "compare fast"])
def test_an_empty_argument_is_not_the_current_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty argument, such as a shell variable that is not set, is refused; it is not taken for this folder."""
    monkeypatch.chdir(tmp_path)
    out = ["-o", "a/"] if command.partition(" ")[0] in {"sample", "export", "write"} else []
    assert "was given an empty value" in command_refusal(capsys, *command.split(), "", *out)


def test_an_empty_name_is_not_the_run_in_this_folder(
    stopped_run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(stopped_run)
    assert "RUN... was given an empty value" in command_refusal(capsys, "doctor", "")


def test_a_message_keeps_the_spaces_of_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Otherwise it would name another folder, also in a command to paste."""
    said = command_refusal(capsys, "train", "--resume", "--out", tmp_path / "my  run")
    assert said.startswith(f"{tmp_path}/my  run is not the folder of a run")


def test_names_do_not_move_the_cursor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters in a name are escaped in the report of what was written and in a dry run's comment."""
    monkeypatch.chdir(tmp_path)
    assert run(["sample", "fast", "-n", "1", "-o", "a\nb\x1b[2J.png"]) == 0
    assert capsys.readouterr().out == "1 image: a\\nb\\x1b[2J.png\n"
    assert run(["train", "--dry-run", "--out", "a\nseed = 5"]) == 0
    assert capsys.readouterr().out.startswith("# would run in a\\nseed = 5\n")


@pytest.mark.parametrize("word", ["--out=~/a/", "-o=~/a/", "~/a/"])
def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    """``~`` is the home folder even in ``--out=~/a/``, where shells keep it as it is; ``-o=a`` makes no file ``=a``."""
    monkeypatch.setenv("HOME", f"{tmp_path}/home")
    monkeypatch.chdir(tmp_path)
    option = [] if word.startswith("-") else ["-o"]
    assert run(["sample", "fast", "-n", "1", *option, word]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert (tmp_path / "home/a/0/0.png").is_file()


@pytest.mark.parametrize(
    "name",
    [
        "x" * 300,
        "a\nb",
        pytest.param("\udcff", marks=pytest.mark.linux),
        "ü ",
        "-",
        "none/..",
        "~nobody/x",
        "a\x1b[31mb",
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ["train", "--data"],
        ["train", "--config"],
        ["train", "--data-dir"],
        ["train", "--recipe"],
        ["train", "--set"],
        ["train", "--dry-run", "--resume", "--out"],
        ["sample", "-o", "a.png", "--"],
        ["sample", "run", "-o"],
        ["data", "check", "--"],
    ],
    ids=" ".join,
)
def test_strange_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], name: str
) -> None:
    """Names that are long, unprintable or not UTF-8 are refused in one line too."""
    monkeypatch.chdir(tmp_path)
    if command == ["train", "--data-dir"]:
        name += "/none"
    command_refusal(capsys, *command, name)
    assert list(tmp_path.iterdir()) == []


def test_dry_run_is_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--dry-run prints settings that --config takes, and writes no file."""
    monkeypatch.chdir(tmp_path)
    assert run(["train", "--dry-run", "--seed", "7", "--set", "watch.keep=3"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("# would run in runs/fast-mnist-seed7\n")
    Path("settings.toml").write_text(first, "utf-8")
    assert run(["train", "-n", "--config", "settings.toml"]) == 0
    assert capsys.readouterr().out == first
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]


@pytest.mark.slow
def test_plain_lines(tmp_path: Path, small_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a terminal, a run prints plain lines without pictures or control codes, and at the end how to go on."""
    folder = tmp_path / "a run"
    assert run(runs.command(folder, small_data, "--stop-at", "3")) == 0
    said = capsys.readouterr()
    assert said.err == TOO_FEW
    assert said.out.replace("\n", "").isprintable()
    assert f"run folder: {folder}" in said.out
    assert "the untrained generator" in said.out
    assert re.search(r"^step 2/6  D \d\.\d+  G \d\.\d+  margin [+-].* in order  picture's margin [+-]", said.out, re.M)
    stopped, command = said.out.splitlines()[-1].split(": inkgan ")
    assert stopped == "stopped after step 3 and saved. Continue with"
    assert shlex.split(command) == ["train", "--resume", "--out", str(folder)]
    assert run([*shlex.split(command), "--device", "cpu", "--stop-at", "3"]) == 0
    nothing_done = capsys.readouterr().out.splitlines()[-1]
    assert nothing_done == f"it was at step 3 already, so nothing was trained. Continue with: inkgan {command}"
    assert run([*shlex.split(command), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "resuming at step 3" in said.out
    for name in ("sheet.png", "learning.gif"):
        assert str(folder / "pictures" / name) in said.out
    assert "\ndone: 6 steps in " in said.out
    assert run([*shlex.split(command), "--device", "cpu"]) == 0
    said = capsys.readouterr()
    assert "\nit was complete already: 6 steps in " in said.out
    assert f". To go on: inkgan train --extend STEPS --out {shlex.quote(str(folder))}\n" in said.out


@pytest.mark.parametrize("folder", ["fast", "-x"])
def test_the_suggested_command_can_be_pasted(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The suggested command is right even if the run is named like a bundled model or an option."""
    with watcher_for(quiet=False) as watcher:
        watcher.ended(Result(Path(folder), step=3, seconds=1.0, complete=True, sheet=None))
    assert f" inkgan sample ./{folder} " in capsys.readouterr().out


@pytest.mark.slow
def test_quiet(tmp_path: Path, small_data: Path, stopped_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--quiet prints nothing except warnings."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    damaged = runs.newest(folder) / "state.json"
    runs.damage(damaged)
    assert run(runs.command(folder, small_data, "--resume", "--quiet")) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"inkgan: warning: .*state\.json.*\n", said.err)
    assert run(runs.command(folder, small_data, "--resume", "-q")) == 0
    assert capsys.readouterr() == ("", "")


def test_divergence(
    tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run that diverges ends with one line and exit code 3."""
    monkeypatch.setattr("inkgan.training.losses.zero_centered_penalty", lambda given: given.sum() * float("nan"))
    assert run(runs.command(tmp_path / "run", small_data, "--quiet")) == 3
    said = capsys.readouterr()
    assert said.out == ""
    warning, line = said.err.splitlines()
    assert f"{warning}\n" == TOO_FEW
    assert line.startswith("inkgan: ")
    assert "diverged at step -2: penalty is nan" in line


def test_interrupted_outside_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends a command with exit code 130, as in shells, and without a traceback."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("inkgan.generation.model.load", interrupted)
    assert run(["sample", "fast", "-o", str(tmp_path / "digits.png")]) == 130
    assert capsys.readouterr().err == "inkgan: stopped.\n"


@pytest.mark.slow
@pytest.mark.parametrize("module", ["inkgan.cli", "typer", "inkgan.cli.write", "numpy", "PIL.Image"])
def test_interrupted_while_importing(tmp_path: Path, module: str) -> None:
    """Ctrl-C ends a command in one line, whatever it is importing."""
    code = (
        "import signal, sys\n"
        "module = sys.argv.pop(1)\n"
        "class Finder:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == module: signal.raise_signal(signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "sys.meta_path.insert(0, Finder)\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    done = program(sys.executable, "-c", code, module, "write", "7", "-o", str(tmp_path / "seven.png"))
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "inkgan: stopped.\n")
    assert list(tmp_path.iterdir()) == []


#: Code that handles signals as in a new shell: the process that runs the tests may ignore some, as under nohup.
DEFAULT_SIGNALS = (
    "import signal\n"
    "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
    "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
)


def stopped(arguments: str, folder: Path, begun: str, number: signal.Signals) -> tuple[int, str]:
    """Send a signal to a command as soon as a file is there; return its exit code and the last line of its stderr."""
    code = f"{DEFAULT_SIGNALS}from inkgan.__main__ import main\nmain()"
    command = [sys.executable, "-c", code, *arguments.split()]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        wait_for_file(folder, begun, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return process.returncode, errors.splitlines()[-1] if errors else ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [
        ("write 2 -n 20 -o out/", signal.SIGINT, -signal.SIGINT),
        ("write 2 -n 20 -o out/", signal.SIGTERM, 143),
        ("sample best -n 20 -o out/", signal.SIGHUP, 129),
    ],
)
def test_stopped_while_it_fills_a_folder(tmp_path: Path, arguments: str, number: signal.Signals, code: int) -> None:
    """Whatever the signal, a command that is asked to stop removes its temporary files."""
    program_text = (
        f"{DEFAULT_SIGNALS}import os, sys\n"
        "number = int(sys.argv.pop(1))\n"
        "begun = []\n"
        "def hook(event, given):\n"
        "    if event == 'open' and '.tmp/new/' in str(given[0]):\n"
        "        begun.append(given[0])\n"
        "        if len(begun) == 7: os.kill(os.getpid(), number)\n"
        "sys.addaudithook(hook)\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    done = program(sys.executable, "-c", program_text, str(int(number)), *arguments.split(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (code, "inkgan: stopped.\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_a_loop_of_the_shell(tmp_path: Path) -> None:
    """Bash goes on after any exit code, because a program may use Ctrl-C for something else; not after a SIGINT."""
    program_text = (
        f"{DEFAULT_SIGNALS}import inkgan.cli, os, time\n"
        "def run(words):\n"
        "    open(words[0], 'x')\n"
        "    try:\n"
        "        os.killpg(0, signal.SIGINT)  # as a terminal does\n"
        "        time.sleep(60)\n"
        "    except KeyboardInterrupt:\n"
        "        return 130\n"
        "inkgan.cli.run = run\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    command = shlex.join([sys.executable, "-c", program_text])
    loop = f"for name in a b; do {command} $name; done"
    shell = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "os.execvp('bash', ['bash', '-c', sys.argv[1]])"
    )
    words = [sys.executable, "-c", shell, loop]
    done = subprocess.run(
        words, cwd=tmp_path, start_new_session=True, stderr=subprocess.PIPE, check=False, timeout=SECONDS
    )
    assert ([path.name for path in tmp_path.iterdir()], done.stderr) == (["a"], b"")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_stopped_while_it_makes_shards(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """It says that the same command continues, and the exit code says which signal stopped it."""
    arguments = "write dddd -n 100000 --shards 1000 --height 24 --jobs 1 -o out"
    message = "inkgan: stopped. The same command continues from there."
    assert stopped(arguments, tmp_path, "out/.*.sha256", number) == (code, message)
    assert not list(tmp_path.glob("out/.inkgan.*"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_while_python_ends(number: signal.Signals) -> None:
    """A signal while Python shuts down, such as a second one, ends the process at once and without a traceback."""
    code = (
        f"{DEFAULT_SIGNALS}import atexit, sys\n"
        "number = int(sys.argv.pop(1))\n"
        "atexit.register(signal.raise_signal, number)\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    done = program(sys.executable, "-c", code, str(int(number)), "--version")
    assert (done.returncode, done.stderr) == (-number, "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_stopped_while_a_library_replaces_the_exception(number: signal.Signals, code: int) -> None:
    """Ray raises a KeyboardInterrupt of its own; the exit code says which signal stopped the command all the same."""
    program_text = (
        "import signal, sys\n"
        "number = int(sys.argv.pop(1))\n"
        "signal.signal(number, signal.SIG_DFL)\n"
        "import inkgan.cli\n"
        "def run(words):\n"
        "    try:\n"
        "        signal.raise_signal(number)\n"
        "    except KeyboardInterrupt:\n"
        "        return 130\n"
        "inkgan.cli.run = run\n"
        "from inkgan.__main__ import main\n"
        "main()"
    )
    assert program(sys.executable, "-c", program_text, str(int(number))).returncode == code


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "closing"),
    [
        ("train --dry-run", ">&-"),
        ("data", ">&- 2>&-"),
        ("help", ">&-"),
        ("--version", "<&- >&- 2>&-"),
        ("write 7 -o seven.png", ">&-"),
        ("write 7 -o seven.png", "2>&-"),
        ("write 7 -o seven.png", "<&- >&- 2>&-"),
    ],
)
def test_closed_streams(tmp_path: Path, arguments: str, closing: str) -> None:
    """A command that is started with closed streams still does its work."""
    command = f"{shlex.quote(sys.executable)} -m inkgan {arguments} {closing}"
    done = program("bash", "-c", command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == (["seven.png"] if "write" in arguments else [])


@pytest.mark.slow
def test_a_run_with_closed_streams(tmp_path: Path, small_data: Path) -> None:
    """What a run prints to a closed stream is lost: it does not land in a file that got the stream's number."""
    command = shlex.join([sys.executable, "-m", "inkgan", *runs.command(tmp_path / "run", small_data)])
    done = program("bash", "-c", f"{command} <&- >&- 2>&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert runs.steps_saved(tmp_path / "run")[-1] == runs.STEPS
    assert [line["step"] for line in runs.metrics(tmp_path / "run")] == [-2, -1, 0, 1, 2, 3, 4, 5]
    assert (tmp_path / "run" / "lock").stat().st_size == 0


@pytest.mark.slow
def test_an_error_with_closed_streams(tmp_path: Path) -> None:
    """The exit code reports an error whose message cannot be printed."""
    done = program("bash", "-c", f"{shlex.quote(sys.executable)} -m inkgan train --seed -1 >&- 2>&-", cwd=tmp_path)
    assert done.returncode == 2


@pytest.fixture(scope="module")
def usual_help() -> str:
    """What ``inkgan --help`` prints without a variable for the terminal's size."""
    return program(sys.executable, "-m", "inkgan", "--help").stdout


@pytest.mark.slow
@pytest.mark.parametrize("size", ["abc", "0", "-3", "²", "9" * 5000])
def test_variables_for_the_size_of_the_terminal_do_not_matter_if_they_name_no_size(usual_help: str, size: str) -> None:
    sizes = [f"{name}={size}" for name in ("TERMINAL_WIDTH", "COLUMNS", "LINES")]
    done = program("env", *sizes, sys.executable, "-m", "inkgan", "--help")
    assert "Usage: inkgan" in done.stdout
    assert (done.returncode, done.stdout, done.stderr) == (0, usual_help, "")


NO_PROCESSES = (
    "the system starts no more processes and threads. Ask for fewer --jobs or --workers, or raise the limit: ulimit -u."
)
NO_WORKERS = (
    "a process ended at once: too little memory, or no more threads. Ask for fewer --jobs or --workers, or raise the "
    "limit: ulimit -u."
)
NO_MEMORY = "there is not enough memory. Ask for fewer or smaller images, or a smaller batch_size."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/some/where\n"), "permission denied: /some/where\\n."),
        (OSError(errno.EIO, "Input/output error", "x"), "input/output error: x."),
        (io.UnsupportedOperation("Not seekable."), "cannot write what this command prints: not seekable."),
        (OSError(errno.EIO, "Input/output error"), "cannot write what this command prints: input/output error."),
        (
            OSError(errno.EMFILE, "Too many open files"),
            "too many open files. Ask for fewer --jobs or --workers, or raise the limit: ulimit -n 4096.",
        ),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), NO_PROCESSES),
        (RuntimeError("can't start new thread"), NO_PROCESSES),
        (RuntimeError(os.strerror(errno.EAGAIN)), NO_PROCESSES),
        (
            BlockingIOError(errno.EAGAIN, "write could not complete without blocking"),
            "cannot write what this command prints: write could not complete without blocking.",
        ),
        (BrokenProcessPool("ended"), NO_WORKERS),
        (MemoryError(), NO_MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:119] you tried to allocate memory"), NO_MEMORY),
    ],
    ids=["a file", "a disk", "a stream", "a terminal that is gone", "too many pipes",
         "a process", "a thread", "a thread of PyTorch", "a full pipe",
         "a process of the server", "memory", "memory of PyTorch"],
)  # fmt: skip
def test_errors_of_the_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    """An error of the operating system that the code does not handle itself is reported in one line."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("inkgan.generation.model.load", fail)
    assert command_refusal(capsys, "sample", "fast", "-o", "a.png", code=1) == said


def test_defects_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other unexpected error is a bug in the program, so its traceback is shown."""

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("inkgan.generation.model.load", fail)
    with pytest.raises(ZeroDivisionError):
        run(["sample", "fast", "-o", "a.png"])


@pytest.mark.parametrize(
    "words",
    ["train --dry-run", "evaluate nope", "write 1 -o /no/a.png", "data check .",
     "write 1", "write 1 -o a/", "write 1 -n 2 --shards 2 -o a/", "sample fast -o a.npz",
     "export fast -o a.html"],
)  # fmt: skip
def test_a_current_folder_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert run(words.split()) == 2
    assert capsys.readouterr().err == "inkgan: the current folder no longer exists. Change into one that does: cd\n"


def test_no_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not taken for a current folder that is gone."""
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setattr("tempfile._candidate_tempdir_list", lambda: [str(tmp_path / "none")])
    monkeypatch.setattr("inkgan.generation.model.load", lambda *_, **__: tempfile.gettempdir())
    said = command_refusal(capsys, "sample", "fast", "-o", str(tmp_path / "a.png"))
    assert re.fullmatch(
        r"no usable temporary directory found in .*\. Set TMPDIR to a folder that can be written\.", said
    )


def test_an_absurd_argument_is_not_repeated_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    """A message with 5,000 letters of input is shortened to its beginning and its end, where the remedy is."""
    said = command_refusal(capsys, "sample", "fast", "-n", "7" * 5000 + "x")
    assert len(said) < 1100
    assert "-n" in said[:60]
    assert said.endswith("is not a whole number. Type `inkgan sample --help`.")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sample fast -n 1,000,000 -o a.npz", ": write 1000000, without commas. Type `inkgan sample --help`."),
        ("train --seconds 1,000", "'--seconds': write 1000, without commas. Type `inkgan train --help`."),
        ("serve fast --port x", "'x' is not a whole number. Type `inkgan serve --help`."),
        ("sample fast -n 1e3 -o a.npz", "'1e3' is not a whole number. Type `inkgan sample --help`."),
        ("sample fast -o a.png --columns 5000", "5000 is out of range. Give 1 to 1000. Type `inkgan sample --help`."),
        ("write 1 --style x -o a.png", "'x' is not a number. Type `inkgan write --help`."),
        ("serve --port 99999", "99999 is out of range. Give 0 to 65535. Type `inkgan serve --help`."),
        ("train --config / --dry-run", "cannot read /: is a directory. Name a TOML file."),
        (f"train --config {'a' * 300} --dry-run", "file name too long. Name a TOML file."),
        ("sample fast -n 20000 -o a.png", "20,000 images do not fit on a sheet. Ask for 10,000 or fewer, or for .npz."),
    ],
)
def test_numbers_and_files_of_a_wrong_kind(capsys: pytest.CaptureFixture[str], words: str, told: str) -> None:
    assert command_refusal(capsys, *words.split()).endswith(told)


def test_warnings_have_one_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each warning is one line on stderr, even if the same one was shown before."""

    def warn(*_: object, **__: object) -> None:
        for _time in range(2):
            warnings.warn("this is\nodd \x1b[2J", InkganWarning, stacklevel=1)
        raise ConfigError("enough.")

    monkeypatch.setattr("inkgan.generation.model.load", warn)
    assert run(["sample", "fast", "-o", str(tmp_path / "a.png")]) == 2
    warning = "inkgan: warning: this is odd \\x1b[2J\n"
    assert capsys.readouterr().err == warning * 2 + "inkgan: enough.\n"


@pytest.mark.slow
def test_a_variable_that_pytorch_refuses_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, small_data: Path
) -> None:
    """PyTorch reads it when it is imported, so it takes a process of its own."""
    monkeypatch.setenv("TORCH_LOGS", "nonsense")
    ended = subprocess.run(
        [sys.executable, "-m", "inkgan", *runs.command(tmp_path / "run", small_data)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("inkgan: TORCH_LOGS='nonsense' is not allowed by PyTorch")
    assert ended.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.linux
@pytest.mark.slow
def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is written and reported like any other."""
    command = Path(sys.executable).with_name("inkgan")
    done = program(str(command), "sample", "fast", "-n", "1", "-o", os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png"))
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"]


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, call: Callable[[], int]) -> tuple[int, str]:
    """Call a function with a terminal as its stdout. Return its result and what appeared on the terminal."""
    master, slave = pty.openpty()
    shown: list[bytes] = []

    def read() -> None:
        try:
            while part := os.read(master, 4096):
                shown.append(part)
        except OSError:  # how Linux says that the other end was closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with os.fdopen(slave, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        code = call()
        monkeypatch.undo()
    reader.join(SECONDS)
    os.close(master)
    return code, b"".join(shown).decode()


def test_a_server_that_was_stopped_leaves_the_terminal_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal echoes Ctrl-C as ^C. A line takes its place, so that the shell's prompt begins a line."""
    monkeypatch.setattr("inkgan.serving.server.serve", lambda *_, **__: None)
    assert on_a_terminal(monkeypatch, lambda: run(["serve"])) == (0, "\r\x1b[Kstopped.\r\n")


@pytest.mark.slow
def test_a_terminal_shows_pictures(tmp_path: Path, tutorial_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, the tutorial shows a bar and pictures: the untrained generator's first, then as often as asked."""
    code, shown = on_a_terminal(
        monkeypatch, lambda: run(runs.command(tmp_path / "run", tutorial_data, settings=runs.TUTORIAL))
    )
    assert code == 0
    assert len(re.findall(r"the discriminator (takes this for (real|generated)|cannot tell)", shown)) == 5
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()
    assert len([line for line in lines if re.fullmatch("[ ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█]{28}", line)]) == 5 * 14
    assert shown.index("the untrained generator") < shown.index("▀") < shown.index("step 2/6")
    assert "sheet.png" in re.sub(r"\s", "", shown)


@pytest.mark.slow
def test_a_terminal_shows_a_panel(tmp_path: Path, small_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, a run has a panel that is redrawn in place, then the next commands; --plain has no panel."""
    code, shown = on_a_terminal(monkeypatch, lambda: run(runs.command(tmp_path / "run", small_data)))
    assert code == 0
    assert shown.index("run folder: ") < shown.index("doctor: healthy so far") < shown.index("done: 6 steps")
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is hidden and shown again
    assert "the discriminator" not in shown
    code, shown = on_a_terminal(monkeypatch, lambda: run(runs.command(tmp_path / "plain", small_data, "--plain")))
    assert code == 0
    assert "doctor: " not in shown
    assert "to the discriminator this looks" in shown


class _Gone(io.StringIO):
    """A terminal that is gone when something is written to it."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        raise self._error


@pytest.mark.slow
@pytest.mark.parametrize(
    "error",
    [OSError(errno.EIO, "gone"), BrokenPipeError(errno.EPIPE, "gone"), UnicodeEncodeError("ascii", "▀", 0, 1, "")],
)
@pytest.mark.parametrize("out", ["stdout", "stderr"])
def test_a_terminal_that_goes_away(
    tmp_path: Path, small_data: Path, stopped_run: Path, monkeypatch: pytest.MonkeyPatch, out: str, error: Exception
) -> None:
    """A run goes on if the terminal for its progress or its warnings is gone."""
    folder = runs.copy(stopped_run, tmp_path / "run")
    runs.damage(runs.newest(folder) / "state.json")
    monkeypatch.setattr(f"sys.{out}", _Gone(error))
    assert run(runs.command(folder, small_data, "--resume")) == 0
    monkeypatch.undo()
    assert runs.steps_saved(folder)[-1] == runs.STEPS


@pytest.mark.slow
def test_a_run_whose_reader_goes_away(tmp_path: Path, small_data: Path) -> None:
    """A run completes even if the reader of its output stops reading."""
    command = shlex.join([sys.executable, "-m", "inkgan", *runs.command(tmp_path / "run", small_data)])
    done = program("bash", "-c", f"set -o pipefail; {command} | head -n 1")
    assert (done.returncode, done.stderr) == (0, TOO_FEW)
    assert len(done.stdout.splitlines()) == 1
    assert runs.steps_saved(tmp_path / "run")[-1] == runs.STEPS


def test_data_on_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of data sets fits the window; elsewhere each set has one line, however long."""
    monkeypatch.setenv("COLUMNS", "40")
    code, shown = on_a_terminal(monkeypatch, lambda: run(["data"]))
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()
    assert lines[0].split() == ["name", "images", "classes", "where"]
    assert 30 < max(map(len, lines)) <= 40
    names = "".join(line.split()[0] for line in lines if not line.startswith(" "))
    assert "emnist-balancedemnist-byclass" in names  # each is folded, none is cut off


@pytest.mark.parametrize("width", ["1", "40", "70", "79", "80"])
def test_help_in_a_narrow_window(
    width: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A help page names every option in full, however narrow the window, and its examples keep their lines."""
    monkeypatch.setenv("COLUMNS", width)
    command = typer.main.get_command(app)
    for name in command.commands:  # type: ignore[attr-defined]
        assert run([name, "--help"]) == 0
        page = capsys.readouterr().out
        for parameter in command.commands[name].params:  # type: ignore[attr-defined]
            if parameter.param_type_name == "option":
                assert parameter.opts[0] in page, (name, parameter.opts[0])
        text = inspect.cleandoc(command.commands[name].help)  # type: ignore[attr-defined]
        examples = re.findall(r"^    +(inkgan .+)$", text, re.MULTILINE)
        assert set(examples) <= {line.strip() for line in page.splitlines()}


def program(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, and return the result."""
    return subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, check=False, **options)  # type: ignore[call-overload]


@pytest.mark.slow
def test_both_names_are_one() -> None:
    """``inkgan`` and ``python -m inkgan`` do the same."""
    command = Path(sys.executable).with_name("inkgan")
    by_name, by_module = (
        program(str(command), "train", "--stpes"),
        program(sys.executable, "-m", "inkgan", "train", "--stpes"),
    )
    assert by_name.returncode == by_module.returncode == 2
    assert by_name.stderr == by_module.stderr
    assert by_name.stderr.startswith("inkgan: ")
    assert by_name.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "needed", "heavy"),
    [
        ("--help", "inkgan.cli.train", {"torch", "numpy", "pydantic", "PIL", "tensorboard", "safetensors"}),
        ("write 2026 -o x.png", "numpy", {"torch", "scipy", "pydantic", "pooch", "jinja2"}),
        ("sample fast -n 2 -o x.png", "numpy", {"torch", "scipy", "pydantic", "pooch", "jinja2"}),
    ],
)
def test_what_is_quick_loads_nothing_heavy(tmp_path: Path, command: str, needed: str, heavy: set[str]) -> None:
    code = "import sys, inkgan.cli\nassert inkgan.cli.run(sys.argv[1:]) == 0"
    loaded = modules_after(code, *command.split(), folder=tmp_path)
    assert needed in loaded
    assert not loaded & heavy


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["train --dry-run", "write --help", "--version", "data"])
def test_a_reader_that_goes_away(arguments: str) -> None:
    """If the reader of the output goes away, a command ends silently with the exit code of SIGPIPE, as cat does."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        command = [sys.executable, "-m", "inkgan", *arguments.split()]
        ended = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert ended.stderr == ""
    assert ended.returncode == 128 + signal.SIGPIPE


@pytest.mark.linux
@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["train --dry-run", "write --help"])
def test_output_to_a_full_disk(arguments: str) -> None:
    """If the output cannot be written, one line on stderr says why."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "inkgan", *arguments.split()]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=SECONDS, check=False)
    assert ended.stderr == "inkgan: cannot write what this command prints: the disk is full.\n"
    assert ended.returncode == 1
