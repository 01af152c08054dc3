"""The settings of a run: ``schema`` declares them, ``sources`` merges what users, recipes and saved runs give.

Of the rest of inkgan, this package imports only ``errors``, ``files`` and ``seeds``.
"""

from inkgan.config.schema import Config
from inkgan.config.sources import resolve

__all__ = ["Config", "resolve"]
