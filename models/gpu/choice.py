"""Which kernel multiplies: by shape and number of tokens."""

from collections.abc import Sequence
from typing import NamedTuple

from models.gpu.kernels import PLAIN_KINDS, SPLITS, TILES
from models.gpu.layout import ROWS

FULL = 132 * 16
"""Warps that keep an H100 busy: 16 for each of its multiprocessors."""


class Choice(NamedTuple):
    """A kernel: how bits meet codes, tokens at once, warps that share a row tile.

    Kernels for plain layers share rows out by themselves; their ``split`` is 1.
    """

    kind: str
    tile: int
    split: int


def choose(rows: int, steps: int, tokens: int, kinds: Sequence[str]) -> Choice:
    """Choose by the counts of loads and operations, not by times.

    One token: binary tensor cores, which take the planes as they are stored, where groups allow;
    else dp4a. More tokens: int8 tensor cores; for base-3 weights these always. As many warps share
    a row tile as it takes to fill the GPU, and steps suffice for.

    Parameters
    ----------
    steps : int
        That a warp takes along a row.
    kinds : kinds of kernels that read the weights
    """
    order = ("binary", "dp4a", "trits") if tokens == 1 else ("tensor", "trits")
    kind = next(one for one in order if one in kinds)
    tile = next((size for size in TILES[kind] if size >= tokens), TILES[kind][-1])
    warps = -(-rows // ROWS) * -(-tokens // tile)
    fits = [split for split in SPLITS if split == 1 or split <= steps]
    return Choice(kind, tile, next((s for s in fits if s * warps >= FULL), fits[-1]))


def choices(tokens: int, kinds: Sequence[str]) -> list[Choice]:
    """Return all that could multiply so many tokens of any stage, for measuring them."""
    return [
        Choice(kind, tile, split)
        for kind in kinds
        for tile in TILES[kind]
        for split in SPLITS
        if (tokens > 16) == (tile == 32)
    ]


def plain_choices(tokens: int) -> list[Choice]:
    """Return each kind for a plain layer that takes so few tokens at once, by its least tile."""
    return [
        Choice(kind, min(tile for tile in TILES[kind] if tile >= tokens), 1)
        for kind in PLAIN_KINDS
        if tokens <= TILES[kind][-1]
    ]
