"""Two planes of 0 and 1, each with a scale: flexible dual binarization."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.formats.fit import SortedGroups, best_fit, combinations, nearest_bits, sort_groups
from models.formats.spec import StageFormat, require_coef_bits
from models.lower import from_real, real_matrix
from models.threads import one_thread


@dataclass(frozen=True)
class Fdb(StageFormat):
    """Two planes of 0 and 1 with a scale each per group (DB-LLM).

    Weights are ``a1 * b1 + a2 * b2``, from ``a1 = 2s`` and ``a2 = -s``, whose levels are -s, 0, s
    and 2s (DB-LLM, arXiv 2402.11960). The authors then train the scales by distillation; here
    planes and scales are fitted to the weights in turn, from several s of either sign.
    Storage: ``2 + 32 / group`` bits per weight, 16 for 32 with ``coef_bits=8``; 32 per row.
    """

    group: int = 64
    coef_bits: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.group >= 1, "group", "be 1 or more", self.group)
        require_coef_bits(self.coef_bits)

    @one_thread()
    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Fit scales by alternating least squares, then choose the nearest level."""
        matrix = real_matrix(weight)
        combos = combinations(2, zero=0.0)
        parts = sort_groups(matrix, self.group, levels=len(combos))
        scales = torch.cat([best_fit(part, combos, starts(part)) for part in parts])
        bits = nearest_bits(matrix, self.group, combos, scales)
        scales = scales.view(len(matrix), -1, 2).numpy()
        return from_real(
            name, bits.numpy(), self.group, scales, None, activation,
            coefficient_bits=self.coef_bits,
        )  # fmt: skip


def starts(groups: SortedGroups) -> Iterator[Tensor]:
    """Scales to start from, float64, (n, 2): parts of a third of the range, of either sign."""
    known = torch.where(groups.values.isinf(), 0.0, groups.values).double()
    step = (known.amax(1) - known.amin(1)) / 3
    for part in (1.0, 0.75, 0.5):
        for sign in (1.0, -1.0):
            yield sign * part * step[:, None] * torch.tensor([2.0, -1.0], dtype=torch.float64)
