"""The benchmark of data sets: what it computes from its measurements."""

from __future__ import annotations

import argparse
import importlib

import pytest


def test_the_start_of_the_processes_is_not_extrapolated() -> None:
    """A start of half a second and a hundredth of a second for each line: 10^8 lines take 10^6 seconds."""
    shards = importlib.import_module("shards")
    pairs = [(shards.Cost(0.5 + 2.0, 20_000), shards.Cost(0.5 + 6.0, 40_000))] * 3
    title, jobs, speed, start, size, huge = shards.row("dates", 2, 200, pairs)
    assert (title, jobs) == ("dates", "2")
    assert speed == "100 [100 to 100]"
    assert start == "0.50 [0.50 to 0.50]"
    assert size == "50"
    assert huge == "278 core-hours, 5 GB"


@pytest.mark.parametrize(("platform", "unit"), [("linux", 2**10), ("darwin", 2**20)])
def test_the_memory_of_the_largest_process_is_in_megabytes(
    monkeypatch: pytest.MonkeyPatch, platform: str, unit: int
) -> None:
    shards = importlib.import_module("shards")
    monkeypatch.setattr(shards.sys, "platform", platform)
    monkeypatch.setattr(shards.resource, "getrusage", lambda _: argparse.Namespace(ru_maxrss=70 * unit))
    assert shards.largest_process() == 70
