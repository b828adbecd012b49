"""Signs, but a share of the weights as 8-bit integers: partial binarization."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.coefficients import Mix
from models.fixed import fixed_coefficients
from models.formats.salient import SalientFormat
from models.lower import from_integers

BITS = 8
"""Of the weights that are not signs."""
TOP = 127
MIX: Mix = (
    (0, 0, *(1 << bit for bit in range(BITS - 1)), -1 << (BITS - 1), 0),
    (1, 2, -2, *(0 for _ in range(BITS - 1)), -1),
    (-1, 0, *(0 for _ in range(BITS)), 1),
)
"""Of the step of the integers, and of the scale and mean of the signs."""


@dataclass(frozen=True)
class PbLlm(SalientFormat):
    """Signs with a scale and mean per row, but the largest weights in 8 bits (PB-LLM).

    ``share`` percent of the matrix's weights, the largest or with calibration the most salient
    (``w^2 / [H^-1]_jj``), are symmetric 8-bit integers with a scale per row; the others are
    ``mean + a * sign(w - mean)``, mean and ``a = mean|w - mean|`` being theirs (arXiv 2310.00034,
    without the authors' training). Planes are the mask of the integers and 8 that hold an integer
    where the mask is set and a sign, in the lowest one, elsewhere. The terms are the mask, the
    lowest plane and 8 ANDs with the mask.
    Storage: 9 bits per weight and ``16 * 3 + 32`` per row, at the cost of 10 binary products;
    a list of the kept weights instead would take ``2 + 8 * share`` bits, but other hardware.
    """

    fixed: ClassVar[int] = 1

    share: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.share <= 100, "share", "be from 0 to 100 percent", self.share)

    def fit_salient(
        self, matrix: Tensor, name: str, activation: Activation, salience: Tensor
    ) -> BitplaneLayer:
        """Choose the weights to keep, round these, and binarize the others."""
        mask = self._kept(salience)
        peak = torch.where(mask, matrix.abs(), 0.0).amax(1)
        others = (~mask).sum(1).clamp(min=1)
        mean = torch.where(mask, 0.0, matrix.double()).sum(1) / others
        rest = matrix - mean[:, None]
        scale = torch.where(mask, 0.0, rest.abs()).sum(1) / others
        stored = torch.stack([peak.double() / TOP, scale, mean], 1)[:, None].numpy()
        coefficients, unit = fixed_coefficients(stored, None, MIX)
        step = torch.from_numpy(coefficients[:, 0, 0] * unit)  # 0 where a row keeps nothing
        whole = (matrix / step.where(step > 0, 1.0)[:, None]).round().clamp(-TOP, TOP)
        whole = whole.to(torch.int16)
        lowest = torch.where(mask, (whole & 1).bool(), rest >= 0)
        planes = [mask, lowest] + [mask & (whole >> bit & 1).bool() for bit in range(1, BITS)]
        return from_integers(
            name, torch.stack(planes).numpy(), coefficients, None, unit, activation,
            monomials=(1, 2, *(1 | 2 << bit for bit in range(BITS))), mix=MIX,
        )  # fmt: skip

    def _kept(self, salience: Tensor) -> Tensor:
        """Mark the share of largest salience, the first of equal ones; bool."""
        order = salience.flatten().argsort(descending=True, stable=True)
        count = round(salience.numel() * self.share / 100)
        mask = torch.zeros(salience.numel(), dtype=torch.bool)
        mask[order[:count]] = True
        return mask.view_as(salience)
