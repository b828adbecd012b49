"""Subset sums of {0, 1} planes with a shared table of coefficients."""

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
from models.formats.spec import StageFormat
from models.formats.table import shared_table
from models.lower import from_table, real_matrix
from models.threads import one_thread


@dataclass(frozen=True)
class Sbvr(StageFormat):
    """Sums of k planes of 0 and 1, a group's coefficients being an entry of one table.

    The structure is that of SBVR (arXiv 2509.18172, code ``MaverickJune/sbvr``): k bits per
    weight, an index per row and group into a table of the matrix. The encoder is ours: the
    authors score candidate sets from a grid and append to the table what no entry serves well,
    first come first served; here groups are fitted by alternating least squares and the table
    clusters them. With 256 entries that has a lower error (0.0095 against 0.0118 with k = 4 for
    the first key projection of SmolLM2-135M; ours are the groups' own fits in both), with half
    as many entries as groups the same. The authors' rotation of the model and error feedback
    between groups need calibration and are no part of the format.
    """

    k: int = 4
    group: int = 128
    table: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.k <= 8, "k", "be from 1 to 8", self.k)
        require(self.group >= 1, "group", "be 1 or more", self.group)
        require(1 <= self.table <= 65536, "table", "be from 1 to 65536", self.table)

    @one_thread()
    def fit(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Fit each group, then the table, then choose the planes for the table's entries."""
        matrix = real_matrix(weight)
        combos = combinations(self.k, zero=0.0)
        parts = list(sort_groups(matrix, self.group, levels=len(combos)))
        own = torch.cat([best_fit(part, combos, starts(part, self.k)) for part in parts])
        table, index = shared_table(parts, combos, own, self.table)
        bits = nearest_bits(matrix, self.group, combos, table[index])
        index = index.view(len(matrix), -1)
        return from_table(name, bits.numpy(), self.group, table.numpy(), index.numpy(), activation)


def starts(groups: SortedGroups, k: int) -> Iterator[Tensor]:
    """Coefficients to start from, float64, (n, k).

    Powers of two, those of the zero point's bits negative, contain uniform rounding with an
    integer zero point. Powers of a negative number, as the authors use, crowd levels around zero.
    """
    known = torch.where(groups.values.isinf(), 0.0, groups.values)
    low, high = known.amin(1).clamp(max=0).double(), known.amax(1).clamp(min=0).double()
    plane = torch.arange(k)
    for part in (1.0, 0.85, 0.7, 0.55):
        step = part * (high - low) / (2**k - 1)
        zero = (-part * low / step.where(step > 0, 1.0)).round().clamp(0, 2**k - 1).long()
        sign = 1 - 2 * (zero[:, None] >> plane & 1)
        yield step[:, None] * sign * 2.0**plane
    for ratio in (-1.0, -1.3):
        powers = torch.tensor(ratio, dtype=torch.float64) ** plane
        for part in (1.0, 0.75, -0.75, -1.0):
            yield part * (high - low)[:, None] * powers / powers.abs().sum()
