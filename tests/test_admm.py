"""Factors of signs under the metric of inputs: ADMM, least squares and flips of signs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.formats.admm import factorize
from models.formats.factors import Factor, nearest
from models.formats.metric import Metric
from models.formats.polish import polish
from models.threads import one_thread


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    """Draw normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def correlation(n: int, seed: int = 0, samples: int = 0) -> Tensor:
    """Make a correlation matrix, of rank ``samples`` at most if that is given."""
    inputs = gaussian(samples or 2 * n, n, seed=seed) @ gaussian(n, n, seed=seed + 1)
    moments = inputs.T @ inputs
    size = moments.diagonal().sqrt()
    return moments / (size[:, None] * size)


def metrics(n: int) -> list[Metric]:
    """One of each kind, and a singular one."""
    return [Metric(), Metric(correlation(n)), Metric(correlation(n, samples=n // 2))]


def error(left: Factor, right: Factor, target: Tensor, metric: Metric) -> float:
    """Return ``tr((W - A B) H (W - A B)^T)`` over the same of W, in float64."""
    lost, own = target.double() - left.matrix.double().T @ right.matrix.double(), target.double()
    matrix = torch.eye(target.shape[1]) if metric.matrix is None else metric.matrix
    return float(((lost @ matrix.double()) * lost).sum() / ((own @ matrix.double()) * own).sum())


# --- factors ---


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_balanced_is_the_same_matrix(rank: int, n: int, envelopes: int, seed: int) -> None:
    signs = gaussian(rank, n, seed=seed) > 0
    factor = Factor(signs, gaussian(rank, envelopes, seed=seed), gaussian(n, envelopes, seed=seed))
    found = factor.balanced()
    assert torch.allclose(found.matrix, factor.matrix, atol=1e-5)
    assert torch.equal(found.signs, factor.signs)
    gram = found.outer.T @ found.outer
    assert torch.allclose(gram, gram.diagonal().diag(), atol=1e-4)
    assert (gram.diagonal().diff() <= 1e-5).all()


def test_nearest_keeps_what_is_signs_under_an_envelope() -> None:
    signs = gaussian(30, 20) > 0
    matrix = Factor(signs, gaussian(30, 1, seed=1).abs(), gaussian(20, 1, seed=2).abs()).matrix
    found = nearest(matrix, torch.ones(20, 1))
    assert torch.allclose(found.matrix, matrix, atol=1e-5)
    assert torch.equal(found.signs, signs)


# --- metric ---


@pytest.mark.parametrize("kind", range(3))
def test_whitened_counts_as_the_metric(kind: int) -> None:
    metric, rows = metrics(16)[kind], gaussian(5, 16, seed=3)
    white = metric.whitened(rows)
    assert torch.allclose(white @ white.T, metric.times(rows) @ rows.T, atol=1e-3)
    assert torch.allclose(metric.unwhitened(white), rows, atol=1e-2)


@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("pull", [0.03, 1.0])
@pytest.mark.parametrize("rank", [4, 24])  # 24 rows of 12: a singular gram
def test_solver_solves(kind: int, pull: float, rank: int) -> None:
    metric, basis, right = metrics(16)[kind], gaussian(rank, 12), gaussian(rank, 16, seed=1)
    gram = basis @ basis.T
    x = metric.solver(gram)(right, pull)
    size = gram.norm() * metric.times(torch.eye(16)).norm() * x.norm()
    assert (gram @ metric.times(x) + pull * x - right).norm() < 1e-6 * size + 1e-4


# --- ADMM ---


def test_products_of_signs_are_found() -> None:
    rng = np.random.default_rng(4)
    signs = [np.where(rng.random(shape) < 0.5, -1.0, 1.0) for shape in ((40, 4), (4, 30))]
    a, b = 1 + rng.random((40, 1)), 1 + rng.random((1, 30))
    target = torch.from_numpy(a * signs[0] * [4.0, 3.0, 2.0, 1.0] @ signs[1] * b / 30).float()
    for metric in (Metric(), Metric(correlation(30))):
        assert error(*factorize(target, metric, 4, 1, 60), target, metric) < 0.05**2


@pytest.mark.parametrize("envelopes", [1, 2])
@pytest.mark.parametrize("kind", range(3))
def test_a_rank_beyond_the_matrix_helps(envelopes: int, kind: int) -> None:
    target, metric = gaussian(30, 20) / 4, metrics(20)[kind]
    errors = [
        error(*factorize(target, metric, rank, envelopes, 20), target, metric)
        for rank in (5, 10, 20, 60)
    ]
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("kind", [1, 2])
def test_the_metric_decides_what_is_near(kind: int) -> None:
    """Of factors found under a metric and under none, each is the better by its own."""
    target, metric = gaussian(64, 48) / 4, metrics(48)[kind]
    found = [factorize(target, by, 24, 1, 30) for by in (metric, Metric())]
    assert error(*found[0], target, metric) < 0.8 * error(*found[1], target, metric)
    assert error(*found[1], target, Metric()) < 0.8 * error(*found[0], target, Metric())


def test_without_steps_the_first_singular_vectors_start() -> None:
    """The best start of rank 1 for a matrix of rank 1 is, but for its envelopes, the matrix."""
    target = (torch.ones(20, 1) + gaussian(20, 1).abs()) @ gaussian(1, 16, seed=1)
    for metric in metrics(16)[:2]:
        left, right = factorize(target, metric, 1, 1, 0)
        assert error(left, right, target, metric) < 1e-6


# --- polish ---


@pytest.mark.parametrize("envelopes", [1, 2])
@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("steps", [0, 10])
def test_each_round_decreases_the_error(envelopes: int, kind: int, steps: int) -> None:
    target, metric = gaussian(30, 20) / 4, metrics(20)[kind]
    start = factorize(target, metric, 12, envelopes, steps)
    errors = [
        error(*polish(*start, target, metric, rounds), target, metric) for rounds in (0, 1, 2, 6)
    ]
    assert errors[0] == error(*start, target, metric)
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < (0.999 if steps else 0.9) * errors[0]


@pytest.mark.parametrize("envelopes", [1, 2])
@pytest.mark.parametrize("kind", range(2))
def test_polish_ends_where_no_change_helps(envelopes: int, kind: int) -> None:
    """Neither other scales, nor any one other sign, of either factor."""
    target, metric = gaussian(12, 10) / 4, metrics(10)[kind]
    start = factorize(target, metric, 6, envelopes, 5)
    left, right = polish(*start, target, metric, 150 * envelopes)
    least = error(left, right, target, metric)

    def no_better(changed: tuple[Factor, Factor]) -> bool:
        return error(*changed, target, metric) > least * (1 - 1e-5) - 1e-6  # what float32 resolves

    def variants(factor: Factor) -> Iterator[Factor]:
        for index in range(factor.signs.numel()):
            flip = torch.zeros(factor.signs.numel(), dtype=torch.bool)
            flip[index] = True
            yield replace(factor, signs=factor.signs ^ flip.view_as(factor.signs))
        for part in ("inner", "outer"):
            scales: Tensor = getattr(factor, part).contiguous()
            for index in range(scales.numel()):
                for by in (0.98, 1.02):
                    other = scales.flatten().clone()
                    other[index] *= by
                    yield replace(factor, **{part: other.view_as(scales)})

    assert all(no_better((other, right)) for other in variants(left))
    assert all(no_better((left, other)) for other in variants(right))


@pytest.mark.parametrize("kind", range(3))
def test_zeros_stay_zeros(kind: int) -> None:
    target, metric = torch.zeros(9, 8), metrics(8)[kind]
    left, right = polish(*factorize(target, metric, 4, 1, 3), target, metric, 2)
    assert not (left.matrix.T @ right.matrix).any()
