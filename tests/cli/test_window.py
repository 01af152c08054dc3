"""The width at which commands wrap what they print, and Ctrl-Z."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from multiprocessing import get_context
from types import FrameType

import pytest

from inkgan.cli.window import Suspension, columns, in_foreground
from waiting import SECONDS


@pytest.mark.parametrize(("window", "width"), [("80", 80), ("60", 60), ("200", 100), ("10", 40)])
def test_text_is_as_wide_as_the_window_but_not_wider_than_100(
    monkeypatch: pytest.MonkeyPatch, window: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", window)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert columns() == width


def test_files_and_pipes_have_100_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what a script keeps does not depend on the window that it was started in."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert columns() == 100
    monkeypatch.setattr(sys, "stdout", None)
    assert columns() == 100


def test_without_a_terminal_a_command_is_in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a job of a cluster; with one, the process group that has the terminal decides."""

    def no_terminal(_descriptor: int) -> int:
        raise OSError

    monkeypatch.setattr(os, "tcgetpgrp", no_terminal)
    assert in_foreground()
    monkeypatch.setattr(os, "tcgetpgrp", lambda _descriptor: os.getpgrp() + 1)
    assert not in_foreground()
    monkeypatch.setattr(os, "tcgetpgrp", lambda _descriptor: os.getpgrp())
    assert in_foreground()


def test_a_programs_own_way_to_suspend_stays() -> None:
    """Only the system's handler of Ctrl-Z is replaced, and it is put back."""

    def own(_number: int, _frame: FrameType | None) -> None:
        pass

    before = signal.getsignal(signal.SIGTSTP)
    try:
        for handler in (own, signal.SIG_IGN):
            signal.signal(signal.SIGTSTP, handler)
            with Suspension():
                assert signal.getsignal(signal.SIGTSTP) == handler
            assert signal.getsignal(signal.SIGTSTP) == handler
    finally:
        signal.signal(signal.SIGTSTP, before)


@pytest.mark.parametrize("ended", [False, True], ids=["fg", "kill"])
def test_ctrl_z_stops_the_processes_of_a_command_too(monkeypatch: pytest.MonkeyPatch, ended: bool) -> None:
    """The terminal does not reach them. They continue with the command, also if it continues only to end."""
    worker = get_context("spawn").Process(target=time.sleep, args=(SECONDS,))
    worker.start()
    kill = os.kill
    stopped = []

    def noting(process: int, number: int) -> None:
        if process != os.getpid():
            kill(process, number)
            return
        stopped.append(_becomes_stopped(worker.pid, True))
        if ended:
            raise KeyboardInterrupt

    monkeypatch.setattr("os.kill", noting)
    try:
        with Suspension():
            signal.raise_signal(signal.SIGTSTP)
    except KeyboardInterrupt:
        assert ended
    try:
        assert stopped == [True]
        assert _becomes_stopped(worker.pid, False)
    finally:
        worker.kill()
        worker.join()


def test_processes_of_a_command_that_is_killed_while_it_is_suspended_go_on() -> None:
    """A process that is stopped cannot notice that the first one has ended; it would keep its memory and its locks."""
    code = (
        "import multiprocessing, os, signal, time\n"
        "from inkgan.cli.window import Suspension\n"
        "worker = multiprocessing.get_context('spawn').Process(target=time.sleep, args=(600,))\n"
        "worker.start()\n"
        "print(worker.pid, flush=True)\n"
        "os.kill = lambda process, number: time.sleep(600)\n"
        "with Suspension():\n"
        "    signal.raise_signal(signal.SIGTSTP)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        worker = int(command.stdout.readline())
        try:
            assert _becomes_stopped(worker, True)
            command.kill()
            assert _becomes_stopped(worker, False)
        finally:
            command.kill()
            os.kill(worker, signal.SIGKILL)


def _becomes_stopped(process: int | None, expected: bool) -> bool:
    """Whether a process is stopped, or is not, before long: signals to other processes take their time."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True, check=True)
        if state.stdout.startswith("T") == expected:
            return True
    return False
