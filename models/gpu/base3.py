"""Ternary stages in 1.6 bits a weight, as ``csrc/trits.h`` reads them.

Columns are padded to whole steps of 320. Of a row, column ``160 p + 32 d + 8 t + 4 h + j``
(``p, h < 2``, ``d < 5``, ``t, j < 4``) of a step is weight ``d`` of byte ``j`` of word ``h`` of
lane ``t``, of the ``p``-th 16 bytes; a byte holds five weights as :mod:`models.trits` says, and
each is read as one more than it is. Codes are bytes in the order of columns.
"""

import numpy as np
from numpy.typing import NDArray

from models.gpu.layout import ROWS, SET, Packed, spread_columns, tiled
from models.stage import Stage
from models.trits import PER_BYTE, pack_trits, weights_of

STEP = 2 * PER_BYTE * SET


def is_ternary(stage: Stage) -> bool:
    """Whether weights in base 3 are -1, 0 and +1, times a coefficient of the row and group."""
    if not stage.base3 or stage.monomials != (1, 2):
        return False
    values = stage.spread_coefficients()
    return bool((values[..., 0] == -values[..., 1]).all())


def pack_base3(stage: Stage) -> Packed:
    """Lay out a stage that :func:`is_ternary`."""
    columns = spread_columns(stage, STEP)
    lanes = np.arange(SET)
    by_lanes = columns.reshape(-1, SET)[:, 4 * (lanes % 8) + lanes // 8].reshape(-1)
    value = stage.spread_coefficients()[..., :1]
    offset = stage.spread_offset()[..., np.newaxis] - value  # weights count one too many
    return Packed(
        planes=_tiles(stage, columns),
        coefficients=tiled(np.concatenate([value, offset], -1)),
        masks=None,
        by_bits=by_lanes.astype(np.int32),
        by_bytes=columns.astype(np.int32),
        passes_per_view=1,
        groups=stage.groups,
        sets=-(-stage.group // SET),
        has_offset=True,
        base3=True,
    )


def _tiles(stage: Stage, columns: NDArray[np.intp]) -> NDArray[np.uint32]:
    ternary = weights_of(stage.planes, stage.columns)
    weights = np.pad(ternary, [(0, -stage.out % ROWS), (0, 1)])[:, columns]  # -1: the 0
    split = weights.reshape(-1, 2, 8, len(columns) // STEP, 2, PER_BYTE, 4, 2, 4)
    fives = split.transpose(0, 3, 4, 2, 6, 1, 7, 8, 5)  # tile, step, p, g, t, high, h, j, d
    packed = np.ascontiguousarray(pack_trits(fives)[..., 0]).view("<u4")
    return packed.reshape(*packed.shape[:3], 32, 4)
