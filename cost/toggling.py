"""Toggling: how often bits change in an element, and so how much of it works in a cycle.

Energy of the clock is that of the registers that take a value. Energy of data is that of toggles:
operands' bits, after weights have let them through, toggle so often a cycle, and what is before
the accumulation toggles in proportion. What follows it (the sum so far) is near random, whatever
the data.
"""

from collections.abc import Mapping
from functools import cache
from math import erf, sqrt

import numpy as np
from numpy.typing import NDArray

from cost.inventory import element
from cost.stimulus import Work, cut, deviation, steps_of
from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout

CLOCK = ("clocked", "gate")
"""Bits of registers that take a value in a cycle; clock gates."""

DATA = ("and", "full", "turn", "pick", "carry", "loaded")
"""The first four as :mod:`cost.inventory` counts them, times toggles of an operand's bit a cycle;
bits of the accumulation; bits that gated registers load in a cycle."""

SCALED = DATA[:4]

WORKING = CLOCK + DATA


def worked(config: HardwareConfig, toggles: float | None = None) -> dict[str, float]:
    """Return the primitives that work in a cycle of an element, in the order of :data:`WORKING`.

    Weights and held sums are loaded once for all digits of a word, the sum so far in each.

    Parameters
    ----------
    toggles : float, optional
        Of an operand's bit a cycle; those of :func:`operand_toggles` without it.
    """
    rate = operand_toggles(config) if toggles is None else toggles
    counts = element(config)
    each = config.dot_bits if config.digits > 1 else 0
    loaded = each + (counts["gated"] - each) / config.digits
    work = {name: counts[name] * rate for name in SCALED}
    return {
        "clocked": counts["register"] + loaded, "gate": float(counts["gate"]),
        **work, "carry": float(counts["carry"]), "loaded": loaded,
    }  # fmt: skip


@cache
def operand_toggles(config: HardwareConfig) -> float:
    """Return the expected toggles of an operand's bit a cycle, mean over bits and digits.

    Weights let two thirds of ternary and half of binary operands through; codes are uniform without
    sign, else of a normal distribution rounded to integers (:func:`cost.stimulus.deviation`). A
    weight stays for all digits of a word, and words follow each other independently.
    """
    codes = np.arange(config.code_range[0], config.code_range[1] + 1)
    share = probabilities(codes)
    bits = _bits(cut(codes, config), config)  # (codes, digits, bits)
    through = 2 / 3 if config.signed_weights else 1 / 2
    ones = through * np.einsum("c,cdb->db", share, bits)
    inside = through * np.einsum("c,cdb->db", share, bits[:, 1:] != bits[:, :-1])
    between = ones[-1] * (1 - ones[0]) + ones[0] * (1 - ones[-1])
    return float((inside.sum(0) + between).mean() / config.digits)


def probabilities(codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how probable each of a row of codes is."""
    if codes[0] >= 0 or len(codes) <= 3:
        return np.full(len(codes), 1 / len(codes))
    scale = deviation(int(codes[-1])) * sqrt(2)
    below = np.array([0.0, *(0.5 + 0.5 * erf((code + 0.5) / scale) for code in codes[:-1]), 1.0])
    return np.diff(below)


def work_toggles(work: Work, config: HardwareConfig) -> float:
    """Return the toggles of an operand's bit a cycle, counted in some work of one row."""
    digits = steps_of(work, config)
    some = (work.weights[:, 0] != 0).reshape(len(digits), -1, config.lanes)
    bits = _bits(digits * np.repeat(some, config.digits, 1), config)
    return float((bits[:, 1:] != bits[:, :-1]).mean())


def _bits(digits: NDArray[np.int64], config: HardwareConfig) -> NDArray[np.int64]:
    width = digit_layout(config).elem_shape.width
    return digits[..., None] >> np.arange(width) & 1


def priced(counts: Mapping[str, float], prices: Mapping[str, float]) -> float:
    """Return the sum of counts times prices."""
    return sum(count * prices[name] for name, count in counts.items())
