"""Where each rule draws the line: in ``thresholds.json`` as ``benchmarks/doctor.py`` found it, or as the rule says."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from inkgan.errors import ConfigError, reason_of, shown
from inkgan.training.doctor.rules import RULES

FILE = Path(__file__).with_name("thresholds.json")


def read_thresholds(file: Path = FILE) -> Mapping[str, float]:
    """The threshold of each rule by its name.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    try:
        measured = json.loads(file.read_text("utf-8"))["thresholds"]
        found = {rule.name: float(measured[rule.name]) if rule.threshold is None else rule.threshold for rule in RULES}
        wrong = [name for name, value in found.items() if not math.isfinite(value)]
    except OSError as error:
        raise ConfigError(_damaged(file, reason_of(error))) from None
    except (ValueError, TypeError, RecursionError):
        raise ConfigError(_damaged(file, "it holds no table of thresholds")) from None
    except KeyError as error:
        raise ConfigError(_damaged(file, f"it has no threshold {error}")) from None
    if wrong:
        raise ConfigError(_damaged(file, f"the threshold {wrong[0]} is not a number"))
    return found


def _damaged(file: Path, reason: str) -> str:
    return (
        f"the doctor's thresholds cannot be read from {shown(file)}: {reason}. Install inkgan again, or train without "
        "the doctor: --set watch.doctor_every=0"
    )
