"""How errors count: all alike, or by the second moments of what they are multiplied by."""

from collections.abc import Callable

import torch
from torch import Tensor

SMALLEST = 1e-6
"""Of the largest eigenvalue: smaller ones have the root of this one."""

Solve = Callable[[Tensor, float], Tensor]


class Metric:
    """A positive semidefinite matrix M by which rows of errors ``e`` count ``e M e^T``.

    Attributes
    ----------
    matrix : float32, (n, n), or None
        None stands for 1 on the diagonal and 0 elsewhere.
    """

    def __init__(self, matrix: Tensor | None = None) -> None:
        self.matrix = matrix
        if matrix is not None:
            values, self._vectors = torch.linalg.eigh(matrix)
            self._values = values.clamp(min=0)
            self._root = values.clamp(min=SMALLEST * float(values[-1])).sqrt()

    def times(self, rows: Tensor) -> Tensor:
        """Multiply (..., n) by the matrix."""
        return rows if self.matrix is None else rows @ self.matrix

    def whitened(self, rows: Tensor) -> Tensor:
        """Turn (rows, n) such that the sum of squares is what errors count."""
        return rows if self.matrix is None else rows @ self._vectors * self._root

    def unwhitened(self, rows: Tensor) -> Tensor:
        """Return the rows that :meth:`whitened` turns to these."""
        return rows if self.matrix is None else rows / self._root @ self._vectors.T

    def solver(self, gram: Tensor) -> Solve:
        """Return what solves ``gram X M + pull X = right`` for X.

        That is the minimum of ``tr((Y - A X) M (Y - A X)^T) + pull ||X - Z||**2``, with ``gram =
        A^T A`` and ``right = A^T Y M + pull Z``: a Sylvester equation, diagonal between the
        eigenvectors of both matrices.

        Parameters
        ----------
        gram : float32, (rank, rank)

        Returns
        -------
        function of right, float32 (rank, n), and pull, above 0
            Returns float32, (rank, n).
        """
        if self.matrix is None:
            unit = torch.eye(len(gram))
            return lambda right, pull: torch.cholesky_solve(
                right, torch.linalg.cholesky(gram + pull * unit)
            )
        values, turn = torch.linalg.eigh(gram)
        weights = values.clamp(min=0)[:, None] * self._values

        def solve(right: Tensor, pull: float) -> Tensor:
            inside = turn.T @ right @ self._vectors / (weights + pull)
            return turn @ inside @ self._vectors.T

        return solve
