"""Where a run computes."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import Any

import pytest
import torch

from inkgan.device import require_name_of_device, resolve_device
from inkgan.errors import ConfigError

_PROGRAM = """
import json, resource, sys
import torch
from inkgan.device import keep_freed_memory

def pages():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.ones(40 << 20, dtype=torch.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

found = [pages()]
keep_freed_memory()
# The least of some, as small blocks may come to lie in the gaps of large ones at first.
print(json.dumps([*found, min(pages() for _ in range(5))]))
"""


@pytest.mark.slow
def test_freed_memory_is_kept() -> None:
    """The system hands a large tensor out page by page each time, until the process keeps what it frees."""
    answer = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True)
    before, after = json.loads(answer.stdout)
    is_glibc = platform.libc_ver()[0] == "glibc"
    assert before >= 50 or not is_glibc  # 200 MB; where pages are of 2 MB, these are 100
    assert after < before / 10 or not is_glibc  # elsewhere it must only do no harm


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
    """On a machine with two GPUs, as far as they go; who names one gets that one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert str(resolve_device(name)) == expected


@pytest.mark.parametrize("name", ["tpu", "cuda:", "cuda:-1", "CPU", "", None, 3])
def test_what_is_the_name_of_no_device_anywhere(name: Any) -> None:
    """It is refused without PyTorch, whatever it is; names of devices that this machine lacks are not."""
    with pytest.raises(ConfigError, match=r"^there is no device '.*'\. Give one of: auto, cpu, cuda"):
        require_name_of_device(name)
    for one in ("auto", "cpu", "cuda", "cuda:7", "mps"):
        require_name_of_device(one)
