"""Intervals: what is known of a price, carried through sums and products."""

from dataclasses import dataclass
from math import inf
from typing import Union

Amount = Union["Interval", float, int]


@dataclass(frozen=True)
class Interval:
    """From ``low`` to ``high``, both 0 or more.

    Attributes
    ----------
    low, high : float
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high < inf:
            rule = "must be two finite numbers of 0 or more, the lower one first"
            raise ValueError(f"interval {rule}, got {self.low} to {self.high}")

    @classmethod
    def of(cls, amount: Amount) -> "Interval":
        """Return an amount as an interval."""
        return amount if isinstance(amount, Interval) else cls(float(amount), float(amount))

    def __add__(self, other: Amount) -> "Interval":
        other = Interval.of(other)
        return Interval(self.low + other.low, self.high + other.high)

    __radd__ = __add__

    def __mul__(self, other: Amount) -> "Interval":
        if not isinstance(other, Interval):
            return Interval(self.low * other, self.high * other)
        return Interval(self.low * other.low, self.high * other.high)

    __rmul__ = __mul__

    @property
    def middle(self) -> float:
        """Between both."""
        return (self.low + self.high) / 2

    def show(self, scale: float = 1.0, digits: int = 3) -> str:
        """Return the text of its ends, multiplied by ``scale``; one number if they are equal."""
        ends = [f"{end * scale:.{digits}g}" for end in (self.low, self.high)]
        return ends[0] if ends[0] == ends[1] else f"{ends[0]}..{ends[1]}"
