"""Packed binary planes: bit ``j`` of a row is bit ``j % 8`` of its byte ``j // 8``."""

import numpy as np
from numpy.typing import NDArray

WORD_BYTES = 4
"""Rows are padded with zero bits to whole words of this many bytes."""


def row_bytes(columns: int) -> int:
    """Bytes that one packed row of ``columns`` bits takes, padding included."""
    return -(-columns // (8 * WORD_BYTES)) * WORD_BYTES


def pack(bits: NDArray[np.bool_] | NDArray[np.integer]) -> NDArray[np.uint8]:
    """Pack bits along the last axis, least significant bit first.

    Read as little-endian 32-bit words, element ``j`` is bit ``j % 32`` of word ``j // 32``.

    Parameters
    ----------
    bits : bool or {0, 1} integers, (..., columns)

    Returns
    -------
    packed : uint8, (..., row_bytes(columns))
        Bits past the last column are zero.
    """
    packed = np.packbits(bits, axis=-1, bitorder="little")
    missing = row_bytes(bits.shape[-1]) - packed.shape[-1]
    if missing == 0:
        return packed
    return np.pad(packed, [(0, 0)] * (packed.ndim - 1) + [(0, missing)])


def unpack(packed: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Undo :func:`pack`.

    Parameters
    ----------
    packed : uint8, (..., row_bytes(columns))

    Returns
    -------
    bits : uint8 in {0, 1}, (..., columns)
    """
    return np.unpackbits(packed, axis=-1, count=columns, bitorder="little")
