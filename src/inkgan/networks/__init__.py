"""Generators and discriminators as PyTorch modules: the known networks by name, and how they are built.

It may import the base and data.

A network is a module with two functions, ``build_generator(description)`` and ``build_discriminator(description)``. It
is one of inkgan's, in this folder and named in :data:`NETWORKS`, or a file ``NAME.py`` of the user's own, in the folder
that the environment variable ``INKGAN_NETWORKS`` names. ``--set network=NAME`` trains it with the losses of ``fast``
and ``best``, and ``sample``, ``write`` and ``evaluate`` draw its images with PyTorch.

The description has ``image_shape`` (height, width and channels), ``num_classes``, ``latent_dim`` and, under ``config``,
the settings of the run; ``channels`` is the setting ``generator.channels``. The generator's ``forward`` takes latents
[N, D] and, unless ``num_classes`` is 0, labels int64 [N]; it returns images [N, H, W, C] in [0, 1], where 1 is ink. The
discriminator's ``forward`` takes such images and labels; it returns logits [N], or a tuple of logits and an auxiliary
classifier's scores [N, classes]. Every parameter must contribute to the result. PyTorch's default random number
generator is seeded while networks are built, so initial weights depend on the seed of the run alone.

To draw without PyTorch, add a NumPy form of the generator to ``generation/numpy_networks.py``; to export it, add a form
to ``exporting/onnx_file.py``.

Importing this package does not import PyTorch; building a network does.
"""

from __future__ import annotations

import contextlib
import os
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
from inkgan.errors import CheckpointError, InkganError, as_given, import_extra, missing_extra, reason_of, shown, unknown
from inkgan.files import expanded, is_folder, read_regular, sha256_of

if TYPE_CHECKING:
    from torch import nn

#: The module of each network, by the network's name in model.json.
NETWORKS = {"compact": "inkgan.networks.compact", "tutorial": "inkgan.networks.tutorial_exact_fast"}

#: The environment variable that names the folder of the user's own networks. Nothing else makes inkgan execute a file.
VARIABLE = "INKGAN_NETWORKS"
#: The most characters in a network's name, as in the setting ``network``.
_LONGEST_NAME = 60
#: Lets one thread at a time build networks. It is reentrant, because building one network may build another.
_BUILDING = threading.RLock()


def require_known(name: object, whose: str = "") -> str:
    """Return a name if there is a network of this name, in inkgan or among the user's own.

    Args:
        name: the name.
        whose: how the message begins, such as ``"runs/first has the "``.

    Raises:
        CheckpointError: there is no such network (the message lists the known ones and says where to put one), or
            ``INKGAN_NETWORKS`` names no folder.
    """
    if isinstance(name, str) and (name in NETWORKS or name in own_networks()):
        return name
    known = [*NETWORKS, *own_networks()]
    is_possible = isinstance(name, str) and name.isidentifier() and len(name) <= _LONGEST_NAME
    file = f"{name}.py" if is_possible else "NAME.py (NAME: letters, digits and _)"
    raise CheckpointError(
        f"{whose}{unknown('network', name, known)} Known networks are: {', '.join(known)}. One of your own is a file "
        f"{file} in the folder that ${VARIABLE} names."
    )


def own_networks() -> dict[str, Path]:
    """Return the file of each of the user's own networks, by the network's name.

    Raises:
        CheckpointError: ``INKGAN_NETWORKS`` names no folder.
    """
    given = os.environ.get(VARIABLE)
    if not given:
        return {}
    folder = expanded(given)
    if not is_folder(folder):
        raise CheckpointError(f"${VARIABLE} is {shown(given)}, which is not a folder. Name that of your networks.")
    files = sorted(folder.absolute().glob("*.py"))
    return {file.stem: file for file in files if file.stem.isidentifier() and file.stem not in NETWORKS}


def _own_file(name: str) -> Path | None:
    """Return the file of one of the user's own networks; None for inkgan's networks."""
    return None if name in NETWORKS else own_networks().get(name)


def own_network_sha256(name: str) -> str | None:
    """Return the SHA-256 of the file of one of the user's own networks; None for inkgan's networks.

    Raises:
        CheckpointError: ``INKGAN_NETWORKS`` names no folder, or the file cannot be read.
    """
    file = _own_file(name)
    if file is None:
        return None
    try:
        return sha256_of(file)
    except OSError as error:
        raise CheckpointError(
            f"cannot read the network {name!r} from {shown(file)}: {reason_of(error)}. It has to be a Python file."
        ) from None


def note_of_change(description: Mapping[str, Any], what: str | Path) -> list[str]:
    """Return a note if a network of the user's own is in another file than the one that was trained.

    Args:
        description: the content of model.json, perhaps damaged. Models of earlier versions do not name the file.
        what: the run or model.

    Raises:
        CheckpointError: as for :func:`own_network_sha256`.
    """
    trained = description.get("network_sha256")
    name = str(description.get("network"))
    if trained is None or own_network_sha256(name) in (None, trained):
        return []
    changed = f"{shown(own_networks()[name])} has changed since {shown(what)} was trained"
    return [f"{changed}, so its images may differ. Restore the old file, or train again."]


@contextlib.contextmanager
def building(seed: int | None = None) -> Iterator[None]:
    """Let one thread at a time build networks, and leave PyTorch's default generator as it was.

    Networks draw their initial weights from that generator, which all threads share.

    Args:
        seed: the seed for that generator; None if the initial weights are replaced at once.

    Raises:
        MissingExtraError: PyTorch is not installed.
    """
    torch = import_extra("torch")
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
    if not isinstance(description, Mapping):
        needed = "Give the content of a model.json, such as inkgan.load(run).description"
        raise CheckpointError(f"{as_given(description)} does not describe a network. {needed}.")
    name = require_known(description.get("network"))
    module = _module_of(name)
    if not callable(make := getattr(module, function, None)):
        where = NETWORKS.get(name, f"{name}.py")
        raise CheckpointError(
            f"the module {where} of the network {name!r} has no function {function}. Write {function}(description)."
        )
    try:
        return make(description)
    except InkganError:
        raise
    except (Exception, SystemExit) as error:
        reason = reason_in(name, error)
        raise CheckpointError(f"the network {name!r} cannot be built from its description ({reason}).") from error


def _module_of(name: str) -> ModuleType:
    """Import a network's module. One of the user's own is imported anew each time, so that a notebook sees changes."""
    file = _own_file(name)
    try:
        return import_module(NETWORKS[name]) if file is None else _executed(file)
    except ModuleNotFoundError as error:
        raise (missing_extra(error) or CheckpointError(f"cannot import the network {name!r}: {error}.")) from None
    except (Exception, SystemExit) as error:  # a script may end with sys.exit()
        if file is None:
            raise
        reason = reason_in(name, error)
        raise CheckpointError(f"cannot import the network {name!r} from {shown(file)}: {reason}.") from error


def _executed(file: Path) -> ModuleType:
    """Execute a file as a module. Like any import, one that fails leaves no module behind."""
    module = ModuleType(f"inkgan_own_networks.{file.stem}")
    module.__file__ = str(file)
    sys.modules[module.__name__] = module  # dataclasses look there
    try:
        _FromTheFile(module.__name__, str(file)).exec_module(module)
    except BaseException:
        sys.modules.pop(module.__name__, None)
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
    file = _own_file(name)
    if file is None or isinstance(error, SyntaxError):  # the text of a syntax error already names the line
        return text
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
    return f"{text} in {file.name}, line {lines[-1]}" if lines else text
