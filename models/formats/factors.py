"""A matrix of signs under an envelope of low rank, and the nearest one to a real matrix."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

POWER = 3
"""Power iterations of a projection; it starts where the one before ended."""


@dataclass(frozen=True)
class Factor:
    """Signs under an envelope: ``signs * (inner @ outer.T)`` with signs of +1 and -1.

    Attributes
    ----------
    signs : bool, (rank, n)
        True for +1.
    inner : float32, (rank, envelopes)
        Negative numbers can occur with more than one envelope.
    outer : float32, (n, envelopes)
    """

    signs: Tensor
    inner: Tensor
    outer: Tensor

    @property
    def matrix(self) -> Tensor:
        """The real matrix; float32, (rank, n)."""
        return self.signed(self.inner @ self.outer.T)

    def signed(self, values: Tensor) -> Tensor:
        """Give numbers the signs; (..., rank, n) or what spreads to it."""
        return torch.where(self.signs, values, -values)

    def scaled(self, by: Tensor) -> "Factor":
        """Multiply the rows; ``by`` is (rank,)."""
        return replace(self, inner=self.inner * by[:, None])

    def balanced(self) -> "Factor":
        """Return the same matrix by orthogonal envelopes, the largest first.

        Numbers of little use then are small, and what rounds them does little.
        """
        turn, inner = torch.linalg.qr(self.inner)
        u, sizes, v = torch.linalg.svd(inner @ self.outer.T, full_matrices=False)
        return replace(self, inner=turn @ u, outer=v.T * sizes)


def nearest(matrix: Tensor, outer: Tensor) -> Factor:
    """Return the signs of a matrix under the envelope nearest to its magnitudes.

    Parameters
    ----------
    matrix : float32, (rank, n)
    outer : float32, (n, envelopes)
        From which power iterations start.
    """
    magnitudes = matrix.abs()
    inner = outer
    for _ in range(POWER):
        inner = torch.linalg.qr(magnitudes @ outer).Q
        outer = magnitudes.T @ inner
    return Factor(matrix >= 0, inner, outer)
