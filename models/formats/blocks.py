"""Some columns of a matrix in blocks, and paths that gather them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.bitplane import Path
from models.codes import Activation
from models.coefficients import Mix, signs_mix
from models.formats.groups import in_groups
from models.lower import path_from_real


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


BANDS: Mix = ((2, 1, -2, -1), (0, -1, 2, 0), (0, -1, 0, 1), (0, 1, 0, 0))
"""Of the scales of the small and large weights, then of their means, for the terms sign, band and
both: a weight of the small band is ``mean - scale``, and twice the scale more if positive."""


def bands_path(
    plain: Blocks,
    large: Tensor,
    mean: Tensor,
    scale: Tensor,
    activation: Activation,
    coefficient_bits: int = 16,
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
    stored = torch.cat([scale, mean]).movedim(0, 2)
    return path_from_real(
        bits.numpy(), plain.group, stored.numpy(), None, activation,
        monomials=(1, 2, 3), gather=plain.columns.to(torch.int32).numpy(),
        mix=BANDS, coefficient_bits=coefficient_bits,
    )  # fmt: skip


def signs_path(
    blocks: Blocks,
    bits: Tensor,
    mean: Tensor | None,
    scales: Tensor,
    activation: Activation,
    column_scale: Tensor | None = None,
    coefficient_bits: int = 16,
) -> Path:
    """Lower planes of signs, each with a scale, and a mean if there is one.

    Parameters
    ----------
    bits : bool, (k, out, columns)
    mean : float64, (out, blocks), or None
    scales : float64, (k, out, blocks)
    column_scale : float64, (columns,), or None
    """
    columns = None if column_scale is None else column_scale[None].float().numpy()
    stored = scales if mean is None else torch.cat([scales, mean[None]])
    return path_from_real(
        bits.numpy(), blocks.group, stored.movedim(0, 2).numpy(), None, activation,
        gather=blocks.columns.to(torch.int32).numpy(), column_scale=columns,
        mix=signs_mix(len(scales), mean is not None), coefficient_bits=coefficient_bits,
    )  # fmt: skip
