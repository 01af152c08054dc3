"""The networks that there are: inkgan's, and the user's own, each of which is a file in a folder that the user names.

The folder is the value of the environment variable ``INKGAN_NETWORKS``, and a network's name that of its file,
``NAME.py``. :mod:`inkgan.networks.build` says what the file holds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inkgan.errors import CheckpointError, reason_of, shown, unknown
from inkgan.files import is_folder, sha256_of

#: The module of each network, by the network's name in model.json.
NETWORKS = {
    "compact": "inkgan.networks.compact",
    "tutorial": "inkgan.networks.tutorial_exact_fast",
}

#: The environment variable that names the folder of the user's own networks. Nothing else makes inkgan execute a file.
ENVIRONMENT = "INKGAN_NETWORKS"
#: The most characters in a network's name, as in the setting ``network``.
_LONGEST_NAME = 60


def is_known(name: object) -> bool:
    """Return whether there is a network of this name, in inkgan or among the user's own.

    Raises:
        CheckpointError: ``INKGAN_NETWORKS`` names no folder.
    """
    return isinstance(name, str) and (name in NETWORKS or name in own_networks())


def require_known(name: object) -> str:
    """Return a name if there is a network of this name.

    Raises:
        CheckpointError: there is no such network (the message lists the known ones), or ``INKGAN_NETWORKS`` names no
            folder.
    """
    if isinstance(name, str) and is_known(name):
        return name
    known = [*NETWORKS, *own_networks()]
    start = unknown("network", name, known)
    raise CheckpointError(f"{start} Known networks are: {', '.join(known)}. {how_to_add_one(name)}")


def how_to_add_one(name: object) -> str:
    """Return the sentence that tells users where to put a network of their own."""
    is_possible = isinstance(name, str) and name.isidentifier() and len(name) <= _LONGEST_NAME
    file = f"{name}.py" if is_possible else "NAME.py (NAME: letters, digits and _)"
    return f"One of your own is a file {file} in the folder that ${ENVIRONMENT} names."


def own_networks() -> dict[str, Path]:
    """Return the file of each of the user's own networks, by the network's name.

    Raises:
        CheckpointError: ``INKGAN_NETWORKS`` names no folder.
    """
    given = os.environ.get(ENVIRONMENT)
    if not given:
        return {}
    if not is_folder(Path(given)):
        raise CheckpointError(
            f"${ENVIRONMENT} is {shown(given)}, which is not a folder. Name the folder of your networks."
        )
    files = sorted(Path(given).absolute().glob("*.py"))
    return {file.stem: file for file in files if file.stem.isidentifier() and file.stem not in NETWORKS}


def own_network_sha256(name: str) -> str | None:
    """Return the SHA-256 of the file of one of the user's own networks; None for inkgan's networks.

    Raises:
        CheckpointError: ``INKGAN_NETWORKS`` names no folder, or the file cannot be read.
    """
    file = None if name in NETWORKS else own_networks().get(name)
    if file is None:
        return None
    try:
        return sha256_of(file)
    except OSError as error:
        raise CheckpointError(
            f"cannot read the network {name!r} from {shown(file)}: {reason_of(error)}. It has to be a Python file."
        ) from None


def note_of_change(description: Mapping[str, Any], what: str | Path) -> str | None:
    """Return a sentence if a network of the user's own is in another file than the one that was trained.

    Args:
        description: the content of model.json, perhaps damaged. Models of earlier versions do not name the file.
        what: the run or model.

    Raises:
        CheckpointError: as for :func:`own_network_sha256`.
    """
    trained = description.get("network_sha256")
    name = str(description.get("network"))
    if trained is None or own_network_sha256(name) in (None, trained):
        return None
    return (
        f"{shown(own_networks()[name])} has changed since {shown(what)} was trained, so its images may differ. "
        "Restore the old file, or train again."
    )
