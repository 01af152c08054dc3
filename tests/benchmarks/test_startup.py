"""The benchmark of starting: what it computes from its measurements."""

from __future__ import annotations

import importlib


def test_the_median_decides_also_after_an_even_number_of_rounds() -> None:
    """A process that may take 1.1 times as long as its reference, and took 1.0 and 1.15 times as long."""
    startup = importlib.import_module("startup")
    rounds = [{case.title: 1.0 for case in startup.CASES} | {"import numpy, inkgan": taken} for taken in (1.0, 1.15)]
    (row,) = [row for row in startup.rows(rounds) if row[0] == "import numpy, inkgan"]
    assert row[3:] == ["1.07 [1.00 to 1.15]", "1.1", "within"]
