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
    from inkgan.evaluation.compare import Comparison, compare
    from inkgan.evaluation.evaluate import evaluate
    from inkgan.evaluation.report import Report
    from inkgan.generation.model import Model, load
    from inkgan.generation.writing import Writing, write
    from inkgan.training.loop import Result
    from inkgan.training.start import train

_HOMES = {
    "CheckpointError": "errors",
    "Comparison": "evaluation.compare",
    "Config": "config",
    "ConfigError": "errors",
    "DataError": "errors",
    "DivergenceError": "errors",
    "EvaluationError": "errors",
    "InkganError": "errors",
    "InkganWarning": "errors",
    "InputError": "errors",
    "Interrupted": "errors",
    "Model": "generation.model",
    "OutputError": "errors",
    "Report": "evaluation.report",
    "Result": "training.loop",
    "Writing": "generation.writing",
    "compare": "evaluation.compare",
    "evaluate": "evaluation.evaluate",
    "load": "generation.model",
    "train": "training.start",
    "write": "generation.writing",
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
    try:
        return getattr(import_module(f"inkgan.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        from inkgan.errors import missing_extra

        raise (missing_extra(error) or error) from None


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
