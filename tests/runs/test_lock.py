"""The lock of a run's folder: one trainer at a time, on any file system."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import refusals
from inkgan.config import resolve
from inkgan.errors import InkganWarning, OutputError
from inkgan.runs.folder import RunFolder
from waiting import SECONDS

#: The message of a call's error; all are of this kind.
refusal = partial(refusals.refusal, kind=OutputError)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A run works there, too, after one warning, and a second start is not hindered."""

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    run = RunFolder(tmp_path / "run")
    for force in (False, True):
        with pytest.warns(InkganWarning, match="has no locks") as caught, run.lock.held():
            run.start(resolve(), force=force)
        assert len(caught) == 1
        assert run.is_run


def test_a_lock_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other error of the lock is reported as it is."""

    def flock(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", flock)
    refusal(lambda: RunFolder(tmp_path / "run").lock.held().__enter__(), "input/output error")


@pytest.mark.slow
def test_one_trainer_at_a_time(tmp_path: Path) -> None:
    """A second trainer is refused, in this process and in another one, until the first is done."""
    run = RunFolder(tmp_path / "run")
    code = (
        "import sys; from pathlib import Path; from inkgan.runs.folder import RunFolder\n"
        "with RunFolder(Path(sys.argv[1])).lock.held(): print('in')"
    )
    command = [sys.executable, "-c", code, str(run.path)]
    with run.lock.held():
        refusal(lambda: RunFolder(run.path).lock.held().__enter__(), "another process is training in")
        other = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert "another process is training in" in other.stderr
        with (run.path / "lock").open("a") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with RunFolder(run.path).lock.held():
        pass
    assert subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout == "in\n"
