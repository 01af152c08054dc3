"""Building a network: its module is imported, or executed from the user's own file, and given a description.

A network is a module with two functions, ``build_generator(description)`` and ``build_discriminator(description)``. It
is one of inkgan's, in this folder and named in :data:`inkgan.networks.NETWORKS`, or a file ``NAME.py`` of the user's
own, in the folder that the environment variable ``INKGAN_NETWORKS`` names. ``--set network=NAME`` trains it with the
losses of ``fast`` and ``best``, and ``sample``, ``write`` and ``evaluate`` draw its images with PyTorch.

The description has ``image_shape`` (height, width and channels), ``num_classes``, ``latent_dim`` and, under ``config``,
the settings of the run; ``channels`` is the setting ``generator.channels``. The generator's ``forward`` takes latents
[N, D] and, unless ``num_classes`` is 0, labels int64 [N]; it returns images [N, H, W, C] in [0, 1], where 1 is ink. The
discriminator's ``forward`` takes such images and labels; it returns logits [N], or a tuple of logits and an auxiliary
classifier's scores [N, classes]. Every parameter must contribute to the result. PyTorch's default random number
generator is seeded while networks are built, so initial weights depend on the seed of the run alone.

To draw without PyTorch, add a NumPy form of the generator to ``generation/numpy_networks.py``; to export it, add a form
to ``exporting/onnx_file.py``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from inkgan.device import usual_arithmetic
from inkgan.errors import CheckpointError, InkganError, missing_extra, shown
from inkgan.files import read_regular
from inkgan.networks.known import NETWORKS, own_networks, require_known

if TYPE_CHECKING:
    from torch import nn

#: Lets one thread at a time build networks. It is reentrant, because building one network may build another.
_BUILDING = threading.RLock()


@contextlib.contextmanager
def building(seed: int | None = None) -> Iterator[None]:
    """Let one thread at a time build networks, and leave PyTorch's default generator as it was.

    Networks draw their initial weights from that generator, which all threads share.

    Args:
        seed: the seed for that generator; None if the initial weights are replaced at once.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or error) from None
    with _BUILDING, usual_arithmetic(), torch.random.fork_rng(devices=[]):
        if seed is not None:
            torch.default_generator.manual_seed(seed)
        yield


def build_generator(description: Mapping[str, Any]) -> nn.Module:
    """Make the generator that a model.json describes, with fresh weights.

    Args:
        description: the content of model.json: ``network``, ``image_shape``, ``num_classes``, ``latent_dim`` and
            whatever else the network needs, such as ``channels``.

    Returns:
        The generator, float32 on the CPU. Its ``state_dict`` has the names and shapes of the saved weights.

    Raises:
        CheckpointError: the network is unknown, its module is missing or lacks this function, or a size that it needs
            is missing or wrong.
        MissingExtraError: PyTorch is not installed.
    """
    return _build("build_generator", description)


def build_discriminator(description: Mapping[str, Any]) -> nn.Module:
    """Make the discriminator of the run that a model.json comes from, with fresh weights.

    Args:
        description: the content of model.json, with the run's settings in ``config``.

    Returns:
        The discriminator, float32 on the CPU; the docstring of this module says what it takes and returns.

    Raises:
        CheckpointError: as for :func:`build_generator`.
        MissingExtraError: PyTorch is not installed.
    """
    return _build("build_discriminator", description)


def _build(function: str, description: Mapping[str, Any]) -> nn.Module:
    name = require_known(description.get("network"))
    module = _module_of(name)
    if not callable(make := getattr(module, function, None)):
        where = NETWORKS.get(name, f"{name}.py")
        raise CheckpointError(
            f"the module {where} of the network {name!r} has no function {function}. It needs "
            "build_generator(description) and build_discriminator(description)."
        )
    try:
        network: nn.Module = make(description)
    except InkganError:
        raise
    except (Exception, SystemExit) as error:
        reason = reason_in(name, error)
        raise CheckpointError(f"the network {name!r} cannot be built from its description ({reason}).") from error
    return network


def _module_of(name: str) -> ModuleType:
    """Import a network's module. One of the user's own is imported anew each time, so that a notebook sees changes."""
    file = None if name in NETWORKS else own_networks()[name]
    try:
        return import_module(NETWORKS[name]) if file is None else _executed(file)
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or CheckpointError(f"cannot import the network {name!r}: {error}.")) from None
    except (Exception, SystemExit) as error:  # a script may end with sys.exit()
        if file is None:
            raise
        raise CheckpointError(
            f"cannot import the network {name!r} from {shown(file)}: {reason_in(name, error)}."
        ) from error


def _executed(file: Path) -> ModuleType:
    """Execute a file as a module. Like any import, one that fails leaves no module behind."""
    full_name = f"inkgan_own_networks.{file.stem}"
    spec = importlib.util.spec_from_file_location(full_name, file, loader=_FromTheFile(full_name, str(file)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module  # dataclasses look there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(full_name, None)
        raise
    return module


class _FromTheFile(SourceFileLoader):
    """A loader that always reads the file. Python's cache would miss an edit that keeps the file's size and second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(read_regular(Path(self.path)), self.path)


def reason_in(name: str, error: BaseException) -> str:
    """Return an error's kind and text on one line, and the line of the user's own file in which it arose."""
    said = str(error).strip().splitlines()
    text = ": ".join([type(error).__name__, *said[:1]])[:300]
    file = None if name in NETWORKS else own_networks().get(name)
    if file is None or isinstance(error, SyntaxError):  # the text of a syntax error already names the line
        return text
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{text} in {file.name}, line {lines[-1]}" if lines else text
