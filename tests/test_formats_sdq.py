"""Sigma-delta formats against their definitions, one sample at a time, and the adjoint."""

from collections.abc import Iterator
from itertools import product
from math import cos, pi

import numpy as np
import pytest
import torch
from builders import differences
from matrices import layer_of, planes_of, stage_of, weights
from numpy.typing import NDArray

from models.codes import Activation
from models.dense import dense, relative_error
from models.formats import parse
from models.formats.modulator import (
    CUTS,
    FACTORS,
    PEAKS,
    Scales,
    best_scales,
    first_order,
    modulate,
)
from models.formats.resample import down_fourier, down_repeat, rotation, up_fourier, up_repeat
from models.formats.sdq import Sdq
from models.reference import integer_weights, run
from models.threads import one_thread

SIZES = [(8, 8), (8, 12), (8, 16), (8, 20), (6, 15), (5, 8), (7, 14), (1, 3), (2, 4), (64, 160)]
"""Block and samples."""


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def wave(block: int, place: float, last: float) -> float:
    """Sum of all waves of a block, the highest of an even one counting ``last``."""
    total = 1 + 2 * sum(cos(2 * pi * k * place) for k in range(1, (block + 1) // 2))
    return total + (last * cos(pi * block * place) if block % 2 == 0 else 0)


@pytest.mark.parametrize(("block", "samples"), SIZES)
def test_resampling_is_the_sum_of_waves(block: int, samples: int) -> None:
    places = [[j / samples - i / block for i in range(block)] for j in range(samples)]
    up = [[wave(block, place, 1) / block for place in row] for row in places]
    assert np.allclose(up_fourier(block, samples), up)
    last = 2 if samples > block else 1
    down = [[wave(block, place, last) / samples for place in row] for row in places]
    assert np.allclose(down_fourier(block, samples), np.transpose(down))


@pytest.mark.parametrize(("block", "samples"), SIZES)
@pytest.mark.parametrize("pair", [(up_fourier, down_fourier), (up_repeat, down_repeat)])
def test_resampling_back_undoes(pair: tuple, block: int, samples: int) -> None:
    up, down = (part(block, samples) for part in pair)
    assert torch.allclose(down @ up, torch.eye(block).double())


@pytest.mark.parametrize(("block", "samples"), SIZES)
def test_adjoint_is_resampling_but_for_the_highest_wave(block: int, samples: int) -> None:
    up, down = up_fourier(block, samples), down_fourier(block, samples)
    extra = samples / block * down.T - up
    twice = block % 2 == 0 and samples > block
    assert int(torch.linalg.matrix_rank(extra, atol=1e-9)) == (1 if twice else 0)
    highest = (-1.0) ** torch.arange(block, dtype=torch.float64)
    other = torch.eye(block).double() - highest[:, None] * highest / block
    assert twice or torch.allclose(extra, torch.zeros_like(extra), atol=1e-12)
    assert torch.allclose(extra @ other, torch.zeros_like(extra), atol=1e-12)
    assert torch.allclose(down.sum(1), torch.ones(block).double())  # constants stay


def test_repeated_samples_belong_to_their_weight() -> None:
    assert np.allclose(up_repeat(2, 5).T, [[5 / 6, 5 / 6, 5 / 6, 0, 0], [0, 0, 0, 1.25, 1.25]])
    assert np.allclose(down_repeat(2, 5), [[0.4, 0.4, 0.4, 0, 0], [0, 0, 0, 0.4, 0.4]])


@pytest.mark.parametrize("block", [1, 2, 8, 64])
def test_rotation_is_orthogonal_with_signs(block: int) -> None:
    matrix = rotation(block, 0)
    assert torch.allclose(matrix @ matrix.T, torch.eye(block).double())
    assert torch.allclose(matrix.abs(), torch.full_like(matrix, block**-0.5))
    assert torch.equal(matrix, rotation(block, 0))
    assert block < 8 or not torch.equal(matrix, rotation(block, 1))


def matrices(spec: Sdq) -> tuple[NDArray, NDArray, NDArray]:
    """Resampling to samples and back, and the rotation."""
    size = (spec.block, round(spec.osr * spec.block))
    if spec.profile == "matrix":
        up, down, turn = up_fourier(*size), down_fourier(*size), rotation(spec.block, 0)
    else:
        up, down, turn = up_repeat(*size), down_repeat(*size), torch.eye(spec.block)
    return up.numpy(), down.numpy(), turn.double().numpy()


def check_steps(signal: NDArray, found: NDArray, ternary: bool) -> NDArray:
    """Take the published steps for a row of a block; what its samples are worth."""
    rest = signal - signal.mean()
    if np.abs(rest).max() < 1e-12:  # rounding: there is nothing to modulate
        return np.full_like(signal, signal.mean())
    scale = 0.9 * np.quantile(np.abs(rest), 0.9)
    rest /= scale
    cut = np.quantile(np.abs(rest), 0.5)
    total, last = 0.0, 0
    for value, sample in zip(rest, found, strict=True):
        total += value - last
        last = int(sample)
        if not ternary:
            assert (total >= -1e-9) if last == 1 else (total <= 1e-9 and last == -1)
        elif last == 0:
            assert abs(total) <= cut + 1e-9
        else:
            assert last * total >= cut - 1e-9  # thresholds are often met exactly
    return signal.mean() + scale * found


@pytest.mark.parametrize("levels", ["ternary", "binary"])
@pytest.mark.parametrize(
    ("profile", "block", "osr"),
    [
        ("matrix", 8, 2.0), ("matrix", 16, 2.5), ("matrix", 8, 1.0), ("matrix", 4, 1.25),
        ("repeat", 8, 2.0), ("repeat", 6, 1.5), ("repeat", 10, 2.3),
    ],
)  # fmt: skip
@pytest.mark.parametrize("columns", [32, 37])
def test_stored_streams_are_the_published_ones(
    levels: str, profile: str, block: int, osr: float, columns: int
) -> None:
    text = f"sdq:levels={levels},profile={profile},block={block},osr={osr}"
    weight = weights(5, columns) + np.float32(0.1)
    layer = layer_of(text, weight)
    spec = parse(text)
    assert isinstance(spec, Sdq)
    up, down, turn = matrices(spec)
    samples = len(up)
    stage, planes = stage_of(layer), planes_of(layer)
    assert stage.group == samples
    found = planes[0] - planes[1] if levels == "ternary" else 2 * planes[0] - 1
    padded = np.pad(weight.astype(np.float64), [(0, 0), (0, -columns % block)])
    want = np.zeros_like(padded)
    for n in range(5):
        for number in range(padded.shape[1] // block):
            columns_of = slice(number * block, (number + 1) * block)
            samples_of = slice(number * samples, (number + 1) * samples)
            signal = up @ (padded[n, columns_of] @ turn)
            worth = check_steps(signal, found[n, samples_of], levels == "ternary")
            want[n, columns_of] = down @ worth @ turn.T
            x = np.random.default_rng(n).standard_normal(block)
            adjoint = down.T @ turn.T  # meets activations instead
            assert abs(worth @ (adjoint @ x) - want[n, columns_of] @ x) < 1e-12
    assert np.abs(dense(layer) - want[:, :columns]).max() < 1e-3  # int16 numbers


@pytest.mark.parametrize("levels", ["ternary", "binary"])
@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("block", [16, 64])
def test_integers_are_within_the_rounding_of_codes(levels: str, bits: int, block: int) -> None:
    layer = layer_of(f"sdq:levels={levels},bits={bits},block={block}", weights(9, 192))
    rng = np.random.default_rng(5)
    x = rng.integers(-127, 128, (6, 192)).astype(np.float32)
    x[:, 0] = 127  # so that codes are the inputs
    want = x.astype(np.float64) @ dense(layer).astype(np.float64).T
    stage = stage_of(layer)
    # Each transformed code is off by at most a half, and none saturates.
    most = 0.5 * np.abs(integer_weights(stage).numpy()[0]).sum(1) * layer.paths[0].out_scale
    got = run(layer, torch.from_numpy(x)).numpy()
    assert (np.abs(got - want) <= most + 1e-3).all()
    typical = np.sqrt(((got - want) ** 2).mean() / (want**2).mean())
    assert typical < {8: 0.06, 12: 0.004, 16: 0.0005}[bits]


def test_repeated_codes_are_exact() -> None:
    layer = layer_of("sdq:profile=repeat,osr=2.5,block=10", weights(9, 192))
    x = np.random.default_rng(5).integers(-127, 128, (6, 192)).astype(np.float32)
    x[:, 0] = 127
    want = x.astype(np.float64) @ dense(layer).astype(np.float64).T
    assert np.abs(run(layer, torch.from_numpy(x)).numpy() - want).max() < 1e-2  # float32


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("activation", [Activation(bits=1, signed=False), Activation(bits=16)])
def test_matrix_uses_its_bits(bits: int, activation: Activation) -> None:
    transform = stage_of(layer_of(f"sdq:bits={bits}", weights(2, 64), activation)).transform
    assert transform is not None
    assert transform.matrix is not None
    assert 16384 <= np.abs(transform.matrix.astype(np.int64)).max() <= 32767
    assert transform.bits == bits
    rows = np.linalg.norm(transform.matrix.astype(np.float64), axis=1).max()
    reach = 4 * rows * activation.magnitude * 2.0**-transform.shift
    top = 2 ** (bits - 1) - 1
    assert top / 2 < reach < top * 1.001  # the matrix is rounded


def test_shift_stays_in_range() -> None:
    layer = layer_of("sdq:bits=2", weights(2, 64), Activation(bits=16))
    transform = stage_of(layer).transform
    assert transform is not None
    assert transform.shift == 32


def test_transform_does_not_depend_on_the_weights() -> None:
    first, second = (stage_of(layer_of("sdq", weights(2, 64, seed))) for seed in (0, 1))
    assert differences(first.transform, second.transform) == []


def test_thresholds_are_met_from_one_side_as_published() -> None:
    signal = torch.tensor([[0.5, -0.5], [0.25, -0.25], [0.25, -0.25], [0.5, -0.5]]).double()
    ternary = first_order(signal, torch.tensor([0.5, 0.5]).double())
    assert ternary.T.tolist() == [[1, 0, 0, 1], [-1, 0, 0, -1]]
    halves = torch.tensor([[0.0], [1.0], [-2.0], [1.0]]).double()
    assert first_order(halves, None).T.tolist() == [[-1, 1, -1, 1]]  # after sums 0, 2, -1, 1


def test_constant_blocks_have_no_samples() -> None:
    layer = layer_of("sdq:profile=repeat,block=8", np.full((2, 16), -0.7, np.float32))
    assert not planes_of(layer).any()
    assert np.abs(dense(layer) + 0.7).max() < 1e-4


def test_sparse_signals_keep_a_scale() -> None:
    signals = torch.zeros(64, 1).double()
    signals[5] = 64.0
    signals[6:10] = -16.0  # mean 0, quantiles 0
    found = modulate(signals, ternary=True, scales=Scales())
    assert float(found.scale) == pytest.approx(0.9 * 64)
    assert found.samples[5] == 1


@pytest.mark.parametrize("ternary", [True, False])
def test_search_takes_the_best_of_the_grid(ternary: bool) -> None:
    signals = up_fourier(4, 8) @ torch.from_numpy(weights(4, 60)).double()
    down = down_fourier(4, 8)

    def lost(scales: Scales) -> float:
        wrong = modulate(signals, ternary, scales).values() - signals
        return float((down @ wrong).square().sum())

    found = best_scales(signals, ternary, down)
    tried = [Scales(*three) for three in product(FACTORS, PEAKS, CUTS if ternary else CUTS[:1])]
    assert found in tried
    near = range(max(0, tried.index(found) - 20), min(len(tried), tried.index(found) + 20))
    others = [*range(0, len(tried), 10), *near]
    assert lost(found) <= min(lost(tried[n]) for n in others) * 1.000001


def test_search_and_oversampling_lower_the_error() -> None:
    weight = weights(16, 128)
    errors = [
        relative_error(weight, layer_of(f"sdq:osr={osr},search=grid", weight))
        for osr in (1, 1.5, 2, 2.5, 4)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < relative_error(weight, layer_of("sdq", weight))
