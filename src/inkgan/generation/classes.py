"""The classes that a caller asks a model for, by name, by index, or in the proportions of a data set.

Classes may be named by digits in another order than their indices, so a string is always a name, and an integer always
an index.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from inkgan.errors import ConfigError, as_given, did_you_mean, folded, listed_names, printable, quantity
from inkgan.images import Labels

#: The classes of images: a name, an index, or one of them for each image.
Classes = str | SupportsIndex | Sequence[str] | Sequence[SupportsIndex] | NDArray[Any]

_NAMES_SHOWN = 12
#: Classes are unequal if one is more than this many times as frequent, or as rare, as in equal shares. Those of MNIST
#: are not: its largest class is 1.124 times as frequent.
_UNEQUAL = 1.13


def indices_of(classes: Classes, n: int, class_names: Sequence[str], model: str) -> Labels:
    """Return the index of the class of each of ``n`` images, int64 [n].

    Args:
        classes: one for all or one for each.
        n: the number of images.
        class_names: the name of each class, in the order of the indices.
        model: the model's name, for messages.

    Raises:
        ConfigError: one is not among the model's classes, or there are not ``n``.
    """
    # As objects: NumPy would turn numbers beside a string into strings, and drop zero bytes at the end of a string.
    given = classes if isinstance(classes, np.ndarray) else np.asarray(classes, object)
    by_name = {name: index for index, name in enumerate(class_names)}
    indices = np.array([_index_of(label, by_name, model) for label in given.reshape(-1).tolist()], np.int64)
    if given.ndim == 0:
        return np.repeat(indices, n)
    if given.shape != (n,):
        raise ConfigError(f"{list(given.shape)} labels for {quantity(n, 'image')}: give one for all, or one for each.")
    return indices


def _index_of(given: Any, by_name: Mapping[str, int], model: str) -> int:
    """Return the index of a class that was given by its name or its index."""
    if isinstance(given, str):
        name = given if given in by_name else printable(given)  # classes have their folders' names in this form
        if name in by_name:
            return by_name[name]
        alike = [one for one in by_name if folded(one) == folded(name)]
        if len(alike) != 1:
            raise _unknown_class(as_given(given), did_you_mean(given, by_name), by_name, model)
        return by_name[alike[0]]
    if isinstance(given, bool) or not isinstance(given, int | np.integer):
        raise ConfigError(f"{as_given(given)} is not a label. Give a name, a string, or an index, an integer.")
    if 0 <= given < len(by_name):
        return int(given)
    name = as_given(int(given))
    hint = f" Integers are indices, 0 to {len(by_name) - 1}; the name is {name!r}." if name in by_name else ""
    raise _unknown_class(name, hint, by_name, model)


def _unknown_class(given: str, hint: str, by_name: Mapping[str, int], model: str) -> ConfigError:
    ending = f".{hint}" if hint else ":"
    return ConfigError(f"there is no class {given}{ending} {model} draws {shown_classes(list(by_name))}.")


def shown_classes(names: Sequence[str]) -> str:
    """Return the names of classes for a message; if there are many, only the first few."""
    if list(names) == [str(index) for index in range(len(names))]:
        return f"0 to {len(names) - 1}"
    more = f" and {len(names) - _NAMES_SHOWN:,} more" if len(names) > _NAMES_SHOWN else ""
    return listed_names(names[:_NAMES_SHOWN], _NAMES_SHOWN) + more


def are_unequal(counts: NDArray[np.int64]) -> bool:
    """Whether a class is much more frequent, or rarer, than in equal shares: an eighth; counts are int64 [classes]."""
    mean = counts.mean()
    return bool(counts.max() > _UNEQUAL * mean or counts.min() * _UNEQUAL < mean)


def in_proportion(n: int, counts: NDArray[np.int64]) -> Labels:
    """Return n labels, int64 [n], in the proportions of ``counts`` (largest remainders), each class evenly spread."""
    shares = n * counts / counts.sum()
    each = np.floor(shares).astype(np.int64)
    each[np.argsort(each - shares, kind="stable")[: n - each.sum()]] += 1
    labels = np.repeat(np.arange(len(counts)), each)
    places = np.concatenate([(np.arange(number) + 0.5) / number for number in each])
    return labels[np.argsort(places, kind="stable")]
