"""Patterns: the combinations of weights for which a table of lut has a sum, and their codes."""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig

Pattern = tuple[int, ...]
"""A weight for each lane of a group."""


def patterns(config: HardwareConfig) -> list[Pattern]:
    """Return the patterns in the order of their codes; code 0 is all zeros.

    Of bits, all: bit ``j`` of the code is lane ``j``'s. Of ternary weights, those whose first
    weight other than 0 is +1: the negative half is minus the positive one, so a table has
    ``(3**table - 1) / 2`` sums and a sign serves for the other half. Those without -1 come first.
    """
    if not config.signed_weights:
        return [bits[::-1] for bits in product((0, 1), repeat=config.table)]
    every = [weights[::-1] for weights in product((0, 1, -1), repeat=config.table)]
    half = [weights for weights in every if next(filter(None, weights), 1) == 1]
    return sorted(half, key=lambda weights: -1 in weights)


def code_bits(config: HardwareConfig) -> int:
    """Bits of a code."""
    return (len(patterns(config)) - 1).bit_length()


def entry_range(config: HardwareConfig) -> tuple[int, int]:
    """Smallest and largest sum in a table of digits."""
    low, high = config.digit_range
    ends = [
        (low * weights.count(1) - high * weights.count(-1),
         high * weights.count(1) - low * weights.count(-1))
        for weights in patterns(config)
    ]  # fmt: skip
    return min(low for low, _ in ends), max(high for _, high in ends)


def encode_patterns(weights: NDArray[np.int8], config: HardwareConfig) -> tuple[NDArray, NDArray]:
    """Return the code and the sign of each group.

    Parameters
    ----------
    weights : int8, (..., table)
        -1, 0 or +1.

    Returns
    -------
    uint8, (...)
        Code of the pattern, or of minus the pattern.
    uint8, (...)
        1 for minus the pattern.
    """
    places = 3 ** np.arange(config.table)
    code_of = np.zeros(3**config.table, np.uint8)
    for code, pattern in enumerate(patterns(config)):
        code_of[(np.array(pattern) + 1) @ places] = code
    first = np.take_along_axis(weights, (weights != 0).argmax(-1)[..., np.newaxis], -1)
    negative = first < 0
    turned = np.where(negative, -weights, weights)
    return code_of[(turned + 1) @ places], negative[..., 0].astype(np.uint8)
