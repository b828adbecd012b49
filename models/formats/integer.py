"""Weights rounded to n-bit integers."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.coefficients import Mix
from models.fixed import fixed_coefficients
from models.formats.groups import group_sizes, in_groups
from models.formats.spec import StageFormat, require_coef_bits, require_group
from models.integers import code_range
from models.lower import from_integers, real_matrix


@dataclass(frozen=True)
class Integer(StageFormat):
    """Integers of n bits with a scale per row or group.

    ``asymmetric``: any n-bit integer less a zero point, the range being that of the weights and
    zero. ``symmetric``: ``-(2**(bits-1) - 1)`` to ``2**(bits-1) - 1``. Halves go to even
    integers. A row or group of zeros has scale 1. Planes are those of two's complement.
    Storage: ``bits`` per weight and 32 per row, 16 more if asymmetric; with groups 32 per row and,
    per row and group, 16 for the scale and, if asymmetric, 16 for the product of scale and zero
    point; 8 in place of 16 with ``coef_bits=8``.
    """

    bits: int = 4
    scale: Literal["row", "group"] = "group"
    group: int = 128
    coef_bits: int = 16
    range: Literal["asymmetric", "symmetric"] = "asymmetric"

    def __post_init__(self) -> None:
        super().__post_init__()
        fewest = 2 if self.range == "symmetric" else 1
        require(
            fewest <= self.bits <= 8,
            "bits", f"be from {fewest} to 8 for {self.range} integers", self.bits,
        )  # fmt: skip
        require_group(self.group, self.scale, Integer.group)
        require_coef_bits(self.coef_bits, self.scale == "group")

    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Round every weight to the nearest integer times its scale, as that is stored."""
        matrix = real_matrix(weight)
        columns = matrix.shape[1]
        sizes = group_sizes(columns, columns if self.scale == "row" else self.group)
        if self.scale == "row":
            scale, zero = self._grid(matrix[:, None])
            offset = -zero[:, 0].to(torch.int16).numpy() if self.range == "asymmetric" else None
            bits, rows = self._planes(matrix, sizes, scale, zero), scale[:, 0].numpy()
            return from_integers(name, bits, self._places, offset, rows, activation)
        scale, zero = self._grid(in_groups(matrix, self.group))
        half, stored = 1 << (self.bits - 1), [scale.double()]
        mix: Mix = ((*self._places, 0),)
        if self.range == "asymmetric":
            stored.append(stored[0] * zero / half)  # no larger than the scale
            mix = (*mix, (*(0 for _ in self._places), -half))
        values = torch.stack(stored, 2).numpy()
        whole, unit = fixed_coefficients(values, None, mix, self.coef_bits)
        steps = torch.from_numpy(whole[..., 0]).clamp(min=1)  # 0 only where any code will do
        zero = half * torch.from_numpy(whole[..., -1]) / steps if len(stored) > 1 else zero
        return from_integers(
            name, self._planes(matrix, sizes, steps * torch.from_numpy(unit)[:, None], zero),
            whole, None, unit, activation,
            group=self.group, mix=mix, coefficient_bits=self.coef_bits,
        )  # fmt: skip

    def _planes(
        self, matrix: Tensor, sizes: Tensor, scale: Tensor, zero: Tensor
    ) -> NDArray[np.bool_]:
        """Bits of the nearest integers, bool, (bits, out, in); the grid is (out, groups)."""
        each = [part.double().repeat_interleave(sizes, dim=1) for part in (scale, zero)]
        whole = (matrix / each[0] + each[1]).round().clamp(*self._limits).to(torch.int16)
        return torch.stack([(whole >> plane & 1).bool() for plane in range(self.bits)]).numpy()

    @property
    def _limits(self) -> tuple[int, int]:
        """Smallest and largest integer stored."""
        low, high = code_range(self.bits, signed=True)
        return (-high, high) if self.range == "symmetric" else (low, high)

    @property
    def _places(self) -> tuple[int, ...]:
        """Value of each plane's bit."""
        return (*(1 << plane for plane in range(self.bits - 1)), -1 << (self.bits - 1))

    def _grid(self, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and zero point of each group, float32, (out, groups)."""
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        smallest, largest = self._limits
        if self.range == "symmetric":
            scale = torch.maximum(-low, high) / largest
            return scale.where(scale > 0, 1.0), torch.zeros_like(scale)
        steps = largest - smallest
        scale = high / steps - low / steps  # the difference itself may overflow
        scale = scale.where(scale > 0, 1.0)
        return scale, (-low / scale).round() + smallest
