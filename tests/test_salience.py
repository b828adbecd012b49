"""Which weights get more bits, with calibration: those without which outputs lose most."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from matrices import planes_of, stage_of, weights
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.compensation.hessian import damped, salience
from models.dense import dense
from models.formats import parse
from models.threads import one_thread


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def hessian_of(columns: int, seed: int) -> Tensor:
    """Mean of x x^T over inputs of very unequal sizes that go together."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((300, columns)) @ rng.standard_normal((columns, columns))
    inputs = inputs * np.exp(1.5 * rng.standard_normal(columns))
    return torch.from_numpy((inputs.T @ inputs / 300).astype(np.float32))


def calibrated(text: str, weight: NDArray, hessian: Tensor) -> BitplaneLayer:
    return parse(text).quantize(weight, "x", Activation(), hessian)


def scores(weight: NDArray, hessian: Tensor) -> NDArray[np.float64]:
    """Error when a weight is zero and those of its row are moved to make up for it as they can."""
    wide = damped(hessian).double().numpy()
    found = np.empty(weight.shape)
    for j in range(weight.shape[1]):
        others = [i for i in range(weight.shape[1]) if i != j]
        inner, cross = wide[np.ix_(others, others)], wide[others, j]
        found[:, j] = weight[:, j] ** 2 * (wide[j, j] - cross @ np.linalg.solve(inner, cross))
    return found


def test_salience_is_the_error_without_a_weight() -> None:
    weight, hessian = weights(3, 12), hessian_of(12, seed=0)
    found = salience(torch.from_numpy(weight).double(), hessian).numpy()
    assert np.allclose(found, scores(weight, hessian), rtol=1e-4)


@pytest.mark.parametrize(("pattern", "keep", "of"), [("2:4", 2, 4), ("4:8", 4, 8)])
def test_jsq_keeps_salient_weights(pattern: str, keep: int, of: int) -> None:
    weight, hessian = weights(4, 16), hessian_of(16, seed=1)
    mask = planes_of(calibrated(f"jsq:pattern={pattern},bits=4", weight, hessian))[0]
    wanted = scores(weight, hessian)
    for start in range(0, 16, of):
        part = slice(start, start + of)
        least = -np.sort(-wanted[:, part])[:, keep - 1 : keep]
        assert np.array_equal(mask[:, part], wanted[:, part] >= least)


def test_pbllm_keeps_salient_weights() -> None:
    weight, hessian = weights(5, 20), hessian_of(20, seed=2)
    mask = planes_of(calibrated("pbllm:share=15", weight, hessian))[0]
    wanted = scores(weight, hessian)
    assert np.array_equal(mask, wanted >= -np.sort(-wanted.ravel())[14])


@pytest.mark.parametrize("name", ["billm", "arb"])
def test_columns_are_salient_for_their_inputs(name: str) -> None:
    weight, hessian = weights(6, 24), hessian_of(24, seed=3)
    wanted = scores(weight, hessian)
    by_size, by_salience = (
        stage_of(parse(f"{name}:block=12,salient=3").quantize(weight, "x", Activation(), given), 1)
        for given in (None, hessian)
    )
    for stage, score in ((by_size, weight**2), (by_salience, wanted)):
        total = score.sum(0)
        best = [start + np.argsort(-total[start : start + 12])[:3] for start in (0, 12)]
        assert stage.gather is not None
        assert stage.gather.tolist() == np.sort(best).ravel().tolist()
    assert not np.array_equal(by_size.planes, by_salience.planes)


@pytest.mark.parametrize(
    "text", ["jsq:bits=4", "pbllm", "billm:block=16,salient=2", "arb:block=16,salient=2"]
)
def test_salience_is_worth_more_than_size(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost() -> float:
        total = 0.0
        for seed in range(4):
            weight, hessian = weights(16, 32, seed), hessian_of(32, seed)
            wrong = dense(calibrated(text, weight, hessian)) - weight
            total += float(((wrong @ hessian.numpy()) * wrong).sum() / hessian.diagonal().sum())
        return total

    by_salience = lost()
    monkeypatch.setattr("models.formats.salient.salience", lambda matrix, _: matrix.square())
    assert by_salience < 0.95 * lost()
