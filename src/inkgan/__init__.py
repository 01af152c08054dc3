"""inkgan: a GAN that learns handwriting from scratch.

    import inkgan

    result = inkgan.train("tutorial", steps=2000)          # a run folder with checkpoints, pictures, metrics
    images = inkgan.load("tutorial").sample(10, seed=1)    # uint8 [10, 28, 28]
    date = inkgan.write("2026-11-22", seed=4)              # .image uint8 [96, W], .boxes of its characters

Names are loaded when they are first used (PEP 562), so that ``import inkgan`` costs nothing and sampling never loads
PyTorch.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the value of typing.TYPE_CHECKING; importing typing takes longer than all of this

if TYPE_CHECKING:  # for type checkers and editors, which cannot see names that are loaded lazily
    from typing import Any

    __version__: str

    from inkgan.config import Config as Config
    from inkgan.errors import CheckpointError as CheckpointError
    from inkgan.errors import ConfigError as ConfigError
    from inkgan.errors import DataError as DataError
    from inkgan.errors import DivergenceError as DivergenceError
    from inkgan.errors import EvaluationError as EvaluationError
    from inkgan.errors import InkganError as InkganError
    from inkgan.errors import InkganWarning as InkganWarning
    from inkgan.errors import InputError as InputError
    from inkgan.errors import Interrupted as Interrupted
    from inkgan.errors import LostProcessError as LostProcessError
    from inkgan.errors import MissingExtraError as MissingExtraError
    from inkgan.errors import OutputError as OutputError
    from inkgan.evaluation.compare import Comparison as Comparison
    from inkgan.evaluation.compare import compare as compare
    from inkgan.evaluation.evaluate import evaluate as evaluate
    from inkgan.evaluation.report import Report as Report
    from inkgan.exporting.export import export as export
    from inkgan.generation.model import Model as Model
    from inkgan.generation.model import load as load
    from inkgan.generation.spec import Spec as Spec
    from inkgan.generation.spec import write_many as write_many
    from inkgan.generation.writing import Writing as Writing
    from inkgan.generation.writing import write as write
    from inkgan.training.start import train as train
    from inkgan.training.watching import Result as Result
    from inkgan.training.watching import Watcher as Watcher

#: The public names by module.
_PUBLIC = {
    "config": ("Config",),
    "errors": (
        *("CheckpointError", "ConfigError", "DataError", "DivergenceError", "EvaluationError", "InkganError"),
        *("InkganWarning", "InputError", "Interrupted", "LostProcessError", "MissingExtraError", "OutputError"),
    ),
    "evaluation.compare": ("Comparison", "compare"),
    "evaluation.evaluate": ("evaluate",),
    "evaluation.report": ("Report",),
    "exporting.export": ("export",),
    "generation.model": ("Model", "load"),
    "generation.spec": ("Spec", "write_many"),
    "generation.writing": ("Writing", "write"),
    "training.start": ("train",),
    "training.watching": ("Result", "Watcher"),
}
_HOMES = dict(sorted((name, module) for module, names in _PUBLIC.items() for name in names))
__all__ = list(_HOMES)


if not TYPE_CHECKING:  # with this function, type checkers would take any misspelt name for one of the package's

    def __getattr__(name: str) -> Any:
        """Load a public name from its module, or look up the version of the installed package."""
        if name == "__version__":
            from importlib import metadata

            return metadata.version("inkgan")
        if name not in _HOMES:
            raise AttributeError(f"module 'inkgan' has no attribute {name!r}")
        from inkgan.errors import import_extra

        return getattr(import_extra(f"inkgan.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
