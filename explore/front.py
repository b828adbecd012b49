"""Fronts: which points no other one beats, also where they are known as ranges only."""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(points, objectives); less is better in each."""


def front(points: Points) -> NDArray[np.bool_]:
    """Mark the points that no other one beats: none is as good in all, and better in one.

    Of points that are equal in all, each is marked.
    """
    return ~beaten(points, points)


def beaten(best: Points, worst: Points) -> NDArray[np.bool_]:
    """Mark the points that are beaten whatever they are within their ranges.

    Parameters
    ----------
    best, worst : (points, objectives)
        What each point is at best and at worst; infinite where nothing is known. A point is beaten
        if another one at its worst is as good in all as it is at its best, and better in one.
    """
    found = np.zeros(len(best), bool)
    if not len(best):
        return found
    judges = worst[_sweep(worst)]
    for start in range(0, len(best), 256):
        mine = best[start : start + 256, None]
        as_good = np.logical_and.reduce(judges[None] <= mine, 2)
        better = np.logical_or.reduce(judges[None] < mine, 2)
        found[start : start + 256] = np.logical_or.reduce(as_good & better, 1)
    return found


def _sweep(points: Points) -> list[int]:
    """Return the places of points that beat all others among them, of equal ones the first."""
    kept: list[int] = []
    values = np.empty_like(points)
    for place in np.lexsort(points.T[::-1]):
        if not np.logical_and.reduce(values[: len(kept)] <= points[place], 1).any():
            values[len(kept)] = points[place]
            kept.append(int(place))
    return kept


def spread(points: Points, count: int) -> list[int]:
    """Choose points far from each other: the best in each objective, then the farthest ones.

    Distances are between ranks, so that no scale matters. Returns places, at most ``count``.
    """
    if not len(points) or count < 1:
        return []
    ranks = points.argsort(0, kind="stable").argsort(0, kind="stable").astype(float)
    chosen = list(dict.fromkeys(int(place) for place in points.argmin(0)))[:count]
    while len(chosen) < min(count, len(points)):
        away = np.abs(ranks[:, None] - ranks[chosen][None]).sum(2).min(1)
        away[chosen] = -1
        chosen.append(int(away.argmax()))
    return chosen
