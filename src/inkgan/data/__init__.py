"""Data sets: MNIST, which is embedded, its relatives, and a user's own images.

Reading them never needs PyTorch; downloading them needs pooch. It may import the base.
"""

from inkgan.data.known_sets import KNOWN, KnownSet
from inkgan.data.loading import load
from inkgan.data.sets import DataSet
from inkgan.data.splits import Split

__all__ = ["KNOWN", "DataSet", "KnownSet", "Split", "load"]
