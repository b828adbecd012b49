"""Blocks of GGUF types with one scale each: signs, ternary, and integers of 4, 5 and 8 bits.

Layouts as in ggml's ``ggml-common.h`` and ``ggml-quants.c``: little-endian, a float16 scale ``d``
and maybe a float16 minimum ``m``. A decoder takes a matrix as blocks, uint8 (out, blocks, bytes).
"""

import numpy as np
from numpy.typing import NDArray

from models.checks import require
from models.interchange.grid import TERNARY, Grid

Blocks = NDArray[np.uint8]
Codes = NDArray[np.integer]
"""uint8 as well."""

TRITS = ((32, 5), (16, 5), (4, 4))
"""TQ1_0: so many bytes, and how many base-3 digits each holds."""


def q1_0(blocks: Blocks) -> Grid:
    """Signs, 128 a block: ``d``, then a bit each, 1 for ``d`` and 0 for ``-d``."""
    bits = np.unpackbits(blocks[..., 2:], axis=-1, bitorder="little")
    return Grid(rows(bits), (2,), 128, half(blocks[..., :2]), shift=-1)


def tq1_0(blocks: Blocks) -> Grid:
    """Ternary, 256 a block: 52 bytes of digits, then ``d``.

    A byte is ``ceil(256 * n / 243)`` of the number ``n`` that its five digits make in base 3,
    highest first; a digit is the weight plus 1. Bytes come in the runs of ``TRITS``: of each run
    all first digits, then all second ones, and so on. Where a byte has four digits, the fifth is 0.
    """
    digits, start = [], 0
    for width, count in TRITS:
        run = blocks[..., np.newaxis, start : start + width]
        powers = np.uint8(3) ** np.arange(count, dtype=np.uint8)[:, np.newaxis]
        rest = (run * powers).astype(np.uint16)  # modulo 256: without the digits before
        digits.append((rest * 3 >> 8).astype(np.uint8).reshape(*blocks.shape[:2], -1))
        start += width
    return ternary(np.concatenate(digits, axis=-1), half(blocks[..., start:]), 256)


def tq2_0(blocks: Blocks) -> Grid:
    """Ternary, 256 a block: 64 bytes of 2-bit digits, then ``d``; a digit is the weight plus 1.

    Bits ``2 * n`` and ``2 * n + 1`` of the 32 bytes of half a block are its digits ``32 * n`` on.
    """
    runs = blocks[..., :64].reshape(*blocks.shape[:2], 2, 1, 32)
    digits = runs >> np.arange(0, 8, 2, dtype=np.uint8)[:, np.newaxis] & 3
    return ternary(digits.reshape(*blocks.shape[:2], 256), half(blocks[..., 64:]), 256)


def q4_0(blocks: Blocks) -> Grid:
    """4-bit integers, 32 a block: ``d``, nibbles; the weight is ``d * (nibble - 8)``."""
    return Grid(_signed(nibbles(blocks[..., 2:]), 4), places(4, True), 32, half(blocks[..., :2]))


def q4_1(blocks: Blocks) -> Grid:
    """4-bit integers, 32 a block: ``d``, ``m``, nibbles; the weight is ``d * nibble + m``."""
    codes = rows(nibbles(blocks[..., 4:]))
    return Grid(codes, places(4), 32, half(blocks[..., :2]), half(blocks[..., 2:4]))


def q5_0(blocks: Blocks) -> Grid:
    """5-bit integers, 32 a block: ``d``, top bits, nibbles; the weight is ``d * (n - 16)``."""
    codes = _signed(_fives(blocks[..., 2:]), 5)
    return Grid(codes, places(5, True), 32, half(blocks[..., :2]))


def q5_1(blocks: Blocks) -> Grid:
    """5-bit integers, 32 a block: ``d``, ``m``, top bits, nibbles; the weight is ``d * n + m``."""
    codes = rows(_fives(blocks[..., 4:]))
    return Grid(codes, places(5), 32, half(blocks[..., :2]), half(blocks[..., 2:4]))


def q8_0(blocks: Blocks) -> Grid:
    """8-bit integers, 32 a block: ``d``, then two's complement; the weight is ``d * n``."""
    return Grid(rows(blocks[..., 2:]), places(8, True), 32, half(blocks[..., :2]))


def places(bits: int, signed: bool = False) -> tuple[int, ...]:
    """Return what the bits of an unsigned or a two's complement integer are worth."""
    weights = [1 << bit for bit in range(bits)]
    return (*weights[:-1], -weights[-1]) if signed else tuple(weights)


def ternary(digits: Codes, scale: NDArray[np.float64], group: int) -> Grid:
    """Make the grid of digits that are weights plus 1; (out, groups, group) or (out, columns)."""
    most = int(digits.max())
    require(most <= 2, "ternary digits", "be 0, 1 or 2", most)
    codes = (digits == 2).view(np.uint8) | (digits == 0).view(np.uint8) << 1
    return Grid(rows(codes), TERNARY, group, scale)


def half(blocks: Blocks) -> NDArray[np.float64]:
    """Read float16 numbers; uint8 (..., 2) to float64 (...)."""
    return np.ascontiguousarray(blocks).view("<f2")[..., 0].astype(np.float64)


def rows(codes: Codes) -> Codes:
    """Put the groups of each row side by side; (out, ...) to (out, columns)."""
    return np.ascontiguousarray(codes).reshape(len(codes), -1)


def nibbles(packed: Codes) -> Codes:
    """Read 4-bit integers, of each block first all low nibbles; (..., n) to (..., 2 n)."""
    return np.concatenate([packed & 15, packed >> 4], axis=-1)


def _fives(packed: Blocks) -> Codes:
    """Read 32 integers of 5 bits: 4 bytes of top bits, 16 bytes of nibbles."""
    top = np.unpackbits(packed[..., :4], axis=-1, bitorder="little")
    return nibbles(packed[..., 4:]) | top << 4


def _signed(codes: Codes, bits: int) -> Codes:
    """Turn integers that count from the smallest into two's complement of so many bits."""
    return rows(codes ^ np.uint8(1 << (bits - 1)))
