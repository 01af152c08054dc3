"""Compute the reference statistics of the embedded digits in the shipped features, and write them beside the network.

    python scripts/make_reference_statistics.py

Run it whenever the feature network was trained again.
"""

from __future__ import annotations

import argparse
import time

from inkgan.data import load
from inkgan.evaluation.features import SHIPPED, load_features
from inkgan.evaluation.metrics.frechet import GaussianStatistics, frechet_distance
from inkgan.evaluation.reference import ARRAYS, compute_statistics


def main() -> None:
    """Compute, save, and print the statistics."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    start = time.perf_counter()
    mnist, network = load("mnist"), load_features()
    reference = compute_statistics(mnist, network)
    reference.save(SHIPPED)
    kibibytes = (SHIPPED / ARRAYS).stat().st_size / 1024
    print(f"{SHIPPED / ARRAYS}: {kibibytes:.0f} KiB in {time.perf_counter() - start:.0f} s")
    test = GaussianStatistics.of(network(mnist.test.images))
    print(f"Fréchet digit distance of test to train: {frechet_distance(test, reference.train):.3f}")


if __name__ == "__main__":
    main()
