"""Data sets: MNIST, which is embedded, its relatives, and a user's own images.

Importing it needs neither PyTorch nor the network; what reads files is imported when it is used.
"""

from inkgan.data.catalogue import KNOWN, KnownSet
from inkgan.data.loading import load
from inkgan.data.sets import DataSet, Split

__all__ = ["KNOWN", "DataSet", "KnownSet", "Split", "load"]
