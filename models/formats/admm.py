"""A matrix as the product of two matrices of signs, by ADMM.

``W ~ A B`` with signs under envelopes, ``A = S_a * (a q^T)`` and ``B = S_b * (g b^T)`` element by
element, such that ``tr((W - A B) H (W - A B)^T)`` is small. The best signs and envelopes cannot be
computed; they start from the singular value decomposition and are improved by ADMM, as double
binary factorization (arXiv 2505.11076, notebooks of ``usamec/double_binary``) does it with a
diagonal H.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.formats.factors import Factor, nearest
from models.formats.metric import Metric

INNER = 2
"""Steps on one factor before the other has its turn; published are 3, which are slower: 0.0277
after 28 outer steps, against 0.0271 in the time of these (a query projection of SmolLM2-135M)."""
RIDGE = 0.03
SMALLEST = 1e-12


@dataclass(frozen=True)
class Split:
    """A factor, and the multipliers of ADMM that go with it; float32, (rank, n)."""

    factor: Factor
    dual: Tensor

    def scaled(self, by: Tensor) -> "Split":
        """Multiply the rows; ``by`` is (rank,)."""
        return Split(self.factor.scaled(by), self.dual * by[:, None])


def factorize(
    target: Tensor, metric: Metric, rank: int, envelopes: int, steps: int
) -> tuple[Factor, Factor]:
    """Factorize a matrix.

    Parameters
    ----------
    target : float32, (out, in)
        Finite, of magnitudes near 1: squares must not leave float32.
    metric : Metric
        H; of numbers near 1 on the diagonal, for the pull towards signs is the same everywhere.
    rank : int
        May exceed the size of the matrix.
    envelopes : int
        At most ``min(out, in, rank)``.
    steps : int
        Outer steps of ADMM; with 0, the projected singular vectors are the result.

    Returns
    -------
    left, right : Factor
        ``target`` is close to ``left.matrix.T @ right.matrix``.
    """
    left, right = (
        Split(nearest(part, _start(part, envelopes)), torch.zeros_like(part))
        for part in _singular(target, metric, rank)
    )
    outputs, wanted = Metric(), metric.times(target)
    for step in range(steps):
        tether = min(1.0, step / max(1, steps - 3)) ** 3
        left, right = _improved(left, right, outputs, metric, wanted, tether)
        right, left = _improved(right, left, metric, outputs, wanted.T, tether)
    return left.factor, right.factor


def _singular(target: Tensor, metric: Metric, rank: int) -> tuple[Tensor, Tensor]:
    """Split a matrix into the ``rank`` first directions of ``W H**0.5``, halves of equal weight.

    Beyond the size of the matrix, a random tight frame spreads all of them over ``rank``.

    Returns
    -------
    left : float32, (rank, out)
    right : float32, (rank, in)
    """
    u, sizes, v = torch.linalg.svd(metric.whitened(target), full_matrices=False)
    root = sizes.sqrt()[:, None]
    left, right = root * u.T, metric.unwhitened(root * v)
    if rank <= len(sizes):
        return left[:rank], right[:rank]
    random = torch.randn(rank, len(sizes), generator=torch.Generator().manual_seed(0))
    frame = torch.linalg.qr(random).Q
    return frame @ left, frame @ right


def _start(matrix: Tensor, envelopes: int) -> Tensor:
    """Return directions from which power iterations start; float32, (n, envelopes)."""
    random = torch.Generator().manual_seed(1)
    return 1 + 0.1 * torch.randn(matrix.shape[1], envelopes, generator=random)


def _improved(
    fixed: Split, free: Split, known: Metric, metric: Metric, wanted: Tensor, tether: float
) -> tuple[Split, Split]:
    """Take ADMM steps on one factor.

    The rows of the other are brought to norm 1 first, at the expense of this one.

    Parameters
    ----------
    known, metric : Metric
        Of the fixed factor and of the free one.
    wanted : float32, (n of fixed, n of free)
        The target, by both metrics.
    tether : float
        Weight, in the first of the steps, of staying near signs under an envelope; then 1.

    Returns
    -------
    fixed, free : Split
    """
    basis = fixed.factor.matrix
    norms = (known.times(basis) * basis).sum(dim=1).clamp(min=SMALLEST).sqrt()
    fixed, free, basis = fixed.scaled(1 / norms), free.scaled(norms), basis / norms[:, None]
    solve, moment = metric.solver(known.times(basis) @ basis.T), basis @ wanted
    for rho in (tether, *[1.0] * (INNER - 1)):
        near = free.factor.matrix - free.dual
        best = solve(moment + rho * near, RIDGE + rho)
        factor = nearest(best + free.dual, free.factor.outer)
        free = Split(factor, free.dual + best - factor.matrix)
    return fixed, free
