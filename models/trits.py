"""Ternary weights in 1.6 bits: five to a byte.

A byte is ``ceil(256 * v / 243)`` of the five's number ``v = sum of (weight + 1) * 3**(4 - place)``.
Three times a byte, the bits above its eight are the next weight plus 1, and the eight what is left
for those that follow: no division, and no table. (GGUF's TQ1_0 has bytes of this kind.)
"""

import numpy as np
from numpy.typing import NDArray

from models.checks import require, require_array
from models.planes import pack, unpack

PER_BYTE = 5
PLACES = 3 ** np.arange(PER_BYTE - 1, -1, -1)


def pack_trits(weights: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Pack weights of -1, 0 and 1, five to a byte; the last byte is filled up with 0.

    Parameters
    ----------
    weights : integers, (..., columns)

    Returns
    -------
    uint8, (..., ceil(columns / 5))

    Raises
    ------
    ValueError
        A weight is none of the three.
    """
    if weights.size and (weights.min() < -1 or weights.max() > 1):
        raise ValueError(
            f"ternary weights must be from -1 to 1, got {weights.min()} to {weights.max()}"
        )
    missing = -weights.shape[-1] % PER_BYTE
    padded = np.pad(weights, [(0, 0)] * (weights.ndim - 1) + [(0, missing)])
    fives = padded.reshape(*weights.shape[:-1], -1, PER_BYTE).astype(np.int64)
    return (((fives + 1) @ PLACES * 256 + 242) // 243).astype(np.uint8)


def unpack_trits(packed: NDArray[np.uint8], columns: int) -> NDArray[np.int8]:
    """Undo :func:`pack_trits`.

    Returns
    -------
    int8, (..., columns)
    """
    left = packed.astype(np.int64)
    weights = np.empty((*packed.shape, PER_BYTE), np.int8)
    for place in range(PER_BYTE):
        left = 3 * (left & 255)
        weights[..., place] = (left >> 8) - 1
    return weights.reshape(*packed.shape[:-1], -1)[..., :columns]


def trits_of(planes: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Pack the planes of 1s and of -1s, no weight in both, to uint8 (out, ceil(columns / 5))."""
    return pack_trits(weights_of(planes, columns))


def weights_of(planes: NDArray[np.uint8], columns: int) -> NDArray[np.int8]:
    """Return the weights of such planes; int8, (out, columns)."""
    plus, minus = unpack(planes, columns).astype(np.int8)
    return plus - minus


def planes_of(packed: NDArray[np.uint8], columns: int) -> NDArray[np.uint8]:
    """Undo :func:`trits_of`.

    Raises
    ------
    ValueError
        The bytes are not those of so many ternary weights.
    """
    width = -(-columns // PER_BYTE)
    require_array(packed, "planes in base 3", ("uint8",), (len(packed), width), False)
    weights = unpack_trits(packed, columns)
    same = np.array_equal(pack_trits(weights), packed)
    require(same, "planes in base 3", "be bytes of five ternary weights each", "others")
    return pack(np.stack([weights > 0, weights < 0]))
