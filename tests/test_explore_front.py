"""Fronts against the definition, on random points with ties and unknown ones."""

import numpy as np
import pytest

from explore.front import beaten, front, spread


def by_definition(best: np.ndarray, worst: np.ndarray) -> list[bool]:
    return [
        any(all(w <= b) and any(w < b) for w in worst) for b in best
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_against_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(0, 400)), int(rng.integers(1, 5)))
    points = rng.integers(0, 6, shape).astype(np.float64)
    assert (~front(points)).tolist() == by_definition(points, points), seed
    slack = rng.integers(0, 3, shape).astype(np.float64) / 2
    best, worst = points - slack, points + slack
    unknown = rng.random(shape) < 0.1
    best[unknown], worst[unknown] = -np.inf, np.inf
    assert beaten(best, worst).tolist() == by_definition(best, worst), seed


def test_equal_points_are_all_on_the_front() -> None:
    assert front(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 2.0]])).tolist() == [True, True, False]


def test_spread_takes_the_ends_first() -> None:
    points = np.array([[n, 10.0 - n] for n in range(11)])
    order = list(spread(points))
    assert set(order[:2]) == {0, 10}
    assert order[2] == 5
    assert sorted(order) == list(range(11))
    assert list(spread(np.empty((0, 2)))) == []


def test_a_hundred_thousand_points() -> None:
    points = np.random.default_rng(1).random((100_000, 3))
    mask = front(points)
    assert 50 < mask.sum() < 5000
    assert not beaten(points[mask], points[mask]).any()
