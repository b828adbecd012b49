"""Two bands of small and of large weights, apart from a few salient columns, as BiLLM has them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.bitplane import Path
from models.checks import require
from models.codes import Activation
from models.formats.groups import group_sizes, in_groups
from models.lower import path_from_real

MOST_SALIENT = 49
"""Salient columns of a block that the search goes up to."""
PERCENTILES = 81
"""Splits of the magnitudes that the search tries, from 10 % to 90 %."""


@dataclass(frozen=True)
class Blocks:
    """Some columns of a matrix, cut into blocks.

    Attributes
    ----------
    columns : int64, (columns,)
        Which ones; in each block ascending.
    values : float64, (out, blocks, group)
        Zero past the end of a short last block.
    known : bool, (blocks, group)
        False there.
    """

    columns: Tensor
    values: Tensor
    known: Tensor

    @property
    def group(self) -> int:
        """Columns of a block."""
        return self.values.shape[2]

    def planes(self, *bits: Tensor) -> Tensor:
        """Stack bits (out, blocks, group) to planes (k, out, columns)."""
        return torch.stack([part.flatten(1)[:, : len(self.columns)] for part in bits])


def blocks_of(matrix: Tensor, columns: Tensor, group: int) -> Blocks:
    """Take columns of a matrix and cut them into blocks."""
    known = torch.ones(1, len(columns), dtype=torch.bool)
    return Blocks(columns, in_groups(matrix[:, columns], group), in_groups(known, group, False)[0])


def choose_columns(matrix: Tensor, block: int, salient: int) -> tuple[Blocks, Blocks | None]:
    """Set salient columns apart: of each block those with the largest sum of squares.

    All blocks have as many, except that one column of a short last block is never salient.

    Parameters
    ----------
    matrix : float64, (out, in)
    salient : int
        How many of a block; 0 is the number, up to 49, with the least error if these are signs of
        signs and the other columns signs.

    Returns
    -------
    plain, salient : Blocks
        The second is None if there are no such columns.
    """
    width = matrix.shape[1]
    require(block <= width, "block", f"be at most the layer's {width} inputs", block)
    starts = range(0, width, block)
    orders = [
        start + part.square().sum(0).argsort(descending=True, stable=True)
        for start, part in zip(starts, matrix.split(block, dim=1), strict=True)
    ]
    if salient == 0 and block > 1:
        counts = range(1, min(MOST_SALIENT, block - 1) + 1)
        salient = min(counts, key=lambda count: _lost(matrix, orders, count))
    parts = [_cut(order, salient) for order in orders]
    plain = torch.cat([rest.sort().values for _, rest in parts])
    special = torch.cat([top.sort().values for top, _ in parts])
    apart = blocks_of(matrix, special, salient) if len(special) else None
    return blocks_of(matrix, plain, block - salient), apart


def _cut(order: Tensor, salient: int) -> tuple[Tensor, Tensor]:
    """Cut the columns of a block, in order, into salient and plain ones."""
    return order[: min(salient, len(order) - 1)], order[min(salient, len(order) - 1) :]


def _lost(matrix: Tensor, orders: list[Tensor], salient: int) -> float:
    """Squared error of the blocks with so many salient columns."""
    total = 0.0
    for top, rest in (_cut(order, salient) for order in orders):
        total += float(_residual(matrix[:, rest]).square().sum())
        total += float(_residual(_residual(matrix[:, top])).square().sum()) if len(top) else 0.0
    return total


def _residual(values: Tensor) -> Tensor:
    """Return what signs with a mean and a scale per row leave of (out, n)."""
    rest = values - values.mean(1, keepdim=True)
    scale = rest.abs().mean(1, keepdim=True)
    return torch.where(rest >= 0, rest - scale, rest + scale)


def large_ones(plain: Blocks) -> Tensor:
    """Mark the large weights: of each block, the magnitudes above a threshold for all rows.

    The threshold is the percentile, of 81 from 10 to 90, with the least error in signs with a
    mean and a scale for each row and band.

    Returns
    -------
    bool, (out, blocks, group)
    """
    large = torch.zeros_like(plain.values, dtype=torch.bool)
    shares = torch.linspace(0.1, 0.9, PERCENTILES, dtype=torch.float64)
    for block, size in enumerate(group_sizes(len(plain.columns), plain.group).tolist()):
        values = plain.values[:, block, :size]
        order = values.abs().flatten().sort().values
        tried = order[(shares * (len(order) - 1)).round().long()].unique()
        kept = [_kept(values, values.abs() > threshold) for threshold in tried]
        large[:, block, :size] = values.abs() > tried[int(np.argmax(kept))]
    return large


def _kept(values: Tensor, large: Tensor) -> float:
    """Squared norm of two bands in signs: that of the values, less the squared error."""
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


def bands_path(
    plain: Blocks, large: Tensor, mean: Tensor, scale: Tensor, activation: Activation
) -> Path:
    """Lower two bands of ``mean + scale * sign(w - mean)``: planes sign and band, and their AND.

    Parameters
    ----------
    large : bool, (out, blocks, group)
    mean, scale : float64, (2, out, blocks)
        Of the small weights, then of the large ones.
    """
    own = torch.where(large, mean[1, ..., None], mean[0, ..., None])
    bits = plain.planes(plain.values >= own, large)
    low = mean - scale
    coefficients = [2 * scale[0], low[1] - low[0], 2 * (scale[1] - scale[0])]
    return path_from_real(
        bits.numpy(), plain.group, torch.stack(coefficients, 2).numpy(), low[0].numpy(),
        activation, monomials=(1, 2, 3), gather=plain.columns.to(torch.int32).numpy(),
    )  # fmt: skip


def signs_path(
    blocks: Blocks,
    bits: Tensor,
    mean: Tensor,
    scales: Tensor,
    activation: Activation,
    column_scale: Tensor | None = None,
) -> Path:
    """Lower a mean and planes of signs, each with a scale.

    Parameters
    ----------
    bits : bool, (k, out, columns)
    mean : float64, (out, blocks)
    scales : float64, (k, out, blocks)
    column_scale : float64, (columns,), or None
    """
    columns = None if column_scale is None else column_scale[None].float().numpy()
    return path_from_real(
        bits.numpy(), blocks.group, 2 * scales.movedim(0, 2).numpy(),
        (mean - scales.sum(0)).numpy(), activation,
        gather=blocks.columns.to(torch.int32).numpy(), column_scale=columns,
    )  # fmt: skip
