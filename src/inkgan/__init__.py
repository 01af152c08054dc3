"""inkgan: a GAN that learns handwriting from scratch.

    import inkgan

    result = inkgan.train("tutorial", steps=2000)          # a run folder with checkpoints, pictures, metrics
    images = inkgan.load("tutorial").sample(10, seed=1)    # uint8 [10, 28, 28]
    date = inkgan.write("2026-11-22", seed=4)              # .image uint8 [96, W], .boxes of its characters

Names are loaded when they are first used, so that ``import inkgan`` costs nothing and sampling never loads PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkgan.api import train
    from inkgan.comparison import Comparison, compare
    from inkgan.config import Config
    from inkgan.errors import (
        CheckpointError,
        ConfigError,
        DataError,
        DivergenceError,
        EvaluationError,
        InkganError,
        InkganWarning,
        InputError,
        Interrupted,
        OutputError,
    )
    from inkgan.evaluation import evaluate
    from inkgan.report import Report
    from inkgan.sampling import Model, load
    from inkgan.trainer import Result
    from inkgan.writing import Writing, write

_HOMES = {
    "CheckpointError": "errors",
    "Comparison": "comparison",
    "Config": "config",
    "ConfigError": "errors",
    "DataError": "errors",
    "DivergenceError": "errors",
    "EvaluationError": "errors",
    "InkganError": "errors",
    "InkganWarning": "errors",
    "InputError": "errors",
    "Interrupted": "errors",
    "Model": "sampling",
    "OutputError": "errors",
    "Report": "report",
    "Result": "trainer",
    "Writing": "writing",
    "compare": "comparison",
    "evaluate": "evaluation",
    "load": "sampling",
    "train": "api",
    "write": "writing",
}

__all__ = [
    "CheckpointError",
    "Comparison",
    "Config",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "EvaluationError",
    "InkganError",
    "InkganWarning",
    "InputError",
    "Interrupted",
    "Model",
    "OutputError",
    "Report",
    "Result",
    "Writing",
    "compare",
    "evaluate",
    "load",
    "train",
    "write",
]


def __getattr__(name: str) -> Any:
    """Load a public name from where it lives."""
    if name not in _HOMES:
        raise AttributeError(f"module 'inkgan' has no attribute {name!r}")
    return getattr(import_module(f"inkgan.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
