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
from models.formats.groups import group_sizes, in_groups
from models.formats.spec import StageFormat, require_group
from models.lower import from_integers, from_real, real_matrix


@dataclass(frozen=True)
class Integer(StageFormat):
    """Weights rounded to n-bit integers with a scale per row or group.

    ``asymmetric``: from ``0`` to ``2**bits - 1`` less an integer zero point, the range being
    that of the weights and zero. ``symmetric``: ``-(2**(bits-1) - 1)`` to ``2**(bits-1) - 1``.
    Ties round to even. A row or group of zeros has scale 1.
    """

    bits: int = 4
    scale: Literal["row", "group"] = "group"
    group: int = 128
    range: Literal["asymmetric", "symmetric"] = "asymmetric"

    def __post_init__(self) -> None:
        super().__post_init__()
        fewest = 2 if self.range == "symmetric" else 1
        require(
            fewest <= self.bits <= 8,
            "bits", f"be from {fewest} to 8 for {self.range} integers", self.bits,
        )  # fmt: skip
        require_group(self.group, self.scale, Integer.group)

    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Round every weight to the nearest integer times its scale."""
        matrix = real_matrix(weight)
        columns = matrix.shape[1]
        group = self.group if self.scale == "group" else columns
        sizes = group_sizes(columns, group)
        scale, zero = self._grid(in_groups(matrix, group))
        low, high = self._limits
        whole = (matrix / scale.repeat_interleave(sizes, dim=1)).round().to(torch.int16)
        whole = (whole + zero.repeat_interleave(sizes, dim=1)).clamp(low, high)
        bits = torch.stack([(whole >> plane & 1).bool() for plane in range(self.bits)]).numpy()
        if self.scale == "row":
            offset = None if self.range == "symmetric" else -zero[:, 0].numpy()
            return from_integers(name, bits, self._places, offset, scale[:, 0].numpy(), activation)
        wide = scale.double()
        coefficients = wide[..., None] * torch.tensor(self._places)
        offset = None if self.range == "symmetric" else (-zero * wide).numpy()
        return from_real(name, bits, group, coefficients.numpy(), offset, activation)

    @property
    def _limits(self) -> tuple[int, int]:
        """Smallest and largest integer stored."""
        top = 2 ** (self.bits - 1) - 1
        return (-top, top) if self.range == "symmetric" else (0, 2**self.bits - 1)

    @property
    def _places(self) -> tuple[int, ...]:
        """Value of each plane's bit; two's complement when symmetric."""
        places = [1 << plane for plane in range(self.bits)]
        if self.range == "symmetric":
            places[-1] = -places[-1]
        return tuple(places)

    def _grid(self, groups: Tensor) -> tuple[Tensor, Tensor]:
        """Scale, float32, and zero point, int16, of each group; both (out, groups)."""
        low, high = groups.amin(2).clamp(max=0), groups.amax(2).clamp(min=0)
        smallest, largest = self._limits
        if self.range == "symmetric":
            scale = torch.maximum(-low, high) / largest
        else:
            scale = high / largest - low / largest  # the difference itself may overflow
        scale = scale.where(scale > 0, 1.0)
        zero = (smallest - low / scale).round() if smallest == 0 else torch.zeros_like(scale)
        return scale, zero.to(torch.int16)
