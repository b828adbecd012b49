"""The loops over the columns of a row, compiled: each step needs the result of the one before.

Rows do not see each other, so a row is done from its first column to its last. As tensor operations
over all rows, a step took longer to start than to do.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from models.compensation.parts import Levels

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Tables:
    """Levels that weights can take: for each group, row and kind of weight, filled up to one size.

    Attributes
    ----------
    codes : int64, (groups, rows, kinds, levels)
    values : float32, (groups, rows, kinds, levels)
    bounds : float32, (groups, rows, kinds, levels - 1)
        Where the next level begins to be nearer; infinity where there is none.
    """

    codes: Numbers
    values: Floats
    bounds: Floats


def tables_of(groups: list[list[Levels]]) -> Tables:
    """Stack the levels of groups, of which each has some for each kind of weight."""
    rows, kinds = len(groups[0][0].values), max(map(len, groups))
    levels = max(one.values.shape[1] for group in groups for one in group)
    codes = np.zeros((len(groups), rows, kinds, levels), np.int64)
    values = np.zeros(codes.shape, np.float32)
    bounds = np.full((*codes.shape[:3], levels - 1), np.inf, np.float32)
    for number, group in enumerate(groups):
        for kind, one in enumerate(group):
            count = one.values.shape[1]
            codes[number, :, kind, :count] = one.codes.numpy()
            values[number, :, kind, :count] = one.values.numpy()
            bounds[number, :, kind, : count - 1] = one.bounds.numpy()
    return Tables(codes, values, bounds)


def descend(
    values: Tensor, slope: Tensor, local: Tensor, scale: Tensor, kind: Tensor, tables: Tables
) -> Tensor:
    """Give each weight of a group the best level in turn, for what the others are by then.

    Parameters
    ----------
    values, slope : float32, (rows, n)
        Of the weights, and half the gradient by them; both are changed.
    local : float32, (n, n)
        Their Hessian.
    scale : float32, (n,)
        Column scales.
    kind : int64, (rows, n)
    tables : Tables
        Of this group.

    Returns
    -------
    int64, (rows, n)
        Codes of the levels.
    """
    codes = kind.new_empty(kind.shape)
    _descend(
        values.numpy(), slope.numpy(), local.numpy(), scale.numpy(), kind.numpy(), codes.numpy(),
        tables.codes[0], tables.values[0], tables.bounds[0],
    )  # fmt: skip
    return codes


def feed_forward(
    left: Tensor, upper: Tensor, scale: Tensor, kind: Tensor, group: Tensor, tables: Tables
) -> tuple[Tensor, Tensor]:
    """Round columns in turn, each one's error made up for by those to come.

    Parameters
    ----------
    left : float32, (rows, n)
        Weights wanted; changed.
    upper : float32, (n, n)
        The factor of the inverse Hessian.
    scale : float32, (n,)
    kind : int64, (rows, n)
    group : int64, (n,)
        The table of each column.

    Returns
    -------
    codes : int64, (rows, n)
    errors : float32, (rows, n)
        In the units of the factor.
    """
    codes, errors = kind.new_empty(kind.shape), left.new_empty(left.shape)
    _feed_forward(
        left.numpy(), upper.numpy(), scale.numpy(), kind.numpy(), group.numpy(), codes.numpy(),
        errors.numpy(), tables.codes, tables.values, tables.bounds,
    )  # fmt: skip
    return codes, errors


@njit(cache=True)
def _place(bounds: Floats, wanted: np.float32) -> int:
    """Return the level nearest to a weight, the lower one if two are as near."""
    place = 0
    for bound in bounds:
        place += wanted > bound
    return place


@njit(cache=True)
def _descend(
    values: Floats, slope: Floats, local: Floats, scale: Floats, kind: Numbers, codes: Numbers,
    table_codes: Numbers, table_values: Floats, table_bounds: Floats,
) -> None:  # fmt: skip
    rows, columns = values.shape
    for row in range(rows):
        for i in range(columns):
            old, mine = values[row, i], kind[row, i]
            wanted = old - slope[row, i] / local[i, i]
            if scale[i] != 0:
                wanted /= scale[i]
            place = _place(table_bounds[row, mine], wanted)
            new = table_values[row, mine, place] * scale[i]
            codes[row, i] = table_codes[row, mine, place]
            if new != old:
                change = new - old
                values[row, i] = new
                for j in range(columns):
                    slope[row, j] += change * local[i, j]


@njit(cache=True)
def _feed_forward(
    left: Floats, upper: Floats, scale: Floats, kind: Numbers, group: Numbers, codes: Numbers,
    errors: Floats, table_codes: Numbers, table_values: Floats, table_bounds: Floats,
) -> None:  # fmt: skip
    rows, columns = left.shape
    for row in range(rows):
        for i in range(columns):
            mine, wanted = kind[row, i], left[row, i]
            inside = wanted / scale[i] if scale[i] != 0 else wanted
            place = _place(table_bounds[group[i], row, mine], inside)
            value = table_values[group[i], row, mine, place] * scale[i]
            codes[row, i] = table_codes[group[i], row, mine, place]
            error = (wanted - value) / upper[i, i]
            errors[row, i] = error
            for j in range(i, columns):
                left[row, j] -= error * upper[i, j]
