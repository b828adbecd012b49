"""Signs between a scale per row and a scale per column, as OneBit."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.formats.spec import StageFormat
from models.lower import from_integers, real_matrix
from models.threads import one_thread

STEPS = 50
"""Of the power iteration: enough for float32 where the first factor stands out at all."""


@dataclass(frozen=True)
class OneBit(StageFormat):
    """Signs times a scale of the row and one of the column (OneBit).

    Weights are ``h * sign(w) * g`` with the nonnegative ``h g`` nearest to ``|w|`` (arXiv
    2402.11295); that is the first singular pair, found by power iteration. A weight of 0 counts
    as positive. ``post=layernorm`` adds the authors' normalization of the output, without affine
    parameters, for which a model must have been trained.
    Storage: 1 bit per weight, 32 per row and column, and 32 for coefficients.
    """

    post: Literal["none", "layernorm"] = "none"

    @one_thread()
    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Factor magnitudes; keep signs."""
        matrix = real_matrix(weight)
        rows, columns = rank_one(matrix.abs())
        minus = np.full(1, -1, np.int16)
        bits = (matrix >= 0).numpy()[np.newaxis]
        layer = from_integers(name, bits, (2,), minus, rows.numpy(), activation)
        (path,) = layer.paths
        stage = replace(path.stages[0], column_scale=columns.numpy()[np.newaxis])
        return replace(layer, paths=(replace(path, stages=(stage,)),), post=self.post)


def rank_one(magnitudes: Tensor) -> tuple[Tensor, Tensor]:
    """Find the nonnegative vectors whose outer product is nearest to a nonnegative matrix.

    Parameters
    ----------
    magnitudes : float32, (out, in)

    Returns
    -------
    rows : float32, (out,)
        Zero for an all-zero row.
    columns : float32, (in,)
        The largest is 1.
    """
    peak = magnitudes.amax()
    unit = (magnitudes / torch.where(peak > 0, peak, 1.0)).double()
    columns = unit.mean(0)
    for _ in range(STEPS):
        columns = (unit @ columns) @ unit
        top = columns.amax()
        columns = columns / torch.where(top > 0, top, 1.0)
    rows = unit @ columns / columns.square().sum().clamp(min=torch.finfo().tiny)
    return (rows * peak).float(), columns.float()
