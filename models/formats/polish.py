"""Improve the product of two factors of signs: scales by least squares, signs one by one.

Every step lowers ``tr((W - A B) H (W - A B)^T)``, the error that ADMM leaves; see
:mod:`models.formats.admm`.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from models.formats.factors import Factor
from models.formats.metric import Metric

PULL = 1e-7
"""Beside the mean of the diagonal of least squares; decides what nothing else does."""
NOISE = 1e-6
"""Beside the terms of a change of the error: below it, float32 cannot tell a gain from none."""


@dataclass(frozen=True)
class Normal:
    """Normal equations of one factor F: what it must know of the target and of the other, Z.

    The error is ``<F, gram F M> - 2 <F, moment>``, but for what does not depend on F.

    Attributes
    ----------
    gram : float32, (rank, rank)
        Products of the rows of Z, by the metric of Z.
    moment : float32, (rank, n)
        Z times the target, by both metrics.
    metric : Metric
        M, of this factor.
    """

    gram: Tensor
    moment: Tensor
    metric: Metric

    @staticmethod
    def of(other: Factor, known: Metric, metric: Metric, wanted: Tensor) -> "Normal":
        """Sum up the other factor; ``wanted`` is (n of other, n), the target by both metrics."""
        rows = other.matrix
        return Normal(known.times(rows) @ rows.T, rows @ wanted, metric)


def polish(
    left: Factor, right: Factor, target: Tensor, metric: Metric, rounds: int
) -> tuple[Factor, Factor]:
    """Improve each factor in turn.

    Parameters
    ----------
    left, right, target, metric
        As :func:`models.formats.admm.factorize` returns and takes them.
    rounds : int
        How often.

    Returns
    -------
    left, right : Factor
    """
    outputs, wanted = Metric(), metric.times(target)
    for _ in range(rounds):
        left = _improved(left, Normal.of(right, metric, outputs, wanted.T))
        right = _improved(right, Normal.of(left, outputs, metric, wanted))
    return left, right


def _improved(factor: Factor, normal: Normal) -> Factor:
    factor = replace(factor, outer=_best_outer(factor, normal))
    factor = replace(factor, inner=_best_inner(factor, normal))
    return replace(factor, signs=_flipped(factor, normal))


def _best_outer(factor: Factor, normal: Normal) -> Tensor:
    """Return the least squares of the outer scales; float32, (n, envelopes)."""
    parts = factor.signed(factor.inner.T[:, :, None])  # (envelopes, rank, n)
    right = (parts * normal.moment).sum(dim=1)
    weighted, matrix = normal.gram @ parts, normal.metric.matrix
    if matrix is None:  # each of the n by itself
        gram = torch.einsum("vrn,wrn->nvw", parts, weighted)
        return _solved(gram, right.T)
    gram = torch.einsum("vrn,wrm->vnwm", parts, weighted) * matrix[:, None, :]
    return _solved(gram.flatten(2).flatten(0, 1), right.flatten()).reshape(right.shape).T


def _best_inner(factor: Factor, normal: Normal) -> Tensor:
    """Return the least squares of the inner scales; float32, (rank, envelopes)."""
    parts = factor.signed(factor.outer.T[:, None, :])  # (envelopes, rank, n)
    right = (parts * normal.moment).sum(dim=2)
    weighted = normal.metric.times(parts)
    gram = torch.einsum("vrn,wsn->vrws", parts, weighted) * normal.gram[:, None, :]
    return _solved(gram.flatten(2).flatten(0, 1), right.flatten()).reshape(right.shape).T


def _solved(gram: Tensor, right: Tensor) -> Tensor:
    """Solve positive semidefinite systems (..., n, n) in float64, as float32 (..., n)."""
    gram, right = gram.double(), right.double()
    mean = gram.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
    pull = torch.where(mean > 0, PULL * mean, 1.0)
    gram.diagonal(dim1=-2, dim2=-1).add_(pull[..., None])
    return torch.linalg.solve(gram, right).float()


def _flipped(factor: Factor, normal: Normal) -> Tensor:
    """Flip signs as long as that helps, the best of a row first; bool, (rank, n)."""
    signs, values = factor.signs.clone(), factor.matrix
    slope = normal.moment - normal.gram @ normal.metric.times(values)
    matrix = normal.metric.matrix
    diagonal = torch.ones(values.shape[1]) if matrix is None else matrix.diagonal()
    for row, (own, sign) in enumerate(zip(values, signs, strict=True)):
        size = float(normal.gram[row, row])
        before, local, bend = own.clone(), slope[row].clone(), size * diagonal * own.square()
        for _ in range(len(own)):
            gain = -(bend + own * local) - NOISE * bend
            best = int(gain.argmax())
            if float(gain[best]) <= 0:
                break
            change = -2 * float(own[best])
            own[best] += change
            sign[best] = ~sign[best]
            if matrix is None:
                local[best] -= size * change
            else:
                local -= size * change * matrix[best]
        moved = normal.metric.times((own - before)[None])
        if bool(moved.any()):
            slope -= normal.gram[:, row : row + 1] * moved
    return signs
