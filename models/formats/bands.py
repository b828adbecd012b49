"""Two bands of small and of large weights, apart from a few salient columns, as BiLLM has them."""

import torch
from torch import Tensor

from models.checks import require
from models.formats.blocks import Blocks, blocks_of
from models.formats.groups import group_sizes

SALIENT = (1, 2, 4, 8, 16, 32)
"""Numbers of salient columns of a block that are tried; published are all to 49."""
SHARES = torch.linspace(0.1, 0.9, 81, dtype=torch.float64)
"""Shares of small weights that are tried."""
FEW_SHARES = SHARES[::10]
"""Those tried for each number of salient columns."""


def choose_columns(
    matrix: Tensor, salience: Tensor, block: int, salient: int
) -> tuple[Blocks, Blocks | None]:
    """Set salient columns apart: of each block those with the largest sum of salience.

    All blocks have as many, except that one column of a short last block is never salient.

    Parameters
    ----------
    matrix, salience : float64, (out, in)
    salient : int
        How many of a block; 0 is the number, up to 32, with the least error if these are signs
        and signs of what those leave, and the others two bands of signs.

    Returns
    -------
    plain, salient : Blocks
        The second is None if there are no such columns.
    """
    width = matrix.shape[1]
    require(block <= width, "block", f"be at most the layer's {width} inputs", block)
    starts = range(0, width, block)
    orders = [
        start + part.sum(0).argsort(descending=True, stable=True)
        for start, part in zip(starts, salience.split(block, dim=1), strict=True)
    ]
    if salient == 0 and block > 1:
        counts = [count for count in SALIENT if count < block]
        salient = max(counts, key=lambda count: _kept(matrix, orders, count))
    parts = [_cut(order, salient) for order in orders]
    plain = torch.cat([rest.sort().values for _, rest in parts])
    special = torch.cat([top.sort().values for top, _ in parts])
    apart = blocks_of(matrix, special, salient) if len(special) else None
    return blocks_of(matrix, plain, block - salient), apart


def _cut(order: Tensor, salient: int) -> tuple[Tensor, Tensor]:
    """Cut the columns of a block, in order, into salient and plain ones."""
    return order[: min(salient, len(order) - 1)], order[min(salient, len(order) - 1) :]


def _kept(matrix: Tensor, orders: list[Tensor], salient: int) -> float:
    """Squared norm of the matrix less the squared error with so many salient columns."""
    total = 0.0
    for top, rest in (_cut(order, salient) for order in orders):
        total += _best_split(matrix[:, rest], FEW_SHARES)[0]
        total += _signs_kept(matrix[:, top]) if len(top) else 0.0
    return total


def _signs_kept(values: Tensor) -> float:
    """Squared norm of (out, n) less what signs, and signs of what those leave, lose."""
    total = 0.0
    for _ in range(2):
        mean, scale = centered_signs(values, torch.ones_like(values, dtype=torch.bool))
        total += values.shape[1] * float((mean.square() + scale.square()).sum())
        rest = values - mean[:, None]
        values = torch.where(rest >= 0, rest - scale[:, None], rest + scale[:, None])
    return total


def large_ones(plain: Blocks) -> Tensor:
    """Mark the large weights: of each block, the magnitudes above a threshold for all rows.

    The threshold is the percentile, of 81 from 10 to 90, with the least error in signs with a
    mean and a scale for each row and band.

    Returns
    -------
    bool, (out, blocks, group)
    """
    large = torch.zeros_like(plain.values, dtype=torch.bool)
    for block, size in enumerate(group_sizes(len(plain.columns), plain.group).tolist()):
        values = plain.values[:, block, :size]
        large[:, block, :size] = values.abs() > _best_split(values, SHARES)[1]
    return large


def _best_split(values: Tensor, shares: Tensor) -> tuple[float, float]:
    """Try thresholds; return the squared norm less the squared error of the best, and it."""
    order = values.abs().flatten().sort().values
    tried = order[(shares * (len(order) - 1)).round().long()].unique().tolist()
    return max((_bands_kept(values, values.abs() > threshold), threshold) for threshold in tried)


def _bands_kept(values: Tensor, large: Tensor) -> float:
    """Squared norm of two bands in signs: that of the values less the squared error."""
    total = 0.0
    for member in (large, ~large):
        mean, scale = centered_signs(values, member)
        total += float((member.sum(-1) * (mean.square() + scale.square())).sum())
    return total


def centered_signs(values: Tensor, member: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and mean distance from it of some values of (..., n); zeros for none."""
    count = member.sum(-1).clamp(min=1)
    mean = (values * member).sum(-1) / count
    return mean, ((values - mean[..., None]).abs() * member).sum(-1) / count
