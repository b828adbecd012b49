"""Blocks of GGUF's K types: 256 integers whose groups have integer scales and minima of their own.

Layouts as in ggml's ``ggml-common.h`` and ``ggml-quants.c``. With the float16 ``d`` and ``dmin`` of
the block, a weight of group ``g`` is ``d * scale[g] * n - dmin * minimum[g]``.
"""

import numpy as np
from numpy.typing import NDArray

from models.interchange.blocks import Blocks, Codes, half, nibbles, places, rows
from models.interchange.grid import Grid


def q2_k(blocks: Blocks) -> Grid:
    """2-bit integers in groups of 16: nibbles of scale and minimum, integers, ``d``, ``dmin``."""
    scale, minimum = blocks[..., :16] & 15, blocks[..., :16] >> 4
    codes = _runs(blocks[..., 16:80], 32, 2)
    return _minima(codes, 2, 16, blocks[..., 80:84], scale, minimum)


def q3_k(blocks: Blocks) -> Grid:
    """3-bit integers in groups of 16: top bits, low bits, 6-bit scales plus 32, ``d``.

    The top bit is stored as its opposite is worth: 1 for 0 and 0 for -4.
    """
    top = _runs(blocks[..., :32], 32, 1)
    codes = _runs(blocks[..., 32:96], 32, 2) | (top ^ 1) << 2
    high = _runs(blocks[..., 104:108], 4, 2)
    scale = (nibbles(blocks[..., 96:104]) | high << 4).astype(np.int8) - np.int8(32)
    return _plain(codes, 3, 16, blocks[..., 108:], scale)


def q4_k(blocks: Blocks) -> Grid:
    """4-bit integers in groups of 32: ``d``, ``dmin``, 6-bit scales and minima, integers."""
    codes = _runs(blocks[..., 16:], 32, 4)
    return _minima(codes, 4, 32, blocks[..., :4], *_sixes(blocks[..., 4:16]))


def q5_k(blocks: Blocks) -> Grid:
    """5-bit integers in groups of 32: as Q4_K, with 32 bytes of top bits before the integers."""
    codes = _runs(blocks[..., 48:], 32, 4) | _runs(blocks[..., 16:48], 32, 1) << 4
    return _minima(codes, 5, 32, blocks[..., :4], *_sixes(blocks[..., 4:16]))


def q6_k(blocks: Blocks) -> Grid:
    """6-bit integers minus 32 in groups of 16: low nibbles, top bits, int8 scales, ``d``."""
    codes = _runs(blocks[..., :128], 64, 4) | _runs(blocks[..., 128:192], 32, 2) << 4
    scale = blocks[..., 192:208].view(np.int8)
    return _plain(codes ^ np.uint8(32), 6, 16, blocks[..., 208:], scale)


def _runs(packed: Blocks, width: int, bits: int) -> Codes:
    """Read integers from runs of ``width`` bytes, of each run first all lowest bits, and so on."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, np.newaxis]
    runs = packed.reshape(*packed.shape[:2], -1, 1, width) >> shifts & np.uint8((1 << bits) - 1)
    return runs.reshape(*packed.shape[:2], -1)


def _sixes(packed: Blocks) -> tuple[Codes, Codes]:
    """Read 8 scales and 8 minima of 6 bits from 12 bytes.

    Bytes 0 to 3 and 4 to 7 have the first four of each in their low bits; bytes 8 to 11 the low
    nibbles of the last four, whose top bits are those of the bytes before.
    """
    first, second, low = packed[..., :4], packed[..., 4:8], packed[..., 8:]
    scale = np.concatenate([first & 63, low & 15 | first >> 6 << 4], axis=-1)
    minimum = np.concatenate([second & 63, low >> 4 | second >> 6 << 4], axis=-1)
    return scale, minimum


def _minima(
    codes: Codes, bits: int, group: int, halves: Blocks,
    scale: Codes, minimum: Codes,
) -> Grid:  # fmt: skip
    """Make the grid of unsigned integers; ``halves`` holds ``d`` and ``dmin``."""
    d, dmin = half(halves[..., :2]), half(halves[..., 2:])
    return Grid(rows(codes), places(bits), group, _rows(d, scale), _rows(-dmin, minimum))


def _plain(codes: Codes, bits: int, group: int, halves: Blocks, scale: Codes) -> Grid:
    """Make the grid of two's complement integers."""
    return Grid(rows(codes), places(bits, True), group, _rows(half(halves), scale))


def _rows(d: NDArray[np.float64], integers: Codes) -> NDArray[np.float64]:
    """Multiply the integers of each block by its scale; to (out, groups)."""
    return (d[..., np.newaxis] * integers).reshape(len(d), -1)
