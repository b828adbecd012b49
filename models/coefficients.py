"""Coefficients of groups: what is stored of them, and the integers of terms that it stands for."""

import numpy as np
from numpy.typing import NDArray

from models.checks import require, require_array
from models.integers import code_range

Mix = tuple[tuple[int, ...], ...]
"""A row for each stored coefficient: how often it counts in each term's, and last in the offset.

A sign with a scale, ``a * (2b - 1)``, is ``a`` alone with the mix ``((2, -1),)``.
"""

Stored = NDArray[np.signedinteger]
"""int8 or int16."""
Index = NDArray[np.uint8] | NDArray[np.uint16]

ENTRY_BITS = 8
MOST = (1 << 15) - 1
"""Sum of the magnitudes in a mix: what it makes of int16, and the weights, then fit int32."""


def check_coefficients(
    stored: Stored, index: Index | None, mix: Mix | None, shape: tuple[int, int, int], terms: int
) -> None:
    """Raise ``ValueError`` unless coefficients suit (views, out, groups) and the terms."""
    if mix is not None:
        _check_mix(mix, terms)
    count, kinds = terms if mix is None else len(mix), ("int8", "int16")
    if index is None:
        require_array(stored, "coefficients", kinds, (*shape, count), True)
        have = stored.shape[-1]
        require(have == count, "coefficients", f"number {count} a group", have)
        return
    require(shape[0] == 1, "views", "be 1 with a coefficient table", shape[0])
    entries = len(np.atleast_1d(stored))
    require_array(stored, "coefficient table", kinds, (entries, count), False)
    require_array(index, "coefficient index", ("uint8", "uint16"), shape[1:], True)
    last = int(index.max())
    require(last < entries, "coefficient index", f"be under {entries}", last)


def _check_mix(mix: Mix, terms: int) -> None:
    require(len(mix) > 0, "mix", "have a row for each stored coefficient", "none")
    low, high = code_range(ENTRY_BITS, signed=True)
    for row in mix:
        rule = f"have rows of {terms + 1}, one for each term and the offset"
        require(len(row) == terms + 1, "mix", rule, len(row))
        fits = low <= min(row) and max(row) <= high
        require(fits, "mix", f"hold integers from {low} to {high}", list(row))
    total = sum(abs(entry) for row in mix for entry in row)
    require(total <= MOST, "magnitudes in the mix", f"sum to at most {MOST}", total)


def mix_bits(mix: Mix | None) -> int:
    """Bits that a mix is stored in."""
    return 0 if mix is None else ENTRY_BITS * sum(len(row) for row in mix)


def signs_mix(planes: int, mean: bool = False) -> Mix:
    """Return the mix of scales of planes of signs, ``a * (2b - 1)``, and last of a mean."""
    places = range(planes)
    rows = [(*(2 * (term == plane) for term in places), -1) for plane in places]
    return (*rows, *([(*(0 for _ in places), 1)] if mean else []))


def mixed(stored: NDArray, mix: Mix | None) -> NDArray:
    """Return the coefficients of the terms, and the offset, that stored coefficients stand for.

    Parameters
    ----------
    stored : int32 or float64, (..., stored)
    mix : Mix or None
        None stands for one stored coefficient for each term, and no offset.

    Returns
    -------
    as ``stored``, (..., terms + 1)
    """
    if mix is None:
        return np.concatenate([stored, np.zeros_like(stored[..., :1])], axis=-1)
    return stored @ np.array(mix, stored.dtype)
