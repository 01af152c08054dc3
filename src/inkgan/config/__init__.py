"""The settings of a run: frozen and validated; recipes as presets; TOML in, JSON out.

``settings`` declares the settings, and ``sources`` finds their values. Of the rest of inkgan, they import only
``errors``, ``files`` and ``seeds``.
"""

from inkgan.config.settings import (
    CHANGEABLE,
    LONGEST_RUN,
    LOSS_PRESETS,
    PRESETS,
    RECIPES,
    Change,
    Config,
    Loss,
    Precision,
    RecipeName,
    about,
    compact_only,
    known_keys,
    known_settings,
)
from inkgan.config.sources import (
    as_toml,
    differences,
    from_saved,
    read_json,
    reading_settings,
    require_settings,
    resolve,
    validated,
)

__all__ = [
    "CHANGEABLE",
    "LONGEST_RUN",
    "LOSS_PRESETS",
    "PRESETS",
    "RECIPES",
    "Change",
    "Config",
    "Loss",
    "Precision",
    "RecipeName",
    "about",
    "as_toml",
    "compact_only",
    "differences",
    "from_saved",
    "known_keys",
    "known_settings",
    "read_json",
    "reading_settings",
    "require_settings",
    "resolve",
    "validated",
]
