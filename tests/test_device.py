"""The device on which a run computes, and its independence of the global settings of NumPy and PyTorch."""

from __future__ import annotations

import contextlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import inkgan
import tiny_runs as runs
from inkgan.device import require_name_of_device, resolve_device, usual_arithmetic
from inkgan.errors import ConfigError
from inkgan.generation.ink import _enlarging

_PROGRAM = """
import ctypes, json, resource, sys
import torch
from inkgan.device import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(40 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = [pages()]
{library}
keep_freed_memory()
# The minimum of several, because at first small blocks may land in the gaps left by large ones.
print(json.dumps([*found, min(pages() for _ in range(5))]))
"""
#: As before version 2.35 of glibc, which refuses a threshold above 32 MiB.
_OLD_GLIBC = """
class OldLibrary:
    def __init__(self, _):
        self.mallopt = lambda parameter, value: 0 if parameter == -3 else real(parameter, value)

real = ctypes.CDLL(None).mallopt
ctypes.CDLL = OldLibrary
"""


@pytest.mark.slow
@pytest.mark.parametrize("library", ["", _OLD_GLIBC])
def test_freed_memory_is_kept(library: str) -> None:
    """A large tensor gets new pages from the system each time, unless the process keeps the memory that it frees."""
    program = _PROGRAM.replace("{library}", library)
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    before, after = json.loads(answer.stdout)
    is_glibc = platform.libc_ver()[0] == "glibc"
    assert before >= 50 or not is_glibc  # 200 MB are 100 pages if a page has 2 MB, and more otherwise
    assert after < before / 10 or not is_glibc  # with other C libraries, the call only has to do no harm


@pytest.mark.parametrize(
    ("name", "rank", "expected"),
    [
        ("auto", None, "cuda"),
        ("auto", "1", "cuda:1"),
        ("cuda", "2", "cuda:0"),
        ("cuda:1", "0", "cuda:1"),
        ("cpu", "1", "cpu"),
    ],
)
def test_each_process_of_a_machine_has_a_gpu(
    monkeypatch: pytest.MonkeyPatch, name: str, rank: str | None, expected: str
) -> None:
    """``auto`` and ``cuda`` give each process one of the two GPUs, in turn; a device named in full is used as named."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert str(resolve_device(name)) == expected


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:-1", "CPU", "", None, 3])
def test_a_name_that_no_device_has(name: Any) -> None:
    """A value that names no device is refused, whatever its type; devices that this machine lacks are accepted."""
    with pytest.raises(ConfigError, match=r"^there is no device '.*'\. Give one of: auto, cpu, cuda"):
        require_name_of_device(name)
    for one in ("auto", "cpu", "cuda", "cuda:7", "mps"):
        require_name_of_device(one)


@contextlib.contextmanager
def _set_by_a_notebook(what: str) -> Iterator[None]:
    """Change a global setting, as a notebook may have done, and restore it at the end."""
    with contextlib.ExitStack() as stack:
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_default_device, None)
        match what:
            case "float64":
                torch.set_default_dtype(torch.float64)
            case "another device":
                torch.set_default_device("meta")
            case "no gradients":
                stack.enter_context(torch.no_grad())
            case "inference":
                stack.enter_context(torch.inference_mode())
            case "autocast":
                stack.enter_context(torch.autocast("cpu", torch.bfloat16))
            case "errors of NumPy":
                stack.enter_context(np.errstate(all="raise"))
        yield


def _settings() -> tuple[object, ...]:
    return (
        torch.get_default_dtype(),
        torch.get_default_device(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_autocast_enabled("cpu"),
        np.geterr(),
    )


NOTEBOOKS = ["float64", "another device", "no gradients", "inference", "autocast", "errors of NumPy"]


@pytest.mark.parametrize("what", NOTEBOOKS)
def test_a_run_does_not_depend_on_what_a_notebook_has_set(
    what: str, tmp_path: Path, small_data: Path, finished_run: Path
) -> None:
    with _set_by_a_notebook(what):
        before = _settings()
        runs.train(tmp_path / "run", small_data, stop_at=5)
        runs.train(tmp_path / "run", small_data, resume=True)
        assert _settings() == before
    learned, expected = runs.learned(tmp_path / "run"), runs.learned(finished_run)
    assert [name for name in expected if learned[name] != expected[name]] == []


@pytest.mark.slow
def test_no_figure_depends_on_what_a_notebook_has_set() -> None:
    images = np.random.default_rng(0).integers(0, 256, (128, 28, 28), dtype=np.uint8)
    random_state = torch.get_rng_state()
    expected = inkgan.evaluate(images).figures
    with contextlib.ExitStack() as stack:
        for what in NOTEBOOKS:
            stack.enter_context(_set_by_a_notebook(what))
        before = _settings()
        seen: list[torch.dtype] = []
        assert inkgan.evaluate(images, progress=lambda *_: seen.append(torch.get_default_dtype())).figures == expected
        assert seen[-1] == torch.float32
        seen.clear()
        inkgan.compare(images, images, progress=lambda *_: seen.append(torch.get_default_dtype()))
        assert seen[-1] == torch.float32
        assert _settings() == before
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("what", NOTEBOOKS)
def test_no_line_depends_on_what_a_notebook_has_set(what: str) -> None:
    _enlarging.cache_clear()
    expected = inkgan.write("2026", seed=4, look="photo").image
    with _set_by_a_notebook(what):
        _enlarging.cache_clear()
        np.testing.assert_array_equal(inkgan.write("2026", seed=4, look="photo").image, expected)


def test_runs_in_two_threads_share_the_type_that_a_notebook_has_set() -> None:
    """The default type belongs to all threads, so the first thread that ends must not set it back for the other."""
    first, second = usual_arithmetic(), usual_arithmetic()
    with _set_by_a_notebook("float64"):
        first.__enter__()
        torch.set_default_dtype(torch.float64)  # a cell that runs while the first thread trains
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64
