"""Fit: the largest array that a board has room for, at its clock."""

from collections.abc import Callable


def largest(works: Callable[[int], bool], start: int = 1) -> int:
    """Return the largest number that works, up to an eighth; 0 where not even 1 does.

    Doubles from ``start`` until one fails, or halves until one works, then halves the interval. A
    number above one that fails is taken to fail too.
    """
    low, high = 0, None
    trial = start
    while high is None or (high - low > max(1, high // 8)):
        if works(trial):
            low = trial
        else:
            high = trial
        trial = 2 * low if high is None else (low + high) // 2
        if trial == low:
            break
    return low
