"""Signs in two bands of magnitude, twice for salient columns: BiLLM."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.formats.bands import centered_signs, choose_columns, large_ones
from models.formats.blocks import bands_path, signs_path
from models.formats.salient import SalientFormat
from models.formats.spec import require_coef_bits


@dataclass(frozen=True)
class BiLlm(SalientFormat):
    """Signs in two bands of magnitude, twice for salient columns (BiLLM).

    In each block of columns, the salient ones are signs and signs of what these leave; all other
    weights are signs, those above a magnitude, common to all rows, having their own means and
    scales (arXiv 2402.04291). Means and scales are per row, block and band. Salient are columns
    with the largest sum of squares, or with calibration of ``w^2 / [H^-1]_jj``, as there; bands,
    which the authors then cut by that, too, are by magnitude. They choose the number of salient
    columns block by block; here it is one for the layer (``salient=0``: 1 to 32, searched), so
    that groups are of one size. Salient and other columns are two paths, each gathering its own.

    Storage: 2 planes for every weight (sign and band, or two signs); per row and block 64 for the
    bands and 48 for salient columns, half of that with ``coef_bits=8``; 32 per column for its
    place, 64 per row. That is 2.9 bits per weight of a large matrix; the 1.1 of the authors is
    without band and scales.
    """

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
        """Choose salient columns and bands, then take means, scales and signs."""
        plain, salient = choose_columns(matrix.double(), salience, self.block, self.salient)
        large = large_ones(plain)
        fits = [centered_signs(plain.values, part & plain.known) for part in (~large, large)]
        mean, scale = (torch.stack(parts) for parts in zip(*fits, strict=True))
        paths = [bands_path(plain, large, mean, scale, activation, self.coef_bits)]
        if salient is not None:
            mean, scale = centered_signs(salient.values, salient.known)
            first = salient.values >= mean[..., None]
            rest = salient.values - mean[..., None]
            rest = torch.where(first, rest - scale[..., None], rest + scale[..., None])
            center, second_scale = centered_signs(rest, salient.known)
            bits = salient.planes(first, rest >= center[..., None])
            scales = torch.stack([scale, second_scale])
            path = signs_path(
                salient, bits, mean + center, scales, activation, coefficient_bits=self.coef_bits
            )
            paths.append(path)
        return BitplaneLayer(name, matrix.shape[1], tuple(paths))
