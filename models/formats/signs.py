"""Sums of planes of +1 and -1, each with a scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation
from models.coefficients import signs_mix
from models.formats.fit import SortedGroups, best_fit, combinations, nearest_bits, sort_groups
from models.formats.spec import StageFormat, require_coef_bits, require_group
from models.lower import from_real, real_matrix
from models.threads import one_thread


@dataclass(frozen=True)
class Signs(StageFormat):
    """Sums of k planes of +1 and -1, each with a scale per row or group.

    Fitted by alternating least squares (as LQ-Nets, Zhang et al., ECCV 2018) from several starts.
    A plane of +1 and -1 times ``a`` is a plane of 1 and 0 times ``2a``, less ``a``; stored is
    ``a``, as a multiple of the row's unit.
    Storage: ``k + 16 * k / group`` bits per weight, 8 for 16 with ``coef_bits=8``; 32 per row.
    """

    k: int = 2
    scale: Literal["row", "group"] = "group"
    group: int = 128
    coef_bits: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.k <= 8, "k", "be from 1 to 8", self.k)
        require_group(self.group, self.scale, Signs.group)
        require_coef_bits(self.coef_bits)

    @one_thread()
    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Fit planes and scales; the error is at most that of greedy residual signs."""
        matrix = real_matrix(weight)
        rows, columns = matrix.shape
        group = self.group if self.scale == "group" else columns
        combos = combinations(self.k, zero=-1.0)
        parts = sort_groups(matrix, group, levels=len(combos))
        scales = torch.cat([best_fit(part, combos, starts(part, self.k)) for part in parts])
        bits = nearest_bits(matrix, group, combos, scales)
        scales = scales.view(rows, -1, self.k)
        return from_real(
            name, bits.numpy(), group, scales.numpy(), None, activation,
            mix=signs_mix(self.k), coefficient_bits=self.coef_bits,
        )  # fmt: skip


def starts(groups: SortedGroups, k: int) -> Iterator[Tensor]:
    """Scales to start from, float64, (n, k).

    The greedy ones alone end in poor local minima for three planes and more; those in powers of
    two contain uniform rounding, and the last one suits bell-shaped weights.
    """
    yield _greedy(groups, k)
    known = torch.where(groups.values.isinf(), 0.0, groups.values)
    peak = known.abs().amax(1).double()
    binary = 2.0 ** torch.arange(k, dtype=torch.float64) / (2**k - 1)
    for part in (1.0, 0.85, 0.75, 0.6):
        yield part * peak[:, None] * binary
    root = (groups.energy / groups.sizes).sqrt()
    spread = 1.5 ** torch.arange(k, dtype=torch.float64)
    yield root[:, None] * spread / spread.norm()


def _greedy(groups: SortedGroups, k: int) -> Tensor:
    """Mean magnitude of what the planes before leave over."""
    known = ~groups.values.isinf()
    rest = torch.where(known, groups.values, 0.0).abs().double()
    scales = []
    for _ in range(k):
        scales.append(rest.sum(1) / groups.sizes)
        rest = torch.where(known, (rest - scales[-1][:, None]).abs(), 0.0)
    return torch.stack(scales, 1)
