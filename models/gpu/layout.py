"""A stage as the kernels read it; ``csrc/layer.h`` has the other side of the layout.

Each group's columns are padded to whole sets of 32, all columns to whole steps of 256, rows to
tiles of 16. Within 128 columns, column ``32 i + 8 t + 4 h + j`` (``i, t, j < 4``, ``h < 2``) is
bit ``i + 4 h + 8 j`` of word ``t``, and byte ``32 t + 4 (i + 4 h) + j`` of the codes: then one
shift and one AND spread four weights to bytes, and a product of the tensor cores takes 32
neighbors.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.planes import unpack
from models.stage import Stage

SET, HALF, STEP, ROWS = 32, 128, 256, 16
MOST_PLANES = 4
"""Planes that are terms of their own in one pass over them; others take a pass for each term."""


def _natural(by_bits: bool) -> NDArray[np.intp]:
    """Return the column that each place of 128 holds, in the order of bits or of bytes."""
    t, place = np.divmod(np.arange(HALF), SET)
    m, j = (place % 8, place // 8) if by_bits else (place // 4, place % 4)
    return 32 * (m % 4) + 8 * t + 4 * (m // 4) + j


@dataclass(frozen=True, eq=False)
class Packed:
    """A stage's weights for the kernels.

    Attributes
    ----------
    planes : uint32, (row tiles, steps, k, 32 lanes, 4)
    coefficients : int16 or int32, (passes, row tiles, groups, 8, terms, 2)
        Of rows g and g + 8; offsets, where there are any, are the last term.
    masks : uint32, (passes,), or None
        The planes whose AND is a pass's only term.
    by_bits, by_bytes : int32, (padded columns,)
        The column of the stage that lies at each place, or -1.
    passes_per_view : int
    groups, sets : int
        Groups, and sets of 32 columns in each.
    has_offset : bool
    base3 : bool
        The planes are those of :mod:`models.gpu.base3`, and steps are of 320 columns.
    """

    planes: NDArray[np.uint32]
    coefficients: NDArray[np.int16] | NDArray[np.int32]
    masks: NDArray[np.uint32] | None
    by_bits: NDArray[np.int32]
    by_bytes: NDArray[np.int32]
    passes_per_view: int
    groups: int
    sets: int
    has_offset: bool
    base3: bool = False

    @property
    def columns(self) -> int:
        """Padded columns."""
        return len(self.by_bits)

    @property
    def aligned(self) -> bool:
        """Whether no 128 columns at a multiple of 128 hold more than one group."""
        return self.groups == 1 or self.sets % (HALF // SET) == 0

    @property
    def weight_bytes(self) -> int:
        """Bytes that a product of few tokens must read, padding included."""
        return self.planes.nbytes + self.coefficients.nbytes

    @property
    def magic(self) -> int:
        """What ``group_of`` of the kernels divides with; exact below 2**17 sets."""
        return 0 if self.sets == 1 else (1 << 32) // self.sets + 1


def pack_stage(stage: Stage) -> Packed:
    """Lay out a stage of any kind."""
    columns = spread_columns(stage, STEP)
    by_bits, by_bytes = (
        columns.reshape(-1, HALF)[:, _natural(order)].reshape(-1) for order in (True, False)
    )
    plain = stage.k <= MOST_PLANES and stage.monomials == tuple(1 << p for p in range(stage.k))
    return Packed(
        planes=_tiles(unpack(stage.planes, stage.columns), by_bits),
        coefficients=tiled(_coefficients(stage, plain)),
        masks=None if plain else np.array(stage.monomials * stage.views, np.uint32),
        by_bits=by_bits.astype(np.int32),
        by_bytes=by_bytes.astype(np.int32),
        passes_per_view=1 if plain else stage.terms,
        groups=stage.groups,
        sets=-(-stage.group // SET),
        has_offset=stage.has_offset,
    )


def pack_bits(bits: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Lay out one plane without groups; bool (rows, columns) to (row tiles, steps, 1, 32, 4)."""
    return _tiles(bits[np.newaxis].astype(np.uint8), _plain_order(bits.shape[1]))


def pack_tokens(bits: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Lay out 1-bit inputs; bool (tokens, columns) to (token tiles, steps, 32 lanes, 2)."""
    words = _words(bits.astype(np.uint8), _plain_order(bits.shape[1]), 8)
    split = words.reshape(len(words) // 8, 8, -1, 2, 4)  # tile, g, step, half, t
    return np.ascontiguousarray(split.transpose(0, 2, 1, 4, 3)).reshape(len(split), -1, 32, 2)


def _plain_order(columns: int) -> NDArray[np.intp]:
    padded = np.full(-(-columns // STEP) * STEP, -1)
    padded[:columns] = np.arange(columns)
    return padded.reshape(-1, HALF)[:, _natural(True)].reshape(-1)


def spread_columns(stage: Stage, step: int) -> NDArray[np.intp]:
    """Return the column at each place padded to steps, -1 for padding, before any is moved."""
    inside = np.arange(-(-stage.group // SET) * SET)
    columns = np.arange(stage.groups)[:, np.newaxis] * stage.group + inside
    columns[(inside >= stage.group) | (columns >= stage.columns)] = -1
    return np.pad(columns.reshape(-1), (0, -columns.size % step), constant_values=-1)


def _words(bits: NDArray[np.uint8], order: NDArray[np.intp], rows: int) -> NDArray[np.uint32]:
    """Pack (.., n, columns) in an order, rows padded; (.., padded n, words)."""
    blank = np.zeros((*bits.shape[:-1], 1), np.uint8)
    moved = np.concatenate([bits, blank], -1)[..., order]  # -1 is the blank
    packed = np.ascontiguousarray(np.packbits(moved, axis=-1, bitorder="little")).view("<u4")
    missing = [(0, 0)] * (bits.ndim - 2) + [(0, -bits.shape[-2] % rows), (0, 0)]
    return np.pad(packed, missing)


def _tiles(bits: NDArray[np.uint8], order: NDArray[np.intp]) -> NDArray[np.uint32]:
    words = _words(bits, order, ROWS)
    k, rows, _ = words.shape
    split = words.reshape(k, rows // ROWS, 2, 8, -1, 2, 4)  # k, tile, high, g, step, half, t
    lanes = split.transpose(1, 4, 0, 3, 6, 5, 2)
    return np.ascontiguousarray(lanes).reshape(*lanes.shape[:3], 32, 4)


def tiled(values: NDArray[np.int32]) -> NDArray[np.int16] | NDArray[np.int32]:
    """Lay out (passes, out, groups, terms) as ``Packed.coefficients``, in 16 bits if they fit."""
    padded = np.pad(values, [(0, 0), (0, -values.shape[1] % ROWS), (0, 0), (0, 0)])
    split = padded.reshape(len(values), -1, 2, 8, *values.shape[2:]).transpose(0, 1, 4, 3, 5, 2)
    if split.min() >= -(1 << 15) and split.max() < 1 << 15:
        return np.ascontiguousarray(split.astype(np.int16))
    return np.ascontiguousarray(split.astype(np.int32))


def _coefficients(stage: Stage, plain: bool) -> NDArray[np.int32]:
    values = stage.spread_coefficients()  # (views, out, groups, terms)
    offset = stage.spread_offset()[..., np.newaxis]
    if plain:
        whole = np.concatenate([values, offset], -1)
    else:
        passes = values.transpose(0, 3, 1, 2)[..., np.newaxis]  # (views, terms, out, groups, 1)
        first = np.zeros_like(passes)
        first[:, 0] = offset
        whole = np.concatenate([passes, first], -1).reshape(-1, *passes.shape[2:4], 2)
    return whole if stage.has_offset else whole[..., :-1]
