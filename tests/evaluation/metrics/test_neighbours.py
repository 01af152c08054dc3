"""Precision, recall, density and coverage against prdc, brute force, constructions and simulation."""

from __future__ import annotations

import contextlib
import io
import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prdc import compute_prdc  # type: ignore[import-untyped]
from scipy import stats  # type: ignore[import-untyped]

from inkgan.errors import EvaluationError
from inkgan.evaluation.metrics.intervals import Estimate, binomial, groups, jackknife
from inkgan.evaluation.metrics.neighbours import centred, manifold_estimates, squared_distances, squared_radii

Array = npt.NDArray[np.float64]
NAMES = ("precision", "recall", "density", "coverage")


def normal(seed: int, n: int, d: int, scale: float = 1.0) -> Array:
    return scale * np.random.default_rng(seed).standard_normal((n, d))


def figures(real: Array, generated: Array, k: int = 5, num_groups: int = 5) -> dict[str, float]:
    result = manifold_estimates(real, generated, np.random.default_rng(0), k=k, num_groups=num_groups)
    return {name: result[name].value for name in NAMES}


@pytest.mark.parametrize(("scale", "k", "d"), [(1.0, 5, 8), (0.5, 3, 8), (1.6, 5, 64), (1.0, 1, 2)])
def test_equals_prdc(scale: float, k: int, d: int) -> None:
    real, generated = normal(0, 300, d), normal(1, 240, d, scale)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the sizes
        expected = compute_prdc(real, generated, nearest_k=k)
    assert figures(real, generated, k) == pytest.approx({name: expected[name] for name in NAMES}, abs=1e-12)


def test_the_radius_is_the_kth_nearest_other_point() -> None:
    x = normal(0, 50, 3).astype(np.float32)
    distances = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_radii(x, 4), np.sort(distances, axis=1)[:, 4], rtol=1e-4, atol=1e-5)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = normal(0, 130, 6), normal(1, 110, 6)
    whole = figures(real, generated)
    monkeypatch.setattr("inkgan.evaluation.metrics.neighbours._BLOCK_BYTES", 4 * 110 * 7)
    assert figures(real, generated) == whole


@pytest.mark.parametrize(("limit", "rows"), [(4 * 11 * 7, [7, 7]), (4 * 11 * 7 - 1, [6, 6, 2]), (1, [1] * 14)])
def test_a_block_has_the_rows_that_fit(monkeypatch: pytest.MonkeyPatch, limit: int, rows: list[int]) -> None:
    """A block has at least one row; a float32 has four bytes."""
    monkeypatch.setattr("inkgan.evaluation.metrics.neighbours._BLOCK_BYTES", limit)
    x, y = centred(normal(0, 14, 6), normal(1, 11, 6))
    blocks = [range(14)[block] for block, _ in squared_distances(x, y)]
    assert [len(block) for block in blocks] == rows
    assert [row for block in blocks for row in block] == list(range(14))


def test_the_mean_of_the_first_set_is_the_origin() -> None:
    first, second = centred(np.array([[1.0], [3.0]]), np.array([[10.0]]))
    assert (first.tolist(), second.tolist()) == ([[-1], [1]], [[8]])


def test_centring_takes_no_memory_but_for_its_result() -> None:
    """The pixels of a large set take gigabytes, and their differences from a mean in float64 twice as many."""
    x = np.ones((8192, 64), np.float32)
    tracemalloc.start()
    (moved,) = centred(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not moved.any()
    assert peak < 1.5 * x.nbytes


def test_an_image_on_the_edge_of_a_ball_is_in_it() -> None:
    """Kynkäänniemi et al. (2019), eq. 1, by hand: the balls of -3, -1, 1, 3 have radius 2, those of the others 4."""
    found = figures(np.array([[-3.0], [-1], [1], [3]]), np.array([[-9.0], [-5], [5], [9]]), k=1, num_groups=2)
    assert found == {"precision": 0.5, "recall": 1, "density": 0.5, "coverage": 0.5}


@pytest.mark.slow
@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_properties(seed: int, d: int) -> None:
    """Blind to order and to a common rotation and shift; all 1 (density at least 1) on equal sets."""
    x, y = normal(seed, 60, d), normal(seed + 1, 70, d, 0.8)
    rng = np.random.default_rng(seed)
    value = figures(x, y)
    assert figures(x[rng.permutation(60)], y[rng.permutation(70)]) == pytest.approx(value, abs=1e-12)
    rotation = stats.ortho_group.rvs(d, random_state=seed)
    # A point within rounding of a ball's edge may change sides.
    assert figures(x @ rotation + 3, y @ rotation + 3) == pytest.approx(value, abs=0.02)
    same = figures(x, x)
    assert [same[name] for name in ("precision", "recall", "coverage")] == [1, 1, 1]
    assert same["density"] >= 1


def test_the_jackknife_computes_the_figure_without_each_group() -> None:
    """The jackknife of density and coverage equals that of figures computed afresh without each group."""
    real, generated = normal(0, 80, 3), normal(1, 93, 3, 0.8)  # groups of 9 and of 10
    group = groups(93, 10, np.random.default_rng(0))
    left_out = [figures(real, generated[group != g]) for g in range(10)]
    estimate = manifold_estimates(real, generated, np.random.default_rng(0), num_groups=10)
    for name in ("density", "coverage"):
        expected = jackknife(0.0, np.array([without[name] for without in left_out]), 93).standard_error
        assert estimate[name].standard_error == pytest.approx(expected), name


def test_leaving_out_a_group_keeps_the_radii_of_recall() -> None:
    """By brute force: the balls of the remaining generated images, with the radii that they have among all of them."""
    real, generated = normal(0, 60, 3), normal(1, 53, 3, 0.7)
    group = groups(53, 10, np.random.default_rng(0))
    between = np.linalg.norm(real[:, None] - generated[None], axis=2)
    radii = np.sort(np.linalg.norm(generated[:, None] - generated[None], axis=2), axis=1)[:, 5]
    in_balls = between <= radii
    left_out = [in_balls[:, group != g].any(axis=1).mean() for g in range(10)]
    estimate = manifold_estimates(real, generated, np.random.default_rng(0), num_groups=10)["recall"]
    assert estimate.standard_error == pytest.approx(jackknife(0.0, np.array(left_out), 53).standard_error)
    assert estimate.standard_error > 0


def test_precision_has_the_interval_of_a_share() -> None:
    real, generated = normal(0, 60, 3), normal(1, 50, 3, 1.5)
    found = manifold_estimates(real, generated, np.random.default_rng(0), num_groups=10)["precision"]
    assert found == binomial(round(50 * found.value), 50)
    assert 0 < found.value < 1


def test_recall_is_precision_with_the_roles_exchanged() -> None:
    x, y = normal(0, 100, 4), normal(1, 100, 4, 0.7)
    assert figures(x, y)["recall"] == figures(y, x)["precision"]


def test_constructions() -> None:
    """Images far away score 0. Images of half of the modes have half of the coverage and all of the precision."""
    real = np.concatenate([normal(0, 100, 3), normal(1, 100, 3) + 50])
    far = figures(real, normal(2, 60, 3) + 1000)
    assert list(far.values()) == [0, 0, 0, 0]
    half = figures(real, normal(3, 100, 3) * 0.9)
    assert half["precision"] > 0.85
    assert 0.4 < half["coverage"] <= 0.5


def test_none_or_all_of_the_real_images_have_an_interval_with_a_width() -> None:
    """The closed form of Clopper and Pearson: with none of n, the share may be up to 1 - 0.025^(1/n)."""
    real, room = normal(0, 80, 3), 1 - 0.025 ** (1 / 80)
    far = manifold_estimates(real, normal(1, 60, 3) + 1000, np.random.default_rng(0), num_groups=5)
    copies = np.tile(real, (20, 1))  # each real image is in balls of several groups
    same = manifold_estimates(real, copies, np.random.default_rng(0), k=25, num_groups=5)
    for name in ("recall", "coverage"):
        none, all_of_them = far[name], same[name]
        assert (none.value, all_of_them.value) == (0, 1)
        assert [none.interval.low, none.interval.high] == pytest.approx([0, room])
        assert [all_of_them.interval.low, all_of_them.interval.high] == pytest.approx([1 - room, 1])


def test_a_share_that_no_group_changes_has_an_interval_with_a_width() -> None:
    """A generator of one image, repeated, reaches the same few real balls whichever group is left out."""
    real = np.array([[0.0], [0.01], [0.03], *([[100.0 + i**2] for i in range(9)])])
    one = np.zeros((60, 1))
    found = manifold_estimates(real, one, np.random.default_rng(0), k=2, num_groups=5)["coverage"]
    assert found.value == 3 / 12
    exact = stats.binomtest(3, 12).proportion_ci(method="exact")
    assert [found.interval.low, found.interval.high] == pytest.approx([exact.low, exact.high])


def test_a_density_of_0_has_an_interval_with_a_width() -> None:
    """If none of 60 images lies in a ball, up to 1 - 0.025^(1/60) of all may."""
    far = manifold_estimates(normal(0, 80, 3), normal(1, 60, 3) + 1000, np.random.default_rng(0), num_groups=5)
    density = far["density"]
    assert [density.value, density.interval.low, density.interval.high] == pytest.approx([0, 0, 1 - 0.025 ** (1 / 60)])


def simulate(scale: float) -> list[dict[str, Estimate]]:
    real, rng = normal(0, 400, 4), np.random.default_rng(1)
    return [manifold_estimates(real, normal(i, 400, 4, scale), rng, num_groups=20) for i in range(1, 151)]


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 0.7, 2.0])  # at 2.0, recall is 1 in most samples
def test_intervals_cover_the_expected_value_at_n(scale: float) -> None:
    """Nominal 95 %, 150 trials (standard error 1.8 %), for each of the four; wider is allowed."""
    results = simulate(scale)
    for name in NAMES:
        mean = np.mean([result[name].value for result in results])
        intervals = [result[name].interval for result in results]
        covered = np.mean([interval.low <= mean <= interval.high for interval in intervals])
        assert covered >= 0.90, name


def test_refuses() -> None:
    x, rng = normal(0, 200, 3), np.random.default_rng(0)
    with pytest.raises(EvaluationError, match="at least 6 images"):
        manifold_estimates(x[:5], x, rng)
    with pytest.raises(EvaluationError, match=r"generated features .* at least 6 images"):
        manifold_estimates(x, x[:5], rng, num_groups=2)
    assert manifold_estimates(x, x[:6], rng, num_groups=2)["precision"].value == 1
    with pytest.raises(EvaluationError, match="at least 100 images"):
        manifold_estimates(x, x[:99], rng)
