"""Cutting a matrix into groups of columns, and long matrices into parts that fit in memory."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.checks import require

PART = 1 << 20
"""Numbers that one intermediate array may have, roughly."""


def group_sizes(columns: int, group: int) -> Tensor:
    """Columns of each group, the last of which may be shorter; int64, (groups,)."""
    require(group <= columns, "group", f"be at most the layer's {columns} inputs", group)
    sizes = torch.full((-(-columns // group),), group)
    sizes[-1] = columns - group * (len(sizes) - 1)
    return sizes


def in_groups(weight: Tensor, group: int, fill: float = 0.0) -> Tensor:
    """Cut rows into groups.

    Parameters
    ----------
    weight : (rows, columns)
    fill : float
        Stands in the last group for missing columns.

    Returns
    -------
    (rows, groups, group)
    """
    missing = -weight.shape[1] % group
    return pad(weight, (0, missing), value=fill).unflatten(1, (-1, group))


def row_parts(rows: int, row_numbers: int) -> Iterator[slice]:
    """Cut rows into parts; ``row_numbers`` is the size of the largest array made of a row."""
    step = max(1, PART // row_numbers)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
