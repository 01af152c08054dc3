"""The settings of a run: ``schema`` declares them, ``sources`` merges what users, recipes and saved runs give.

Of the rest of inkgan, this package imports only ``errors``, ``files`` and ``seeds``.
"""

from inkgan.config.schema import (
    CHANGEABLE,
    LONGEST_RUN,
    LOSS_PRESETS,
    PRESETS,
    RECIPES,
    Change,
    Config,
    Loss,
    Precision,
    about,
    compact_only,
    flat,
    known_settings,
    nested,
)
from inkgan.config.sources import (
    as_toml,
    differences,
    from_saved,
    read_json,
    reading_settings,
    require_settings,
    resolve,
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
    "about",
    "as_toml",
    "compact_only",
    "differences",
    "flat",
    "from_saved",
    "known_settings",
    "nested",
    "read_json",
    "reading_settings",
    "require_settings",
    "resolve",
]
