"""Sensitivity: how far each uncertain price moves a token's energy, and the front.

Speed hangs on one uncertain figure, the bandwidth that is reached, and area on prices that move
together: the ends of these metrics are what each does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost.engine import Token
from cost.terms import Term
from explore.front import front

NAMES = {
    "energy": "DRAM, energy of a bit",
    "sram_bit": "SRAM, energy of a bit",
    "glitches": "glitches",
    "wires_and_clock_tree": "wires and clock tree",
    "int8_mac": "INT8 product of attention",
    "real_operation": "real operation",
    "leakage": "leakage",
    "idle": "idle power",
}
"""Prices by their names in tables; all others are the logic's."""

LOGIC = "primitives of logic"


@dataclass(frozen=True)
class Swing:
    """A price at either end, all others in the middle.

    Attributes
    ----------
    price : str
    low, high : float
        Energy of a token in J.
    """

    price: str
    low: float
    high: float


def price_of(term: Term) -> str:
    """Return the name of a term's price."""
    return NAMES.get(term.price.name, LOGIC)


def swings(token: Token) -> list[Swing]:
    """Return what each price does to a token, the largest first; none without a range.

    Prices of one name move together.
    """
    middle = sum(term.value.middle for term in token.terms)
    found = []
    for name in dict.fromkeys(map(price_of, token.terms)):
        mine = [term.value for term in token.terms if price_of(term) == name]
        half = sum(value.high - value.low for value in mine) / 2
        if half > 0:
            found.append(Swing(name, middle - half, middle + half))
    return sorted(found, key=lambda one: one.low - one.high)


def stays(
    points: NDArray[np.float64], joules: int, tokens: Sequence[Token]
) -> dict[str, tuple[int, int, int]]:
    """Return how the front changes with each price at either end.

    Parameters
    ----------
    points : (points, objectives)
        Less is better; energy in column ``joules``.

    Returns
    -------
    dict of str to (int, int, int)
        By price: points on the front with all in the middle; how many of them stay at the low
        and at the high end.
    """
    base = front(points)
    found = {}
    for name in dict.fromkeys(price_of(term) for token in tokens for term in token.terms):
        halves = np.array([
            sum(t.value.high - t.value.low for t in token.terms if price_of(t) == name) / 2
            for token in tokens
        ])
        if halves.any():
            ends = []
            for sign in (-1, 1):
                moved = points.copy()
                moved[:, joules] += sign * halves
                ends.append(int((front(moved) & base).sum()))
            found[name] = (int(base.sum()), *ends)
    return found
