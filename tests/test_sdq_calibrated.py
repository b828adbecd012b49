"""Sigma-delta streams with calibration, against the authors' algorithm one sample at a time."""

from collections.abc import Iterator

import naive
import numpy as np
import pytest
import torch
from matrices import planes_of, stage_of, weights
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.compensation.hessian import DAMPING, damped
from models.dense import dense
from models.formats import parse
from models.formats.oversampling import oversampling
from models.formats.resample import rotation
from models.reference import run
from models.threads import one_thread

BLOCK = 16


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def hessian_of(columns: int, seed: int, dead: int = 0) -> Tensor:
    """Mean of x x^T over inputs that go together; the first ``dead`` are zero."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((60, columns)) @ rng.standard_normal((columns, columns))
    inputs[:, :dead] = 0
    return torch.from_numpy((inputs.T @ inputs / 60).astype(np.float32))


def calibrated(text: str, weight: NDArray, hessian: Tensor | None) -> BitplaneLayer:
    return parse(text).quantize(weight, "x", Activation(), hessian)


def lost(weight: NDArray, layer: BitplaneLayer, hessian: Tensor) -> float:
    """Error of outputs over their energy."""
    wrong, wide = dense(layer) - weight, hessian.numpy()
    return float(((wrong @ wide) * wrong).sum() / ((weight @ wide) * weight).sum())


def streams_of(layer: BitplaneLayer, ternary: bool) -> NDArray[np.float64]:
    """Return the samples stored, (rows, samples of all blocks)."""
    planes = planes_of(layer)
    return planes[0] - planes[1] if ternary else 2 * planes[0] - 1


def resampled(rows: NDArray, count: int) -> NDArray[np.float64]:
    """Resample periods band-limited, as SciPy's ``signal.resample`` does, along the last axis."""
    have, few = rows.shape[-1], min(rows.shape[-1], count)
    found = np.zeros((*rows.shape[:-1], count // 2 + 1), complex)
    found[..., : few // 2 + 1] = np.fft.rfft(rows)[..., : few // 2 + 1]
    if few % 2 == 0 and count != have:
        found[..., few // 2] *= 0.5 if count > have else 2
    return np.fft.irfft(found, count) * count / have


def modulated(signal: NDArray, ternary: bool) -> tuple[list[int], NDArray[np.float64]]:
    """Modulate one row of one block; its samples, and what they stand for."""
    mean = signal.mean()
    centered = signal - mean
    scale = 0.9 * np.quantile(np.abs(centered), 0.9)
    centered = centered / scale
    threshold = np.quantile(np.abs(centered), 0.5)
    integral, last, found = 0.0, 0, []
    for value in centered:
        integral += value - last
        if ternary:
            last = 1 if integral >= threshold else -1 if integral <= -threshold else 0
        else:
            last = 1 if integral > 0 else -1
        found.append(last)
    return found, scale * np.array(found) + mean


def block_values(wanted: NDArray, samples: int, ternary: bool) -> tuple[NDArray, NDArray]:
    """Modulate a block of columns; its samples and the weights that they are worth."""
    turn = rotation(BLOCK, 0).numpy()
    rows = [modulated(signal, ternary) for signal in resampled(wanted @ turn, samples)]
    values = np.array([worth for _, worth in rows])
    return np.array([found for found, _ in rows]), resampled(values, BLOCK) @ turn.T


def published(weight: NDArray, hessian: Tensor, samples: int, ternary: bool) -> NDArray:
    """Take the authors' steps: blocks left to right, errors fed on through the diagonal."""
    wide, left = hessian.double().numpy().copy(), weight.astype(np.float64)
    wide += DAMPING * wide.diagonal().mean() * np.eye(len(wide))
    upper = np.linalg.cholesky(np.linalg.inv(wide)).T
    found = []
    for start in range(0, len(wide), BLOCK):
        part, later = slice(start, start + BLOCK), slice(start + BLOCK, None)
        codes, values = block_values(left[:, part], samples, ternary)
        error = (left[:, part] - values) / upper[part, part].diagonal()
        left[:, later] -= error @ upper[part, later]
        found.append(codes)
    return np.concatenate(found, axis=1)


def best_for_rest(weight: NDArray, hessian: Tensor, samples: int, ternary: bool) -> NDArray:
    """Solve, before each block, for the weights left that make up best for all errors so far."""
    wide, target = damped(hessian).double().numpy(), weight.astype(np.float64)
    found, wrong = [], np.zeros((len(weight), 0))
    for start in range(0, len(wide), BLOCK):
        cross, inner = wide[:start, start:], wide[start:, start:]
        wanted = target[:, start:] - np.linalg.solve(inner, (wrong @ cross).T).T
        codes, values = block_values(wanted[:, :BLOCK], samples, ternary)
        wrong = np.concatenate([wrong, values - target[:, start : start + BLOCK]], axis=1)
        found.append(codes)
    return np.concatenate(found, axis=1)


@pytest.mark.parametrize("levels", ["ternary", "binary"])
@pytest.mark.parametrize("osr", [1.25, 2.0, 2.5])
@pytest.mark.parametrize(("feedback", "steps"), [("diagonal", published), ("block", best_for_rest)])
def test_streams_are_those_of_the_definition(levels: str, osr: float, feedback: str, steps) -> None:
    weight, hessian = weights(7, 64), hessian_of(64, seed=1)
    text = f"sdq:levels={levels},osr={osr},block={BLOCK}"
    layer = calibrated(f"{text},feedback={feedback}", weight, hessian)
    ternary = levels == "ternary"
    want = steps(weight, hessian, round(osr * BLOCK), ternary)
    assert np.array_equal(streams_of(layer, ternary), want)
    assert not np.array_equal(streams_of(calibrated(text, weight, None), ternary), want)


@pytest.mark.parametrize("text", ["", ",levels=binary", ",profile=repeat", ",search=grid"])
def test_each_means_of_calibration_lowers_the_error(text: str) -> None:
    errors = np.zeros(4)
    for seed in range(3):
        weight, hessian = weights(8, 70, seed), hessian_of(70, seed)  # the last block has 6 columns
        start = calibrated(f"sdq:block=16{text}", weight, None)
        layers = [start] + [
            calibrated(f"sdq:block=16{text},{more}", weight, hessian)
            for more in ("feedback=diagonal", "feedback=block", "encoder=descent")
        ]
        for layer in layers:
            assert stage_of(layer).stored_bits == stage_of(start).stored_bits
            assert stage_of(layer).monomials == stage_of(start).monomials
        errors += [lost(weight, layer, hessian) for layer in layers]
    assert errors[1] < errors[0]
    assert errors[2] < errors[0]
    assert errors[3] < 0.6 * errors[2]


def test_whole_blocks_are_made_up_for_better() -> None:
    diagonal, block = 0.0, 0.0
    for seed in range(6):
        weight, hessian = weights(16, 64, seed), hessian_of(64, seed)
        diagonal += lost(
            weight, calibrated("sdq:block=16,feedback=diagonal", weight, hessian), hessian
        )
        block += lost(weight, calibrated("sdq:block=16", weight, hessian), hessian)
    assert block < diagonal


def test_descent_lowers_the_error_of_weights_without_calibration() -> None:
    weight = weights(16, 64)
    loop, descent = (
        float(((dense(calibrated(f"sdq:block=16{more}", weight, None)) - weight) ** 2).sum())
        for more in ("", ",encoder=descent")
    )
    assert descent < 0.8 * loop


@pytest.mark.parametrize("kind", ["matrix", "repeat"])
def test_hessian_of_samples_is_that_of_their_weights(kind: str) -> None:
    maps = oversampling("matrix" if kind == "matrix" else "repeat", 8, 20)
    hessian = hessian_of(13, seed=2)  # the last block is padded
    change = torch.from_numpy(weights(3, 40)).double()
    moved = torch.cat([maps.weights(part.T) for part in change.split(20, dim=1)], 1)[:, :13]
    want = ((moved @ hessian.double()) * moved).sum(1)
    got = ((change @ maps.hessian(hessian).double()) * change).sum(1)
    assert torch.allclose(got, want, rtol=1e-4)
    assert torch.allclose(maps.adjoint.T @ maps.into, torch.eye(8).double())


@pytest.mark.parametrize("encoder", ["loop", "descent"])
@pytest.mark.parametrize("profile", ["matrix", "repeat"])
def test_calibrated_layers_run_exactly(encoder: str, profile: str) -> None:
    text = f"sdq:block=8,osr=2.5,encoder={encoder},profile={profile},coef_bits=8"
    layer = calibrated(text, weights(5, 21), hessian_of(21, seed=3))
    x = weights(3, 21, seed=4)
    got = run(layer, torch.from_numpy(x)).tolist()
    assert got == [[float(y) for y in naive.output(layer, token)] for token in x]


def test_weights_of_dead_inputs_are_zero_in_the_loop() -> None:
    weight, hessian = weights(4, 32), hessian_of(32, seed=5, dead=3)
    got = calibrated("sdq:block=16", weight, hessian)
    weight[:, :3] = 9  # whatever they are
    again = calibrated("sdq:block=16", weight, hessian)
    assert np.array_equal(stage_of(got).planes, stage_of(again).planes)


@pytest.mark.parametrize("encoder", ["loop", "descent"])
def test_inputs_of_zeros_are_refused(encoder: str) -> None:
    text = "^the layer's inputs must be other than zero, got zeros only$"
    with pytest.raises(ValueError, match=text):
        calibrated(f"sdq:block=16,encoder={encoder}", weights(2, 32), torch.zeros(32, 32))


def test_feedback_is_of_the_loop() -> None:
    text = "^feedback must be left out with encoder descent, got diagonal$"
    with pytest.raises(ValueError, match=text):
        parse("sdq:encoder=descent,feedback=diagonal")
