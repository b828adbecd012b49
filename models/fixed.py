"""Real coefficients as integers times one unit a row."""

import numpy as np
from numpy.typing import NDArray

from models.checks import require
from models.coefficients import Mix, mixed
from models.integers import code_range

TOP = 32767
"""Largest coefficient of a term, and largest offset, for circuits; -32768 is not used."""


def fixed_coefficients(
    coefficients: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
    mix: Mix | None = None,
    bits: int = 16,
    top: int = TOP,
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Round what is stored of groups to integers that respect the limits of each.

    A stored coefficient is at most ``2**(bits-1) - 1``; offsets, and what the mix makes of all, at
    most ``top``. Where a mix sums several rounded numbers, it keeps a half of each free for that.
    Unless such a sum is at its limit, rounding the result again changes nothing.

    Parameters
    ----------
    coefficients : float64, (out, groups, stored)
    offset : float64, (out, groups), or None
    mix : Mix or None
        As in :class:`models.stage.Stage`.
    bits : int
        8 to 16.

    Returns
    -------
    whole : int16, (out, groups, stored) or, with an offset as the last, (out, groups, stored + 1)
    unit : float32, (out,)
        As :func:`fixed_point` gives it.
    """
    most = np.full(coefficients.shape[2], min(top, code_range(bits, signed=True)[1]))
    parts, tops = [coefficients], [most]
    if offset is not None:
        parts.append(offset[..., np.newaxis])
        tops.append(np.array([top]))
    if mix is not None:
        counts = np.abs(mix)  # (stored, terms + 1)
        sums = (counts > 0).sum(0) > 1
        terms, halves = mixed(coefficients, mix), counts.sum(0) / 2
        if offset is not None:
            sums[-1] = True
            terms[..., -1] += offset
            halves[-1] += 0.5
        tops[0] = np.minimum(most, top // counts[:, ~sums].max(axis=1, initial=1))
        parts.append(terms[..., sums])
        tops.append((top - halves)[sums])
    whole, unit = fixed_point(np.concatenate(parts, axis=2), np.concatenate(tops))
    stored = coefficients.shape[2] + (offset is not None)
    return whole[..., :stored], unit


def fixed_point(
    values: NDArray[np.float64], top: float | NDArray = TOP
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Round real numbers to int16 multiples of one float32 unit per row.

    The unit is the row's largest magnitude over ``top``, but not below the smallest normal
    float32; an all-zero row has unit 1. Ties round to even; the error is at most ``unit / 2``.

    Parameters
    ----------
    values : float64, (out, ...)
    top : one for all, or (last dimension of values,)
        Largest magnitude of the integers, 1 to 32767.

    Returns
    -------
    whole : int16, (out, ...)
    unit : float32, (out,)
    """
    size = np.abs(values)
    fits = bool((size <= np.finfo(np.float32).max).all())
    require(fits, "coefficients", "be finite float32", "a NaN, an infinity or more")
    peak = (size / top).reshape(len(values), -1).max(axis=1)
    unit = np.maximum(peak, np.finfo(np.float32).tiny).astype(np.float32)
    unit[peak == 0] = 1.0
    wide = unit.astype(np.float64).reshape(-1, *[1] * (values.ndim - 1))
    return np.rint(values / wide).astype(np.int16), unit


def stored_type(bits: int) -> type[np.int8] | type[np.int16]:
    """Return the type in which coefficients of so many bits, 8 to 16, are stored."""
    return np.int8 if bits <= 8 else np.int16
