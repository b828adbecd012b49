"""One unit of which real numbers are whole multiples: exactly where there is one, else nearly."""

import numpy as np
from numpy.typing import NDArray

from models.checks import require

TOP = 32767
"""Largest coefficient; -32768 is not used."""
DIGITS = 53
"""Bits of a float64's significand."""


def whole_multiples(
    values: NDArray[np.float64], reach: NDArray[np.int64]
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Write each row as integers times one float32 unit, with ``|integer * reach| <= 32767``.

    The unit is the smallest that keeps the integers in range, or the smallest power of two times
    the greatest common divisor of the row that does, whichever changes the row less in sum: where
    the divisor itself does, nothing changes. Integers are rounded, ties to even, by at most half a
    unit. A row of zeros has unit 1.

    Parameters
    ----------
    values : float64, (rows, groups, stored)
    reach : int64, (stored,)
        What the integers will be multiplied by, at most; positive.

    Returns
    -------
    whole : int16, (rows, groups, stored)
    unit : float32, (rows,)
        Not below the smallest normal float32.

    Raises
    ------
    ValueError
        A value is not finite, or over the largest float32.
    """
    limits = np.finfo(np.float32)
    fits = bool((np.abs(values) <= limits.max).all())
    require(fits, "scales", "be finite float32", "a NaN, an infinity or more")
    least = (np.abs(values).max(axis=1) / (TOP // reach)).max(axis=1)
    least = np.where(least == 0, 1, np.maximum(least, limits.tiny))
    divisor = common_divisor(values.reshape(len(values), -1))
    times = np.divide(least, divisor, out=np.ones_like(least), where=divisor > 0)
    doubled = divisor * 2.0 ** np.ceil(np.log2(np.maximum(times, 1)))
    units = [least.astype(np.float32), np.where(divisor > 0, doubled, least).astype(np.float32)]
    wholes = [np.rint(values / _by_row(unit)) for unit in units]
    lost = [
        np.abs(whole * _by_row(unit) - values).sum(axis=(1, 2))
        for whole, unit in zip(wholes, units, strict=True)
    ]
    better = lost[1] < lost[0]
    whole = np.where(_by_row(better) > 0, wholes[1], wholes[0])
    return whole.astype(np.int16), np.where(better, units[1], units[0])


def _by_row(values: NDArray) -> NDArray[np.float64]:
    return values.astype(np.float64)[:, np.newaxis, np.newaxis]


def common_divisor(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest number of which all values of a row are whole multiples.

    Parameters
    ----------
    values : float64, (rows, columns)
        Finite.

    Returns
    -------
    float64, (rows,)
        0 for a row of zeros, and for one whose multiples do not fit 53 bits.
    """
    fraction, exponent = np.frexp(values)
    digits = np.ldexp(fraction, DIGITS).astype(np.int64)
    place = np.frexp((digits & -digits).astype(np.float64))[1] - 1 + exponent - DIGITS
    lowest = np.where(digits == 0, place.max(), place).min(axis=1)  # of the bits set in the row
    with np.errstate(over="ignore"):
        scaled = np.ldexp(values, -lowest[:, np.newaxis])
    fits = np.abs(scaled) < 2.0**DIGITS
    whole = np.where(fits, scaled, 0).astype(np.int64)
    return np.where(fits.all(axis=1), np.ldexp(np.gcd.reduce(whole, axis=1), lowest), 0.0)
