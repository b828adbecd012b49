"""Weights of -1, 0 and +1 with one scale, as BitNet b1.58."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.formats.groups import group_sizes, in_groups
from models.formats.spec import StageFormat, require_coef_bits, require_group
from models.lower import from_integers, from_real, real_matrix

SMALLEST = 1e-5
"""No scale is below this, as published."""
MIX = ((1, -1, 0),)
"""Of a scale: 1 for the plane of +1s, -1 for that of -1s."""


@dataclass(frozen=True)
class Ternary(StageFormat):
    """Weights of -1, 0 and +1 with the mean magnitude as scale (BitNet b1.58).

    ``scale = max(mean|w|, 1e-5)`` and ``q = clamp(round(w / scale), -1, 1)``, halves to even
    (arXiv 2402.17764; the scale of the whole tensor is as published, those of a row or group are
    not). The mean is taken in float64 and rounded to float32. The planes are +1s and -1s.
    Storage: 2 bits per weight, or with ``storage=base3`` a byte for five of a row; 32 for the
    tensor or per row; with ``scale=group`` 16 per row and group more, or 8 with ``coef_bits=8``.
    ``scale_type=float16`` rounds scales of the tensor or rows to those that GGUF's types hold.
    """

    scale: Literal["tensor", "row", "group"] = "tensor"
    group: int = 128
    coef_bits: int = 16
    storage: Literal["planes", "base3"] = "planes"
    scale_type: Literal["float32", "float16"] = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_group(self.group, self.scale, Ternary.group)
        require_coef_bits(self.coef_bits, self.scale == "group")
        used = self.scale != "group" or self.scale_type == "float32"
        require(used, "scale_type", "be left out with scale group", self.scale_type)

    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Round to the nearest of -scale, 0 and +scale."""
        matrix = real_matrix(weight)
        columns = matrix.shape[1]
        group = self.group if self.scale == "group" else columns
        sizes = group_sizes(columns, group)
        mean = in_groups(matrix.abs(), group).sum(2, dtype=torch.float64) / sizes  # (out, groups)
        if self.scale == "tensor":
            mean = mean.mean(0, keepdim=True)
        scale = mean.float().clamp(min=SMALLEST)
        whole = (matrix / scale.repeat_interleave(sizes, dim=1)).round()
        bits = torch.stack([whole >= 1, whole <= -1]).numpy()
        if self.scale == "group":
            return from_real(
                name, bits, group, scale.double()[..., None].numpy(), None, activation,
                mix=MIX, coefficient_bits=self.coef_bits,
            )  # fmt: skip
        return from_integers(name, bits, (1, -1), None, scale[:, 0].numpy(), activation)

    def finish(self, layer: BitplaneLayer, activation: Activation) -> BitplaneLayer:
        """Round the scales, and say how the planes are stored."""
        (path,) = layer.paths
        stage = replace(path.stages[0], base3=self.storage == "base3")
        scale = path.out_scale.astype(self.scale_type).astype(np.float32)
        return replace(layer, paths=(replace(path, stages=(stage,), out_scale=scale),))
