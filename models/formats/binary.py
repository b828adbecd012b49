"""Signs with a scale and a mean, as XNOR-Net; 1-bit activations of either kind."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation
from models.coefficients import signs_mix
from models.fixed import TOP
from models.formats.groups import group_sizes, in_groups
from models.formats.spec import StageFormat, require_coef_bits, require_group
from models.lower import from_integers, path_from_real, real_matrix
from models.reference import integer_weights


@dataclass(frozen=True)
class Binary(StageFormat):
    """Signs with the mean magnitude as scale (XNOR-Net).

    Weights are ``mean + a * sign(w - mean)`` with ``a = mean|w - mean|`` per row or group, and 0
    counts as positive. With ``mean=dropped`` they are ``a * sign(w - mean)``, as in XNOR-Net
    (arXiv 1603.05279), which centers weights in training. ``form`` is what 1-bit activations
    stand for, with the token's mean magnitude as scale: ``sign`` is 1 where the input is positive
    and else -1, ``bool`` is 1 and 0. Planes meet 0 and 1 in both; for signs the coefficients
    count twice and a bias per row takes the sum of the row's integer weights away again
    (``sum w (2b - 1) = 2 sum w b - sum w``), so such a layer has no :func:`models.dense.dense`.
    Storage: ``1 + 32 / group`` bits per weight, ``1 + 16 / group`` with the mean dropped, and half
    of those for groups with ``coef_bits=8``; 32 per row, which is all with ``scale=row`` and the
    mean dropped; 64 more per row for signs.
    """

    scale: Literal["row", "group"] = "row"
    group: int = 128
    coef_bits: int = 16
    mean: Literal["kept", "dropped"] = "kept"
    form: Literal["sign", "bool"] = "sign"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_group(self.group, self.scale, Binary.group)
        require_coef_bits(self.coef_bits, self.scale == "group" or self.mean == "kept")

    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Take means, scales and signs."""
        matrix = real_matrix(weight).double()
        columns = matrix.shape[1]
        group = self.group if self.scale == "group" else columns
        sizes = group_sizes(columns, group)
        mean = in_groups(matrix, group).sum(2) / sizes  # (out, groups)
        rest = matrix - mean.repeat_interleave(sizes, dim=1)
        scale = in_groups(rest.abs(), group).sum(2) / sizes
        bits, kept = (rest >= 0).numpy()[np.newaxis], self.mean == "kept"
        mix = signs_mix(1, kept)
        if self.scale == "row" and not kept:
            rows = scale[:, 0].float().numpy()
            return from_integers(name, bits, (1,), None, rows, activation, mix=mix)
        stored = torch.stack([scale, mean] if kept else [scale], 2).numpy()
        path = path_from_real(
            bits, group, stored, None, activation,
            top=TOP // 2, mix=mix, coefficient_bits=self.coef_bits,
        )  # fmt: skip
        return BitplaneLayer(name, columns, (path,))

    def finish(self, layer: BitplaneLayer, activation: Activation) -> BitplaneLayer:
        """Let 1-bit activations stand for what the option says."""
        if activation.bits > 1 or self.form == "bool":
            return layer
        return replace(layer, paths=tuple(for_signs(path) for path in layer.paths))


def for_signs(path: Path) -> Path:
    """Return a path of one stage whose 1-bit activations stand for -1 and 1, not 0 and 1.

    What its stored coefficients count doubles.
    """
    (stage,) = path.stages
    sums = integer_weights(stage).numpy().sum((0, 2), dtype=np.int64)
    double = tuple(tuple(2 * entry for entry in row) for row in stage.mix or ())
    return replace(path, stages=(replace(stage, mix=double, bias=-sums),))
