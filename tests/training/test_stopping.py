"""Signals: a run that is asked to stop saves first; one that is killed at any moment resumes as if it had not been."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import stepped_process
import tiny_runs as runs
from inkgan.runs import checkpoint
from inkgan.training.stopping import StopSignals
from waiting import SECONDS

#: A small network with pre-training, and a checkpoint after every second step.
SETTINGS = (f"pretraining_steps={stepped_process.PRETRAINING_STEPS}", "watch.save_every=2")


@pytest.fixture(autouse=True)
def _default_dispositions() -> Iterator[None]:
    """Reset signals to their defaults, even if the tests run under nohup or in the background."""
    defaults: dict[signal.Signals, Any] = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, disposition) for number, disposition in defaults.items()}
    yield
    for number, disposition in before.items():
        signal.signal(number, disposition)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, small_data: Path) -> dict[str, Any]:
    """Return what an uninterrupted run learned, with a checkpoint after every second step."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    runs.train(folder, small_data, settings=SETTINGS)
    return runs.learned(folder)


class _Trainer:
    """``inkgan train`` in its own process, which waits at every event."""

    def __init__(self, folder: Path, data: Path, *options: str) -> None:
        words = runs.command(folder, data, "--quiet", *options, settings=SETTINGS)
        self._errors = folder.with_name(f"errors-{time.monotonic_ns()}")
        # A server that has imported PyTorch once forks each trainer.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(
            ["stepped_process", "pytest", "inkgan.training.compact", "torch.utils.tensorboard"]
        )
        self._events, theirs = context.Pipe()
        self.process = context.Process(target=stepped_process.main, args=(words, self._errors, theirs))
        self.process.start()
        theirs.close()
        self.at = ""

    def event(self) -> str:
        """Wait for the next event; return an empty string if the process has ended."""
        try:
            self.at = self._events.recv()
        except (EOFError, ConnectionResetError):
            self.at = ""
        return self.at

    def say(self, word: str) -> None:
        """Let the process continue or answer."""
        self._events.send(word)

    def until(self, event: str, count: int = 1) -> None:
        """Continue until an event has happened a number of times; the process then waits there."""
        while count:
            assert self.event(), "the process ended before that"
            count -= self.at == event
            if count:
                self.say("go")

    def to_the_end(self) -> list[str]:
        """Continue until the process ends, and return the events on the way."""
        events = []
        self.say("go")
        while self.event():
            events.append(self.at)
            self.say("go")
        return events

    def signal(self, number: int) -> None:
        """Send a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def code(self) -> int:
        """Return the exit code once the process has ended."""
        self.process.join(SECONDS)
        assert self.process.exitcode is not None
        return self.process.exitcode

    def errors(self) -> list[str]:
        """Return the lines on stderr."""
        return self._errors.read_text("utf-8").splitlines()


@contextmanager
def trainer(folder: Path, data: Path, *options: str) -> Iterator[_Trainer]:
    """Start a trainer in its own process, which does not outlive the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        started = _Trainer(folder, data, *options)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.join()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "step"), [(signal.SIGINT, 130, 3), (signal.SIGTERM, 143, -1), (signal.SIGHUP, 129, 2)]
)
def test_asked_to_stop(
    tmp_path: Path, small_data: Path, whole: dict[str, Any], number: signal.Signals, code: int, step: int
) -> None:
    """The current step is finished and saved, but no other begins, and the resumed run ends as if uninterrupted."""
    folder = tmp_path / "run"
    with trainer(folder, small_data) as process:
        process.until(f"step {step}")
        process.signal(number)
        assert not [event for event in process.to_the_end() if event.startswith("step")]
        assert process.code() == code
        too_few, line = process.errors()
    assert too_few.startswith("inkgan: warning: small has too few test images to measure")
    assert line.startswith(f"inkgan: stopped by a signal at step {step + 1} and saved.")
    assert "--resume" in line
    assert runs.steps_saved(folder)[-1] == step + 1
    runs.train(folder, small_data, resume=True, settings=SETTINGS)
    assert runs.learned(folder) == whole


@pytest.mark.slow
def test_asked_to_stop_inside_a_save(tmp_path: Path, small_data: Path, whole: dict[str, Any]) -> None:
    """A signal during a save takes effect when the checkpoint is complete."""
    folder = tmp_path / "run"
    with trainer(folder, small_data) as process:
        process.until("step 1")
        process.say("go")
        process.until("fsync", 2)
        process.signal(signal.SIGTERM)
        process.to_the_end()
        assert process.code() == 143
    assert runs.steps_saved(folder)[-1] == 2
    runs.train(folder, small_data, resume=True, settings=SETTINGS)
    assert runs.learned(folder) == whole


@pytest.mark.slow
def test_asked_twice(tmp_path: Path, small_data: Path) -> None:
    """A second signal ends the process at once, without saving and without a traceback."""
    folder = tmp_path / "run"
    with trainer(folder, small_data) as process:
        process.until("step 3")
        saved = runs.steps_saved(folder)
        process.signal(signal.SIGINT)
        process.say("ask")
        assert process.event() == "ok"
        process.signal(signal.SIGTERM)
        assert process.code() == 143
        (too_few,) = process.errors()
    assert too_few.startswith("inkgan: warning: small has too few test images to measure")
    assert runs.steps_saved(folder) == saved == [0, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_same_signal_twice_is_one_request(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """The same signal twice within a moment, as timeout(1) sends it, counts once; any other counts again."""
    ended: list[int] = []
    now = [1000.0]
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr("os._exit", ended.append)
    monkeypatch.setattr("os.kill", lambda *given: killed.append(given))
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with StopSignals() as signals:
        for _ in range(2):
            signal.raise_signal(number)
            now[0] += 0.01
        assert (signals.received, ended) == (number, [])
        now[0] += 1
        signal.raise_signal(number)
        assert ended == ([] if number == signal.SIGHUP else [128 + number])
        other = signal.SIGINT if number != signal.SIGINT else signal.SIGTERM
        signal.raise_signal(other)
        assert ended[-1:] == [128 + other]
    # A shell ends its loop over commands after a death by SIGINT only; where that is ignored, the code follows.
    assert killed == [(os.getpid(), signal.SIGINT)]


@pytest.mark.parametrize("order", [(signal.SIGHUP, signal.SIGTERM), (signal.SIGTERM, signal.SIGHUP)])
def test_how_sessions_end(monkeypatch: pytest.MonkeyPatch, order: tuple[signal.Signals, signal.Signals]) -> None:
    """A hang-up together with another signal counts as one request."""
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    with StopSignals() as signals:
        for number in order:
            signal.raise_signal(number)
        assert (signals.received, ended) == (order[0], [])


def test_a_notebook_outlives_a_second_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process holds everything that was computed so far."""
    monkeypatch.setattr("inkgan.training.stopping.is_notebook", lambda: True)
    monkeypatch.setattr("os._exit", pytest.fail)
    with StopSignals() as signals:
        signals._note(signal.SIGINT, None)
        signals._received_at -= 1
        with pytest.raises(KeyboardInterrupt):
            signals._note(signal.SIGINT, None)
    assert signals.received == signal.SIGINT


def test_what_was_ignored() -> None:
    """An ignored hang-up, as under nohup, stays ignored, and afterwards every signal is handled as before."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.received is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    with StopSignals():
        assert signal.getsignal(signal.SIGHUP) not in (before, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGHUP) is before


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path, small_data: Path, whole: dict[str, Any]) -> None:
    """SIGKILL at any moment, even inside a save, leaves a run that resumes to the same end."""
    folder = tmp_path / "run"
    dice = random.Random(5)
    moments = [
        ("step", dice.randrange(2, 4)),  # anywhere before the first checkpoint
        ("save", dice.randrange(1, 6)),  # between the files of a checkpoint
        ("rename", 1),  # just before it gets its name
        ("any", dice.randrange(20, 40)),
    ]
    for number, (kind, moment) in enumerate(moments):
        count = moment
        with trainer(folder, small_data, *(["--resume"] if number else [])) as process:
            while count:
                event = process.event()
                assert event, "the run ended before it was killed"
                in_save = bool(list((folder / "checkpoints").glob(".tmp-*")))
                count -= kind in (event.partition(" ")[0], "any") or (kind == "save" and in_save)
                if count:
                    process.say("go")
            process.signal(signal.SIGKILL)
            assert process.code() == -signal.SIGKILL
        if kind in ("save", "rename"):
            assert list((folder / "checkpoints").glob(".tmp-*"))
        for step in runs.steps_saved(folder):
            checkpoint.verify(folder / "checkpoints" / checkpoint.checkpoint_name(step))
    runs.train(folder, small_data, resume=True, settings=SETTINGS)
    assert runs.learned(folder) == whole


@pytest.mark.slow
def test_a_second_trainer_in_another_process(tmp_path: Path, small_data: Path) -> None:
    """While one process trains, another is refused; once the first is killed, a third resumes the run."""
    folder = tmp_path / "run"
    with trainer(folder, small_data) as first:
        first.until("step -1")
        with trainer(folder, small_data, "--resume") as second:
            assert second.event() == ""
            assert second.code() == 2
            (line,) = second.errors()
        assert line.startswith("inkgan: another process is training in")
        first.signal(signal.SIGKILL)
        first.code()
    assert runs.train(folder, small_data, resume=True, settings=SETTINGS).complete
