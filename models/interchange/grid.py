"""What the integer formats share: integers times the scale of their group, plus its minimum."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import planes
from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.codes import Activation
from models.interchange.units import whole_multiples
from models.stage import Stage

TERNARY = (1, -1)
"""Places of -1, 0 and 1: a plane of 1s and one of -1s."""


@dataclass(frozen=True, eq=False)
class Grid:
    """A matrix of ``scale * value + minimum``.

    The value of a code is the sum of the ``places`` whose bits are set in it, plus ``shift``.

    Attributes
    ----------
    codes : uint8, (out, columns)
        Bit ``p`` is that of plane ``p``.
    places : tuple of int
        What the bits of each plane are worth, -128 to 127.
    group : int
        Columns that share a scale; the last group may be shorter.
    scale : float64, (out, groups)
    minimum : float64, (out, groups), or None
    shift : int
        -128 to 127; 0 with a minimum.
    gather : int32, (columns,), or None
        The input of each column, where that is not its number.
    bias : float32, (out,), or None
    """

    codes: NDArray[np.integer]
    places: tuple[int, ...]
    group: int
    scale: NDArray[np.float64]
    minimum: NDArray[np.float64] | None = None
    shift: int = 0
    gather: NDArray[np.int32] | None = None
    bias: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        finite = bool(np.isfinite(self.parts).all())
        require(finite, "scales and minima", "be finite", "a NaN or an infinity")

    @property
    def parts(self) -> NDArray[np.float64]:
        """Scale, and minimum if any, of each group; float64, (out, groups, 1 or 2)."""
        return np.stack([self.scale] if self.minimum is None else [self.scale, self.minimum], 2)

    @property
    def mix(self) -> tuple[tuple[int, ...], ...]:
        """How often each of the parts counts for each plane, and for the offset."""
        scale = (*self.places, self.shift)
        return (scale,) if self.minimum is None else (scale, (*[0] * len(self.places), 1))

    @property
    def values(self) -> NDArray[np.int16]:
        """Value of every code; int16, (out, columns)."""
        total = np.full(self.codes.shape, self.shift, np.int16)
        for plane, place in enumerate(self.places):
            total += (self.codes >> plane & 1) * np.int16(place)
        return total

    @property
    def ends(self) -> tuple[int, int]:
        """Smallest and largest value that a code can have."""
        low, high = (sum(p for p in self.places if sign * p > 0) for sign in (-1, 1))
        return low + self.shift, high + self.shift

    def real(self) -> NDArray[np.float32]:
        """Weights of the inputs in their own order, rounded once; float32, (out, columns)."""
        total = np.empty(self.codes.shape, np.float32)
        values = self.values
        for n in range(self.scale.shape[1]):
            part = slice(n * self.group, (n + 1) * self.group)
            group = values[:, part] * self.scale[:, n : n + 1]
            if self.minimum is not None:
                group += self.minimum[:, n : n + 1]
            total[:, part] = group
        if self.gather is None:
            return total
        placed = np.empty_like(total)
        placed[:, self.gather] = total
        return placed

    def in_order(self, rows: NDArray[np.integer]) -> "Grid":
        """Return the grid of these rows."""
        minimum = None if self.minimum is None else self.minimum[rows]
        bias = None if self.bias is None else self.bias[rows]
        return replace(
            self, codes=self.codes[rows], scale=self.scale[rows], minimum=minimum, bias=bias
        )


@dataclass(frozen=True, eq=False)
class Lowered:
    """A bitplane layer, and what rounding its scales to integers did.

    Attributes
    ----------
    layer : BitplaneLayer
    exact : int
        Groups whose weights are those of the grid.
    groups : int
        All groups, of all rows.
    rounding : float
        Bound of the change of any weight, relative to the largest magnitude that its row can
        hold; 0 if all groups are exact.
    """

    layer: BitplaneLayer
    exact: int
    groups: int
    rounding: float


def lower(name: str, grid: Grid, activation: Activation, wide: bool = False) -> Lowered:
    """Lower a grid to a bitplane layer of the same planes.

    Where each row has one scale and no minimum, that is its ``out_scale``. Else scales and minima
    become integers, as :func:`models.interchange.units.whole_multiples` says: such that the
    coefficients of all planes fit the 16 bits of a circuit or, if ``wide``, only what is stored.
    """
    codes, group = grid.codes, grid.group
    one = one_scale(grid)
    if one is None:
        reach = np.array([1 if wide else max(map(abs, row)) for row in grid.mix])
        whole, unit = whole_multiples(grid.parts, reach)
    else:
        whole, unit = np.ones((1, 1, 1), np.int16), one.astype(np.float32)
        if (grid.scale == 0).any():
            unused = np.repeat(grid.scale == 0, group, axis=1)[:, : codes.shape[1]]
            codes = np.where(unused, np.uint8(0), codes)
        group = codes.shape[1]
    stage = Stage(
        planes=np.stack([planes.pack(codes >> plane & 1) for plane in range(len(grid.places))]),
        columns=codes.shape[1],
        group=group,
        coefficients=whole[np.newaxis],
        monomials=tuple(1 << plane for plane in range(len(grid.places))),
        mix=grid.mix,
        gather=grid.gather,
        activation=activation,
    )
    out_scale = unit[:1] if (unit == unit[0]).all() else unit
    layer = BitplaneLayer(name, codes.shape[1], (Path((stage,), out_scale),), grid.bias)
    have = whole * unit.astype(np.float64)[:, np.newaxis, np.newaxis]
    if one is not None:
        have = have * (grid.parts != 0)
    return Lowered(layer, *_rounding(grid, have))


def one_scale(grid: Grid) -> NDArray[np.float64] | None:
    """Return the one scale of each row; None if a row has several, or there are minima.

    A scale of 0 counts as any other if there is a code for 0. A row of such has scale 1.

    Returns
    -------
    float64, (out,)
    """
    if grid.minimum is not None:
        return None
    where = np.abs(grid.scale).argmax(axis=1, keepdims=True)
    peak = np.take_along_axis(grid.scale, where, axis=1)
    same = (grid.scale == peak) | ((grid.scale == 0) & (grid.shift == 0))
    return np.where(peak == 0, 1, peak)[:, 0] if same.all() else None


def _rounding(grid: Grid, have: NDArray[np.float64]) -> tuple[int, int, float]:
    """Compare parts, (out, groups, 1 or 2), with the grid's: see :class:`Lowered`."""
    ends = np.array(grid.ends)
    change = np.abs(have - grid.parts) * np.array([np.abs(ends).max(), 1])[: have.shape[2]]
    groups = change.sum(axis=2)
    rows = groups.max(axis=1)
    minimum = np.zeros_like(grid.scale) if grid.minimum is None else grid.minimum
    largest = np.abs(grid.scale[..., np.newaxis] * ends + minimum[..., np.newaxis]).max((1, 2))
    worst = np.divide(rows, largest, out=np.zeros_like(rows), where=rows > 0)
    return int((groups == 0).sum()), groups.size, float(worst.max())
