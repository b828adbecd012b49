"""Formats of signs against their definitions: FDB, binary, OneBit, PB-LLM, JSQ."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from matrices import layer_of, planes_of, stage_of, weights
from numpy.typing import NDArray

from models.codes import Activation
from models.dense import dense, relative_error
from models.formats.onebit import rank_one
from models.reference import run
from models.threads import one_thread

ONE_BIT = Activation(bits=1, signed=False)
NEAR = 1e-3
"""Weights of magnitudes below 5 whose int16 coefficients have units below 5/32767 each."""


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


# --- fdb ---


def test_fdb_planes_are_the_published_ones_for_its_scales() -> None:
    weight = weights(6, 150).astype(np.float64)  # the last group has 22 columns
    layer = layer_of("fdb", weight.astype(np.float32))
    stage, planes, unit = stage_of(layer), planes_of(layer), layer.paths[0].out_scale
    assert stage.offset is None
    published = 0
    for n in range(6):
        for group in range(3):
            columns = slice(64 * group, min(64 * group + 64, 150))
            pair = stage.coefficients[0, n, group] * float(unit[n])
            sign = 1.0 if pair.sum() > 0 else -1.0  # of the mirror image where it is negative
            first, second = sorted(sign * pair, reverse=True)
            if not first > -second > 0:
                continue
            part = sign * weight[n, columns]
            one = part > (first + second) / 2
            other = -(part - first * one - second / 2) > 0
            want = sign * (first * one + second * other)
            clear = np.abs(np.abs(part - (first + second) / 2)) > NEAR  # not between two levels
            got = (planes[:, n, columns] * pair[:, None]).sum(0)
            assert (np.abs(got - want)[clear] < NEAR).mean() > 0.99
            published += 1
    assert published > 15


def test_fdb_scales_are_least_squares_of_their_planes() -> None:
    weight = weights(4, 150)
    layer = layer_of("fdb", weight)
    stage, planes, unit = stage_of(layer), planes_of(layer), layer.paths[0].out_scale
    for n in range(4):
        for group in range(3):
            columns = slice(64 * group, 64 * group + 64)
            want = np.linalg.lstsq(planes[:, n, columns].T, weight[n, columns], rcond=None)[0]
            assert np.abs(stage.coefficients[0, n, group] * unit[n] - want).max() < NEAR


@pytest.mark.parametrize("part", [1.0, 0.75, 0.5])
def test_fdb_is_no_worse_than_rounding_to_its_start(part: float) -> None:
    weight = np.random.default_rng(3).standard_t(3, (40, 64)).astype(np.float32)
    step = part * (weight.max(1) - weight.min(1))[:, None, None] / 3
    levels = step * np.array([-1.0, 0.0, 1.0, 2.0])
    lost = (np.abs(weight[..., None] - levels).min(-1) ** 2).sum(1)
    got = ((dense(layer_of("fdb", weight)) - weight) ** 2).sum(1)
    assert (got <= lost * 1.0001).all()


# --- binary ---


def binarized(weight: NDArray, group: int, mean: str) -> NDArray[np.float64]:
    """Signs with their scale, one group at a time."""
    wide = weight.astype(np.float64)
    result = np.empty_like(wide)
    for n, row in enumerate(wide):
        for start in range(0, len(row), group):
            part = row[start : start + group]
            rest = part - part.mean()
            signs = np.array([1.0 if value >= 0 else -1.0 for value in rest])
            middle = part.mean() if mean == "kept" else 0.0
            result[n, start : start + group] = middle + signs * np.abs(rest).mean()
    return result


@pytest.mark.parametrize("mean", ["kept", "dropped"])
@pytest.mark.parametrize("group", [33, 16, 5])
def test_binary_is_signs_times_the_mean_distance(group: int, mean: str) -> None:
    weight = weights(6, 33) + np.float32(0.3)
    text = f"scale=group,group={group}" if group < 33 else "scale=row"
    got = dense(layer_of(f"binary:{text},mean={mean}", weight))
    assert np.abs(got - binarized(weight, group, mean)).max() < NEAR


@pytest.mark.parametrize("spec", ["binary", "binary:mean=dropped", "onebit"])
def test_zero_counts_as_positive(spec: str) -> None:
    assert planes_of(layer_of(spec, np.array([[-1, 0, 1]], np.float32))).tolist() == [[[0, 1, 1]]]


def test_xnor_net_rows_are_exact() -> None:
    weight = weights(6, 33)
    layer = layer_of("binary:mean=dropped", weight)
    stage = stage_of(layer)
    assert stage.coefficients.tolist() == [[[[1]]]]
    assert stage.mix == ((2, -1),)
    want = binarized(weight, 33, "dropped").astype(np.float32)
    assert np.array_equal(dense(layer), want)


@pytest.mark.parametrize("options", ["", ",mean=dropped", ",scale=group,group=5"])
@pytest.mark.parametrize("form", ["sign", "bool"])
def test_one_bit_activations_stand_for_their_form(form: str, options: str) -> None:
    weight = weights(6, 33)
    x = weights(4, 33, seed=1)
    x[0, 3] = 0  # neither positive nor 1
    layer = layer_of(f"binary:form={form}{options}", weight, ONE_BIT)
    matrix = dense(layer_of(f"binary:form=bool{options}", weight, ONE_BIT))
    codes = np.where(x > 0, 1.0, -1.0 if form == "sign" else 0.0)
    want = codes @ matrix.T * np.abs(x).mean(1, keepdims=True)
    assert np.abs(run(layer, torch.from_numpy(x)).numpy() - want).max() < 1e-4  # float32
    assert (stage_of(layer).bias is not None) == (form == "sign")


def test_signs_of_both_sides_are_one_count() -> None:
    weight, x = weights(5, 40), weights(3, 40, seed=2)
    layer = layer_of("binary:mean=dropped", weight, ONE_BIT)
    stage = stage_of(layer)
    assert stage.mix == ((4, -2),)
    w, b = planes_of(layer)[0], (x > 0).astype(np.float64)
    both = b @ w.T
    count = 4 * both - 2 * b.sum(1)[:, None] - 2 * w.sum(1) + 40
    assert np.array_equal(count, (2 * b - 1) @ (2 * w - 1).T)
    got = run(layer, torch.from_numpy(x)).numpy()
    scale = np.abs(x).mean(1, keepdims=True) * layer.paths[0].out_scale
    assert np.allclose(got, count * scale, rtol=1e-6)


def test_form_matters_to_one_bit_activations_only() -> None:
    sign, plain = (layer_of(f"binary:form={form}", weights(3, 9)) for form in ("sign", "bool"))
    assert stage_of(sign).bias is None
    assert np.array_equal(dense(sign), dense(plain))


# --- onebit ---


def test_onebit_scales_are_the_first_singular_pair() -> None:
    weight = weights(20, 33)
    left, values, right = np.linalg.svd(np.abs(weight).astype(np.float64))
    want = np.where(weight >= 0, 1, -1) * values[0] * np.outer(left[:, 0], right[0])
    layer = layer_of("onebit", weight)
    assert np.abs(dense(layer) - want).max() < 1e-5
    scale = stage_of(layer).column_scale
    assert scale is not None
    assert scale.shape == (1, 33)
    assert scale.max() == 1


def test_onebit_is_exact_for_a_product_of_scales() -> None:
    rng = np.random.default_rng(4)
    weight = np.outer(rng.uniform(0.1, 2, 9), rng.uniform(0.1, 2, 14)) * rng.choice(
        [-1, 1], (9, 14)
    )
    assert relative_error(weight, layer_of("onebit", weight.astype(np.float32))) < 1e-12


def test_onebit_factors_blocks_that_do_not_meet() -> None:
    magnitudes = torch.tensor([[0.0, 0.0, 0.0], [0.0, 3.0, 0.0], [1.0, 0.0, 0.0]])
    rows, columns = rank_one(magnitudes)
    assert rows[0] == 0
    assert torch.allclose(rows[:, None] * columns, torch.tensor([0.0, 3.0, 0.0]).diag())


def test_onebit_normalizes_if_asked() -> None:
    weight, x = weights(20, 33), torch.from_numpy(weights(3, 33, seed=1))
    plain = run(layer_of("onebit", weight), x).double()
    layer = layer_of("onebit:post=layernorm", weight)
    centered = plain - plain.mean(1, keepdim=True)
    want = centered / (centered.square().mean(1, keepdim=True) + 1e-5).sqrt()
    assert (run(layer, x) - want).abs().max() < 1e-5


# --- pbllm ---


@pytest.mark.parametrize("share", [0, 10, 50, 100])
def test_pbllm_keeps_the_largest_and_binarizes_the_others(share: int) -> None:
    weight = weights(8, 30)
    weight[3] *= 0.01  # keeps nothing at 10 percent
    wide = weight.astype(np.float64)
    count = round(240 * share / 100)
    kept = np.abs(weight) >= (np.sort(np.abs(weight).ravel())[::-1][count - 1] if count else np.inf)
    assert kept.sum() == count
    want = np.empty_like(wide)
    layer = layer_of(f"pbllm:share={share}", weight)
    steps = stage_of(layer).coefficients[0, :, 0, 0] * layer.paths[0].out_scale
    for n in range(8):
        step = max((abs(value) for value in wide[n][kept[n]]), default=0.0) / 127
        assert step == pytest.approx(steps[n], rel=1 / 255)  # 8 of the 16 bits are places
        step = steps[n]
        others = wide[n][~kept[n]]
        mean = others.mean() if others.size else 0.0
        scale = np.abs(others - mean).mean() if others.size else 0.0
        for j in range(30):
            if kept[n, j]:
                want[n, j] = np.clip(np.rint(wide[n, j] / step), -127, 127) * step
            else:
                want[n, j] = mean + (scale if wide[n, j] >= mean else -scale)
    assert np.abs(dense(layer) - want).max() < NEAR
    assert np.array_equal(planes_of(layer)[0], kept)
    assert stage_of(layer).monomials == (1, 2, 3, 5, 9, 17, 33, 65, 129, 257)


def test_pbllm_keeps_the_first_of_equal_weights() -> None:
    layer = layer_of("pbllm:share=50", np.full((2, 3), -0.5, np.float32))
    assert planes_of(layer)[0].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert np.abs(dense(layer) + 0.5).max() < 1e-4


# --- jsq ---


@pytest.mark.parametrize("pattern", ["2:4", "4:8"])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("columns", [32, 33, 35, 38])
def test_jsq_is_rounded_and_masked(pattern: str, bits: int, columns: int) -> None:
    weight = weights(6, columns)
    keep, of = (int(word) for word in pattern.split(":"))
    top = 2 ** (bits - 1) - 1
    layer = layer_of(f"jsq:pattern={pattern},bits={bits}", weight)
    mask = np.zeros(weight.shape, np.bool_)
    want = np.zeros_like(weight)
    for n in range(6):
        scale = np.abs(weight[n]).max() / np.float32(top)
        for start in range(0, columns, of):
            part = np.abs(weight[n, start : start + of])
            best = sorted(range(len(part)), key=lambda j, sizes=part: -sizes[j])[:keep]
            for j in best:
                mask[n, start + j] = True
                want[n, start + j] = np.rint(weight[n, start + j] / scale) * scale
    assert np.array_equal(planes_of(layer)[0], mask)
    assert np.array_equal(dense(layer), want)
    assert stage_of(layer).monomials == tuple(1 + 2 ** (plane + 1) for plane in range(bits))


def test_jsq_keeps_the_first_of_equal_weights() -> None:
    mask = planes_of(layer_of("jsq", np.ones((1, 6), np.float32)))[0]
    assert mask.tolist() == [[1, 1, 0, 0, 1, 1]]


def test_jsq_planes_hold_all_weights() -> None:
    weight = weights(4, 16)
    layer = layer_of("jsq:bits=4", weight)
    places = np.array([1, 2, 4, -8])
    whole = np.tensordot(places, planes_of(layer)[1:], 1)
    scale = np.abs(weight).max(1, keepdims=True) / np.float32(7)
    assert np.array_equal(whole, np.rint(weight / scale))
