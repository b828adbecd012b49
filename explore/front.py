"""Fronts: which points no other one beats, also where they are known as ranges only."""

from collections.abc import Iterator

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


def spread(points: Points) -> Iterator[int]:
    """Give places of points far from each other: the best in each objective, then the farthest.

    Distances are between ranks, so that no scale matters.
    """
    ranks = points.argsort(0, kind="stable").argsort(0, kind="stable").astype(np.float64)
    away = np.full(len(points), np.inf)
    first = list(dict.fromkeys(int(place) for place in points.argmin(0))) if len(points) else []
    for number in range(len(points)):
        place = first[number] if number < len(first) else int(away.argmax())
        yield place
        away = np.minimum(away, np.abs(ranks - ranks[place]).sum(1))
        away[place] = -1
