"""A matrix as the product of two matrices of signs, each under an envelope of low rank.

``W ~ A B``, where ``A = S_a * (a q^T)`` and ``B = S_b * (g b^T)`` element by element, S_a and S_b
are signs, and a, q, g, b have one or a few columns. The best signs and envelopes cannot be
computed; they start from the singular value decomposition and are improved by ADMM, as double
binary factorization (arXiv 2505.11076, notebooks of ``usamec/double_binary``) does it.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

INNER = 2
"""Steps on one factor before the other has its turn; published are 3, which are slower: 0.2928
after 20 outer steps, against 0.2879 in the time of these (a query projection of SmolLM2-135M)."""
POWER = 3
"""Power iterations of a projection; it starts where the one before ended."""
RIDGE = 0.03
SMALLEST = 1e-12


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
    dual : float32, (rank, n)
        The multipliers of ADMM.
    """

    signs: Tensor
    inner: Tensor
    outer: Tensor
    dual: Tensor

    @property
    def matrix(self) -> Tensor:
        """The real matrix; float32, (rank, n)."""
        envelope = self.inner @ self.outer.T
        return torch.where(self.signs, envelope, -envelope)

    def scaled(self, by: Tensor) -> "Factor":
        """Multiply the rows; ``by`` is (rank,)."""
        return replace(self, inner=self.inner * by[:, None], dual=self.dual * by[:, None])


def factorize(weight: Tensor, rank: int, envelopes: int, steps: int) -> tuple[Factor, Factor]:
    """Factorize a matrix.

    Parameters
    ----------
    weight : float32, (out, in)
        Finite, of magnitudes near 1: squares must not leave float32.
    rank : int
        May exceed the size of the matrix.
    envelopes : int
        At most ``min(out, in, rank)``.
    steps : int
        Outer steps of ADMM; with 0, the projected singular vectors are the result.

    Returns
    -------
    left, right : Factor
        ``weight`` is close to ``left.matrix.T @ right.matrix``.
    """
    left, right = (_projected(part, _start(part, envelopes)) for part in _singular(weight, rank))
    for step in range(steps):
        tether = min(1.0, step / max(1, steps - 3)) ** 3
        right, left = _improved(right, left, weight.T, tether)
        left, right = _improved(left, right, weight, tether)
    return left, right


def _singular(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Split a matrix into its ``rank`` first directions, halves of equal weight.

    Beyond the size of the matrix, a random tight frame spreads all of them over ``rank``.

    Returns
    -------
    left : float32, (rank, out)
    right : float32, (rank, in)
    """
    u, sizes, v = torch.linalg.svd(weight, full_matrices=False)
    root = sizes.sqrt()[:, None]
    left, right = root * u.T, root * v
    if rank <= len(sizes):
        return left[:rank], right[:rank]
    random = torch.randn(rank, len(sizes), generator=torch.Generator().manual_seed(0))
    frame = torch.linalg.qr(random).Q
    return frame @ left, frame @ right


def _start(matrix: Tensor, envelopes: int) -> Tensor:
    """Return directions from which power iterations start; float32, (n, envelopes)."""
    random = torch.Generator().manual_seed(1)
    return 1 + 0.1 * torch.randn(matrix.shape[1], envelopes, generator=random)


def _projected(matrix: Tensor, outer: Tensor) -> Factor:
    """Return the nearest signs, under the nearest envelope of low rank, without multipliers."""
    magnitudes = matrix.abs()
    inner = outer
    for _ in range(POWER):
        inner = torch.linalg.qr(magnitudes @ outer).Q
        outer = magnitudes.T @ inner
    return Factor(matrix >= 0, inner, outer, torch.zeros_like(matrix))


def _improved(fixed: Factor, free: Factor, target: Tensor, tether: float) -> tuple[Factor, Factor]:
    """Take ADMM steps on ``||fixed.matrix.T @ free.matrix - target||**2``.

    The rows of ``fixed`` are brought to norm 1 first, at the expense of ``free``.

    Parameters
    ----------
    target : float32, (n of fixed, n of free)
    tether : float
        Weight, in the first of the steps, of staying near signs under an envelope; then 1.

    Returns
    -------
    fixed, free : Factor
    """
    norms = fixed.matrix.norm(dim=1).clamp(min=SMALLEST)
    fixed, free = fixed.scaled(1 / norms), free.scaled(norms)
    basis = fixed.matrix
    gram, moment = basis @ basis.T, basis @ target
    unit = torch.eye(len(gram))
    for rho in (tether, *[1.0] * (INNER - 1)):
        root = torch.linalg.cholesky(gram + (RIDGE + rho) * unit)
        best = torch.cholesky_solve(moment + rho * (free.matrix - free.dual), root)
        free = replace(_projected(best + free.dual, free.outer), dual=free.dual)
        free = replace(free, dual=free.dual + best - free.matrix)
    return fixed, free
