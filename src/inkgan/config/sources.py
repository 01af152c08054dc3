"""Where settings come from: ``--set``, options, TOML files, recipes, and the runs of this and of earlier versions.

:func:`resolve` merges them. A setting comes from the first of these that gives it: ``--set``, the command's own
options, the file of ``--config``, the recipe. While they are merged, settings are kept by dotted key, such as
``watch.keep``.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inkgan.config.schema import (
    LOSS_PRESETS,
    PRESETS,
    RECIPES,
    Config,
    compact_only,
    flat,
    known_settings,
    nested,
    tables,
    validated,
)
from inkgan.errors import ConfigError, as_given, did_you_mean, one_of, printable, shown
from inkgan.files import LARGEST_SETTINGS, from_json, input_errors, is_file, read_regular, read_toml

#: The new names of settings that had another name in earlier versions.
_RENAMED = {"average": "ema_half_life"}
#: Some settings that runs of all versions saved. A file that lacks one of them was not saved by a run; taken for one of
#: an earlier version, it would get that version's values for all that it lacks.
ALWAYS_SAVED = {"recipe", "seed", "steps", "seconds", "batch_size", "data.name", "watch.keep"}
#: The end of complaints about the file of ``--config``.
_WHAT_TO_NAME = "Name the config.json of a run, or a TOML file."
#: The settings that control how images are read.
_READING = ("data.ink", "data.resize", "data.splits")


def resolve(
    *,
    file: Path | None = None,
    options: Mapping[str, Any] | None = None,
    overrides: Sequence[str] | Mapping[str, Any] = (),
    base: Config | None = None,
) -> Config:
    """Build the configuration of a run.

    Args:
        file: a TOML file of settings, or the ``config.json`` of a run.
        options: settings by dotted key, such as ``{"data.name": "mnist"}``; None means not given.
        overrides: texts ``key=value`` with dotted keys, where a value that is not TOML is taken as text; or a mapping
            of dotted keys to values.
        base: the settings that apply unless others are given; None means the recipe's own.

    Raises:
        ConfigError: a key is unknown, or a value is not allowed.
    """
    layers = [
        {} if base is None else flat(base.model_dump()),
        {} if file is None else _read_file(file),
        {key: value for key, value in (options or {}).items() if value is not None}
        | flat(overrides if isinstance(overrides, Mapping) else dict(map(_parsed_override, overrides))),
    ]
    return _checked(functools.reduce(_merged, layers))


def _read_file(file: Path) -> dict[str, Any]:
    """Return the settings in a TOML file, or in the ``config.json`` of a run."""
    if is_file(file / "config.json"):
        raise ConfigError(f"{shown(file)} is the folder of a run. Name the config.json in it.")
    if file.suffix.lower() != ".json":
        return flat(read_toml(file))
    try:
        with input_errors(file, ConfigError, advice=""):
            saved = flat(_read_table(file))
    except ConfigError as error:
        raise ConfigError(f"{error} {_WHAT_TO_NAME}") from None
    if not saved.keys() >= ALWAYS_SAVED:
        raise ConfigError(f"{shown(file)} does not hold all settings of a run. {_WHAT_TO_NAME}")
    return _migrated(saved)


def _parsed_override(override: str) -> tuple[str, Any]:
    """Return the key and the value of ``key=value``."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {as_given(override)} is not key=value. For example: --set watch.save_every=500")
    try:
        table = tomllib.loads(f"value = {text.strip()}")
    except (ValueError, RecursionError):
        table = {}
    # A text of several lines can be TOML with more keys than one, and the others would be lost.
    return key.strip(), table["value"] if len(table) == 1 else text.strip()


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge settings; ``over`` takes precedence. A length in steps replaces one in seconds, and vice versa."""
    no_length = {"steps": None, "seconds": None}
    has_length = any(over.get(key) is not None for key in no_length)
    return {**base, **no_length, **over} if has_length else {**base, **over}


def _checked(given: Mapping[str, Any]) -> Config:
    """Fill in the presets of the recipe and of the loss, and check every value."""
    recipe = one_of(given.get("recipe", RECIPES[0]), "recipe", RECIPES)
    for key, value in given.items():
        _require_known(key, value)
    preset = flat(PRESETS[recipe])
    loss = given.get("loss")
    if isinstance(loss, str) and recipe != "tutorial":  # it has no loss to choose
        preset |= {key: published.value for key, published in LOSS_PRESETS.get(loss, {}).items()}
    return validated(nested(_merged(preset, given)))


def _require_known(key: str, value: Any) -> None:
    """Refuse the key of no setting, with the nearest one as a hint."""
    known = known_settings()
    if key in known:
        return
    if key in tables():
        raise ConfigError(f"{key} is a table of settings, not a value: {key}.NAME={as_given(value)}.")
    if key in _RENAMED:
        now = f"{key} is called {_RENAMED[key]} now"
        try:
            _checked({_RENAMED[key]: value})
        except ConfigError as error:
            raise ConfigError(f"{now}, and {error}") from None
        raise ConfigError(f"{now}. Give {_RENAMED[key]}={as_given(value)}.")
    spelt = re.sub(r"\blr\b", "learning_rate", key)  # what people type
    hint = did_you_mean(spelt, known) or did_you_mean(spelt.rpartition(".")[2], known)
    raise ConfigError(f"unknown setting {as_given(key)}.{hint} `inkgan train --dry-run` prints all settings.")


def reading_settings(given: Sequence[str] | Mapping[str, Any]) -> dict[str, Any]:
    """Check settings that control how images are read, and return them by their names without ``data.``.

    Args:
        given: as ``overrides`` of :func:`resolve`.

    Raises:
        ConfigError: one is unknown or does not change how images are read, or a value is not allowed.
    """
    require_settings(given)
    checked = flat(resolve(overrides=given).model_dump())
    keys = keys_of(given)
    for key in keys:
        if key not in _READING:
            raise ConfigError(f"{shown(key)} does not change how images are read. These do: {', '.join(_READING)}.")
    return {key.removeprefix("data."): checked[key] for key in keys}


def keys_of(given: Sequence[str] | Mapping[str, Any]) -> list[str]:
    """Return the dotted keys of settings.

    Args:
        given: as ``overrides`` of :func:`resolve`.
    """
    return list(flat(given)) if isinstance(given, Mapping) else [text.partition("=")[0].strip() for text in given]


def require_settings(given: object) -> None:
    """Check the type of settings that a Python program gave.

    Raises:
        ConfigError: they are neither a mapping with texts as keys nor a list of texts.
    """
    if not (isinstance(given, Mapping | list | tuple) and all(isinstance(one, str) for one in given)):
        raise ConfigError("settings are a mapping, such as {'loss': 'hinge'}, or texts, such as ['loss=hinge'].")


def read_config(path: Path) -> Config:
    """Read the configuration that a run saved.

    Raises:
        ConfigError: the file cannot be read, or does not hold a configuration that this version knows.
    """
    with input_errors(path, ConfigError):
        given = _read_table(path)
    try:
        return from_saved(given)
    except ConfigError as error:
        raise ConfigError(f"{shown(path)} cannot be used: {error} If a newer inkgan wrote it, use that.") from None


def holds_saved_settings(path: Path) -> bool:
    """Whether a file holds the settings of a run: a run saves all; the files of other programs at most have some."""
    try:
        given = _read_table(path)
        from_saved(given)
    except (OSError, ConfigError):
        return False
    return flat(given).keys() >= ALWAYS_SAVED


def _read_table(path: Path) -> dict[str, Any]:
    """Read the JSON that a run saved, without a check of its settings.

    Raises:
        OSError: the file cannot be read.
        ConfigError: it is damaged.
    """
    try:
        given = from_json(read_regular(path, LARGEST_SETTINGS))
    except json.JSONDecodeError:
        raise ConfigError(f"{shown(path)} is damaged: it is not JSON in UTF-8.") from None
    if not isinstance(given, dict):
        raise ConfigError(f"{shown(path)} is damaged: it holds no table of settings.")
    return given


def from_saved(given: Mapping[str, Any]) -> Config:
    """Check the settings that a run of this or an earlier version saved.

    Raises:
        ConfigError: a key is unknown, or a value is not allowed.
    """
    return _checked(_migrated(given))


def _migrated(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that a run of this or an earlier version saved, by dotted key and as this version spells them."""
    settings = {_RENAMED.get(key, key): value for key, value in flat(given).items()}
    # Versions without these settings behaved like this.
    settings.setdefault("data.ink", "light")
    settings.setdefault("critic_steps", 1)
    if settings.get("recipe") == "tutorial":
        # The tutorial does not have these settings, but its runs save their defaults, which have changed since.
        return {key: value for key, value in settings.items() if key not in compact_only()}
    if settings.get("loss") == "wgan-gp":
        settings.pop("penalty.on", None)  # earlier versions accepted it, and it had no effect
    settings.setdefault("slope", 0.2)
    if "penalty.pixels" not in settings:
        settings["penalty.pixels"] = "0..1"
        settings.setdefault("penalty.weight", 0.1)
    return settings


def differences(old: Config, new: Config) -> list[str]:
    """Name every setting in which two configurations differ, as ``key: old -> new``."""
    before = flat(old.model_dump())
    after = flat(new.model_dump())
    return [f"{key}: {printable(f'{value} -> {after[key]}')}" for key, value in before.items() if value != after[key]]


def with_place_of_data(config: Config, other: Config) -> Config:
    """Return settings with the place of the data, its name and its folder, that other settings have."""
    place = {"name": other.data.name, "directory": other.data.directory}
    return config.model_copy(update={"data": config.data.model_copy(update=place)})


def as_toml(config: Config) -> str:
    """Write settings as TOML, with their descriptions; ``--config`` reads it back."""
    lines: list[str] = []
    table = ""
    for key, value in sorted(flat(config.model_dump()).items(), key=lambda setting: "." in setting[0]):  # tables last
        parent, _, name = key.rpartition(".")
        meaning = known_settings()[key].description
        if parent != table:
            table = parent
            lines += ["", f"[{table}]"]
        # JSON writes strings as TOML does, except for surrogate pairs and the delete character.
        written = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        setting = f"# {name} =" if value is None else f"{name} = {written}"
        lines.append(f"{setting}  # {meaning}")
    return "\n".join(lines) + "\n"
