"""The settings of a run: ``schema`` declares them, ``sources`` merges what users, recipes and saved runs give.

Of the rest of inkgan, this package imports only ``errors``, ``files`` and ``seeds``.
"""

from inkgan.config.schema import CHANGEABLE as CHANGEABLE
from inkgan.config.schema import LONGEST_RUN as LONGEST_RUN
from inkgan.config.schema import LOSS_PRESETS as LOSS_PRESETS
from inkgan.config.schema import PRESETS as PRESETS
from inkgan.config.schema import RECIPES as RECIPES
from inkgan.config.schema import Change as Change
from inkgan.config.schema import Config as Config
from inkgan.config.schema import Loss as Loss
from inkgan.config.schema import Precision as Precision
from inkgan.config.schema import about as about
from inkgan.config.schema import compact_only as compact_only
from inkgan.config.schema import flat as flat
from inkgan.config.schema import known_settings as known_settings
from inkgan.config.schema import nested as nested
from inkgan.config.sources import as_toml as as_toml
from inkgan.config.sources import differences as differences
from inkgan.config.sources import from_saved as from_saved
from inkgan.config.sources import keys_of as keys_of
from inkgan.config.sources import read_json as read_json
from inkgan.config.sources import reading_settings as reading_settings
from inkgan.config.sources import require_settings as require_settings
from inkgan.config.sources import resolve as resolve
