"""Nearest neighbours and novelty: brute force, scipy's rank test, constructions, coverage."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, norm  # type: ignore[import-untyped]

from inkgan.evaluation.metrics.intervals import binomial
from inkgan.evaluation.metrics.neighbours import nearest_neighbours
from inkgan.evaluation.metrics.novelty import Novelty, copying_z, novelty, pixels

Array = npt.NDArray[np.float64]


def normal(seed: int, n: int, d: int) -> Array:
    return np.random.default_rng(seed).standard_normal((n, d))


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_nearest_equals_brute_force(seed: int, d: int) -> None:
    x, y = normal(seed, 20, d), normal(seed + 1, 30, d)
    found = nearest_neighbours(x, y)
    distances = np.sqrt(((x[:, None] - y[None]) ** 2).sum(axis=2))
    np.testing.assert_allclose(found.distance, distances.min(axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(distances[np.arange(20), found.index], found.distance, rtol=1e-12)


def test_a_copy_is_at_distance_zero_whatever_the_offset() -> None:
    y = (normal(0, 400, 30) + 1000).astype(np.float32)
    found = nearest_neighbours(y[100:110], y)
    assert found.distance.tolist() == [0.0] * 10
    assert found.index.tolist() == list(range(100, 110))


def test_one_image_and_one_reference_are_enough() -> None:
    found = nearest_neighbours(np.array([[3.0, 4.0]]), np.zeros((1, 2)))
    assert (found.distance.tolist(), found.index.tolist()) == ([5], [0])


def test_equal_distances_are_ties_in_any_precision() -> None:
    """Those of held-out images are kept as float32, in which the root of 2 is a little smaller."""
    found = novelty(np.full(100, 2**0.5), np.full(200, 2**0.5, np.float32))
    assert (found.near_copies.value, found.floor.value, found.z) == (1, 1, 0)


def test_pixels() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3) * 10
    assert pixels(images).shape == (2, 12)
    assert pixels(images)[1, 0] == np.float32(120 / 255)


def test_z_is_the_rank_test_of_scipy() -> None:
    """This holds with ties, too; SciPy's correction of the variance for ties is small here."""
    g, h = normal(0, 80, 1)[:, 0].round(1), normal(1, 120, 1)[:, 0].round(1) + 0.3
    expected = mannwhitneyu(g, h, alternative="less", use_continuity=False).pvalue
    assert norm.cdf(copying_z(g, h)) == pytest.approx(expected, rel=0.02)


def test_z_by_hand() -> None:
    """All six pairs are won: U = 6, its mean is 3 and its variance 2 · 3 · (2 + 3 + 1) / 12 = 3."""
    assert copying_z(np.array([4.0, 5.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(np.sqrt(3))


def test_the_smallest_inputs_of_novelty() -> None:
    """Twenty images in a cell, and one held-out image below the threshold."""
    g, h = np.linspace(1, 2, 20), np.linspace(1.2, 3, 200)
    cells = np.zeros(20, np.int64), np.zeros(200, np.int64)
    assert novelty(g, h, 1 / 200, cells).z == pytest.approx(copying_z(g, h))


def test_the_threshold_itself_is_near() -> None:
    """The nearest hundredth of the held-out distances 1 to 200 ends with 2."""
    found = novelty(np.repeat([2.0, 2.5], 20), np.arange(1.0, 201.0))
    assert (found.near_copies.value, found.floor.value) == (0.5, 0.01)


def spaces(generated: Array, training: Array, held_out: Array) -> Novelty:
    return novelty(nearest_neighbours(generated, training).distance, nearest_neighbours(held_out, training).distance)


def test_new_images_and_copies() -> None:
    training, held_out = normal(0, 800, 5), normal(1, 1000, 5)
    new = spaces(normal(2, 1000, 5), training, held_out)
    assert abs(new.z) < 3
    assert new.near_copies.interval.low <= new.floor.value <= new.near_copies.interval.high

    copies = normal(3, 1000, 5)
    copies[:200] = training[:200]
    copies[200:300] = training[200:300] + 1e-3
    copied = spaces(copies, training, held_out)
    assert copied.near_copies.value == pytest.approx(0.3 + 0.7 * 0.01, abs=0.02)
    assert copied.near_copies == binomial(round(copied.near_copies.value * 1000), 1000, "exact")
    assert copied.z < -5

    assert spaces(3 * normal(4, 500, 5), training, held_out).z > 5  # underfits: far from everything


def test_cells_ignore_a_different_mixture() -> None:
    """Two classes of different density in other proportions look like copying, but not within each class."""
    source = np.random.default_rng(0)

    def draw(dense: int, sparse: int) -> tuple[Array, npt.NDArray[np.int64]]:
        distances = np.concatenate([source.uniform(0, 1, dense), source.uniform(2, 3, sparse)])
        return distances, np.repeat([0, 1], [dense, sparse])

    (g, g_cells), (h, h_cells) = draw(700, 300), draw(400, 600)
    assert novelty(g, h).z < -5
    assert abs(novelty(g, h, cells=(g_cells, h_cells)).z) < 3


def test_cells_weigh_as_their_held_out_images() -> None:
    """Meehan et al. (2020), section 3.1, over its standard deviation; 19 images are too few for a cell."""
    source = np.random.default_rng(0)
    g, h = source.exponential(size=139), source.exponential(1.3, size=319)
    g_cells, h_cells = np.repeat([0, 1, 2, 3], [20, 60, 19, 40]), np.repeat([0, 1, 2, 3], [200, 20, 80, 19])
    z = [copying_z(g[g_cells == cell], h[h_cells == cell]) for cell in (0, 1)]
    expected = (200 * z[0] + 20 * z[1]) / np.hypot(200, 20)
    assert novelty(g, h, cells=(g_cells, h_cells)).z == pytest.approx(expected)
    assert abs(z[0] - z[1]) > 0.1


def test_without_a_cell_of_enough_images_all_are_compared_at_once() -> None:
    """Here, each class has 19 images, which are too few whatever the number of held-out ones."""
    g, h = np.linspace(1, 2, 38), np.linspace(1.2, 3, 200)
    cells = np.arange(38) % 2, np.arange(200) % 2
    assert novelty(g, h, cells=cells).z == copying_z(g, h)


@pytest.mark.slow
def test_z_is_standard_normal_without_copying(monkeypatch: pytest.MonkeyPatch) -> None:
    share = binomial(1, 120, "exact")
    monkeypatch.setattr("inkgan.evaluation.metrics.novelty.rate", lambda *_: share)  # its interval takes long
    source = np.random.default_rng(0)
    cells = np.arange(120) % 3
    z = [
        novelty(g, h, 0.05, cells=(cells, cells)).z for g, h in (source.exponential(size=(2, 120)) for _ in range(400))
    ]
    assert np.mean(z) == pytest.approx(0, abs=0.2)
    assert np.std(z) == pytest.approx(1, abs=0.15)
