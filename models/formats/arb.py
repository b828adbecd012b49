"""Bands of signs whose means, scales and signs are refined in turn: ARB-LLM."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.codes import Activation
from models.formats.bands import centered_signs, choose_columns, large_ones
from models.formats.blocks import Blocks, bands_path, signs_path
from models.formats.salient import SalientFormat
from models.formats.spec import require_coef_bits

STEPS = 15
"""Rounds of refinement, as published."""


@dataclass(frozen=True)
class Arb(SalientFormat):
    """Bands of signs, refined in turn (ARB-LLM).

    Columns and bands, ``block``, ``salient`` and ``coef_bits`` are those of ``billm``; then means,
    scales and signs are improved in turn, each for the others as they are, for 15 rounds (arXiv
    2410.03129). ``scales=row``: means and scales per row, block and band, as there.
    ``scales=both``: no means, but scales of columns beside those of row, block and band
    (ARB-LLM_RC); salient weights have two magnitudes, too, and choose the nearer one. Sign and
    band are then stored as two planes of signs.

    Storage: as ``billm``; with both scales 32 per row and block of either kind, 32 more per
    column.
    """

    scales: Literal["row", "both"] = "row"
    block: int = 128
    salient: int = 0
    coef_bits: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.block >= 1, "block", "be 1 or more", self.block)
        fits = 0 <= self.salient < self.block
        require(fits, "salient", f"be from 0 to {self.block - 1}", self.salient)
        require_coef_bits(self.coef_bits)

    def fit_salient(
        self, matrix: Tensor, name: str, activation: Activation, salience: Tensor
    ) -> BitplaneLayer:
        """Choose salient columns and bands, then refine."""
        plain, salient = choose_columns(matrix.double(), salience, self.block, self.salient)
        large = large_ones(plain)
        if self.scales == "both":
            paths = [_both_scales(plain, large, activation, self.coef_bits)]
            if salient is not None:
                paths.append(_both_scales(salient, None, activation, self.coef_bits))
            return BitplaneLayer(name, matrix.shape[1], tuple(paths))
        fits = [refined(plain.values, part & plain.known) for part in (~large, large)]
        mean, scale = (torch.stack(parts) for parts in zip(*fits, strict=True))
        paths = [bands_path(plain, large, mean, scale, activation, self.coef_bits)]
        paths += [_twice(salient, activation, self.coef_bits)] if salient is not None else []
        return BitplaneLayer(name, matrix.shape[1], tuple(paths))


def refined(values: Tensor, member: Tensor) -> tuple[Tensor, Tensor]:
    """Refine mean and scale of signs for some values of (..., n); zeros for none."""
    count = member.sum(-1).clamp(min=1)
    total = (values * member).sum(-1)
    mean, scale = centered_signs(values, member)
    for _ in range(STEPS):
        signs = torch.where(values >= mean[..., None], 1.0, -1.0).double() * member
        mean = (total - scale * signs.sum(-1)) / count
        scale = (signs * (values - mean[..., None])).sum(-1) / count
    return mean, scale


def _twice(salient: Blocks, activation: Activation, coef_bits: int) -> Path:
    """Refine a mean and two scales, every weight taking the nearest of the four levels."""
    values, known = salient.values, salient.known.double()
    count = known.sum(-1)
    mean, first = centered_signs(values, salient.known)
    _, second = centered_signs((values - mean[..., None]).abs() - first[..., None], salient.known)
    one, two = _nearest(values - mean[..., None], first, second)
    for _ in range(STEPS):
        mean = ((values - _sum(one, first) - _sum(two, second)) * known).sum(-1) / count
        rest = (values - mean[..., None]) * known
        first = ((rest - _sum(two, second) * known) * one).sum(-1) / count
        second = ((rest - _sum(one, first) * known) * two).sum(-1) / count
        one, two = _nearest(values - mean[..., None], first, second)
    bits = salient.planes(one > 0, two > 0)
    scales = torch.stack([first, second])
    return signs_path(salient, bits, mean, scales, activation, coefficient_bits=coef_bits)


def _sum(signs: Tensor, scale: Tensor) -> Tensor:
    return signs * scale[..., None]


def _nearest(rest: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Signs (..., n) of the nearest of ``+-first +- second``."""
    levels = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]
    far = [(rest - (a * first + b * second)[..., None]).abs() for a, b in levels]
    chosen = torch.stack(far).argmin(0)
    table = torch.tensor(levels, dtype=torch.float64)
    return table[chosen, 0], table[chosen, 1]


def _both_scales(
    blocks: Blocks, large: Tensor | None, activation: Activation, coef_bits: int
) -> Path:
    """Refine two magnitudes per row and block, and scales of columns.

    Without given bands, every weight takes the nearer magnitude.
    """
    sizes = blocks.values.abs()
    columns = blocks.known.double()
    upper = sizes > _ratio(sizes, columns)[..., None] if large is None else large
    for _ in range(STEPS):
        low, high = _magnitudes(sizes, columns, upper)
        if large is None:
            upper = sizes > columns * ((low + high) / 2)[..., None]
            low, high = _magnitudes(sizes, columns, upper)
        rows = torch.where(upper, high[..., None], low[..., None])
        columns = _quotient((sizes * rows).sum(0), rows.square().sum(0))
        norm = (columns.square().sum(-1) / blocks.known.sum(-1)).sqrt()
        columns = columns / torch.where(norm > 0, norm, 1.0)[..., None]
    low, high = _magnitudes(sizes, columns, upper)
    positive = blocks.values >= 0
    bits = blocks.planes(positive, positive == upper)
    scales = torch.stack([(high + low) / 2, (high - low) / 2])
    spread = columns.flatten()[: len(blocks.columns)]
    return signs_path(blocks, bits, None, scales, activation, spread, coef_bits)


def _magnitudes(sizes: Tensor, columns: Tensor, upper: Tensor) -> tuple[Tensor, Tensor]:
    """Best magnitudes of the lower and upper weights, that of the others where there are none."""
    low, high = (_ratio(sizes, columns * part) for part in (~upper, upper))
    some = (columns * upper).sum(-1) > 0
    rest = (columns * ~upper).sum(-1) > 0
    return torch.where(rest, low, high), torch.where(some, high, low)


def _ratio(sizes: Tensor, columns: Tensor) -> Tensor:
    """Best factor of column scales (..., n) for sizes (..., n)."""
    return _quotient((sizes * columns).sum(-1), columns.square().sum(-1))


def _quotient(over: Tensor, under: Tensor) -> Tensor:
    """Divide; 0 for 0 / 0."""
    return over / torch.where(under > 0, under, 1.0)
