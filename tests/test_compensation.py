"""Compensation of every format of single stages: structure kept, error lower, steps as defined."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import naive
import numpy as np
import pytest
import torch
from builders import differences
from hypothesis import given, settings
from hypothesis import strategies as st
from matrices import weights
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation
from models.compensation import compensated
from models.compensation.feedback import feed_back
from models.compensation.hessian import DAMPING, damped, inverse_factor
from models.compensation.parts import Part, part_of, with_codes, with_coefficients
from models.compensation.sweeps import Descent
from models.dense import dense
from models.formats import FORMATS, parse
from models.formats.spec import StageFormat
from models.planes import unpack
from models.reference import run
from models.threads import one_thread

SPECS = [
    "sbvr:k=2,group=8", "sbvr:k=3,group=5,table=3", "signs:k=1,scale=row", "signs:k=3,group=5",
    "ternary", "ternary:scale=row", "ternary:scale=group,group=5",
    "ternary:scale=group,group=5,storage=base3", "int:bits=1,scale=row",
    "int:bits=4,scale=row", "int:bits=3,group=5", "int:bits=2,group=3,range=symmetric",
    "int:bits=8,scale=row,range=symmetric", "fdb:group=5", "binary", "binary:mean=dropped",
    "binary:scale=group,group=3", "billm:block=7,salient=2", "arb:block=7,salient=2",
    "arb:scales=both,block=7,salient=2", "pbllm", "onebit", "jsq:bits=3", "jsq:pattern=4:8,bits=4",
]  # fmt: skip
"""Groups and blocks that divide no size below, tables, masks, gathered columns, column scales."""
ROUNDING = 1 + 1e-3
"""Codes are chosen, and errors compared, in float32."""


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def hessian_of(columns: int, tokens: int, seed: int, dead: int = 0) -> Tensor:
    """Mean of x x^T over inputs of unequal sizes that go together; the first ``dead`` are zero."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((tokens, columns)) @ rng.standard_normal((columns, columns))
    inputs *= np.exp(rng.standard_normal(columns) / 2)
    inputs[:, :dead] = 0
    return torch.from_numpy((inputs.T @ inputs / tokens).astype(np.float32))


def lost(weight: NDArray, values: NDArray, hessian: Tensor) -> float:
    """Error of outputs over their energy, for the damped Hessian, in float64."""
    wide = hessian.double().numpy()
    wide = wide + DAMPING * wide.diagonal().mean() * np.eye(len(wide))
    wrong, want = (part.astype(np.float64) for part in (values - weight, weight))
    return float(((wrong @ wide) * wrong).sum() / ((want @ wide) * want).sum())


def fitted(text: str, weight: NDArray) -> tuple[StageFormat, BitplaneLayer]:
    """Return a format of single stages and the layer that it gives for the weights alone."""
    spec = parse(text)
    assert isinstance(spec, StageFormat)
    return spec, spec.fit(weight, "x", Activation())


def test_every_format_of_single_stages_is_tried() -> None:
    kinds = {name for name, kind in FORMATS.items() if issubclass(kind, StageFormat)}
    assert {text.partition(":")[0] for text in SPECS} == kinds


@settings(max_examples=60, deadline=None)
@given(
    text=st.sampled_from(SPECS),
    rows=st.integers(1, 6),
    columns=st.integers(8, 19),
    tokens=st.sampled_from([1, 3, 80]),
    dead=st.integers(0, 2),
    empty=st.booleans(),
    seed=st.integers(0, 999),
)
def test_structure_stays_and_the_error_never_rises(
    text: str, rows: int, columns: int, tokens: int, dead: int, empty: bool, seed: int
) -> None:
    weight = weights(rows + empty, columns, seed)
    weight[rows:] = 0
    hessian = hessian_of(columns, tokens, seed, dead)
    spec, before = fitted(text, weight)
    after = compensated(before, torch.from_numpy(weight), hessian, spec.fixed)
    for old, new in zip(before.paths, after.paths, strict=True):
        (mine,), (stage,) = old.stages, new.stages
        kept = replace(
            stage, planes=mine.planes, coefficients=mine.coefficients, offset=mine.offset
        )
        assert differences(kept, mine) == []
        for name in ("planes", "coefficients", "offset"):
            one, other = getattr(mine, name), getattr(stage, name)
            assert (one is None) == (other is None)
            assert one is None or (one.shape, one.dtype) == (other.shape, other.dtype)
        assert mine.stored_bits == stage.stored_bits
        masks = [plane for plane in range(stage.k) if spec.fixed >> plane & 1]
        assert np.array_equal(mine.planes[masks], stage.planes[masks])
        if text.startswith("ternary"):
            assert not (stage.planes[0] & stage.planes[1]).any()
        assert (new.out_scale.shape, new.out_scale.dtype) == (old.out_scale.shape, np.float32)
    for path in (*before.paths, *after.paths):
        stage = path.stages[0]
        sizes = np.abs(stage.spread_coefficients()).max(), np.abs(stage.spread_offset()).max()
        assert max(sizes) <= 32767
    was, now = (lost(weight, dense(layer), hessian) for layer in (before, after))
    assert now <= was * ROUNDING + 1e-6
    x = weights(1, columns, seed + 1)
    want = [[float(y) for y in naive.output(after, x[0])]]
    assert run(after, torch.from_numpy(x)).tolist() == want


@pytest.mark.parametrize("text", SPECS)
def test_inputs_that_go_together_are_worth_much(text: str) -> None:
    weight, hessian = weights(12, 19), hessian_of(19, 60, seed=1)
    spec, before = fitted(text, weight)
    after = spec.quantize(weight, "x", Activation(), hessian)
    was, now = (lost(weight, dense(layer), hessian) for layer in (before, after))
    assert now < 0.97 * was


def test_a_layer_that_was_better_is_returned() -> None:
    weight, hessian = weights(1, 9, seed=182), hessian_of(9, 3, seed=182)  # found by search
    _, before = fitted("fdb:group=5", weight)
    target = torch.from_numpy(weight)
    assert compensated(before, target, hessian) is before
    parts = [part_of(before.paths[0], 0)]
    feed_back(target, damped(hessian), parts)
    assert lost(weight, scattered(parts, 9), hessian) > lost(weight, dense(before), hessian)


@pytest.mark.parametrize("text", SPECS)
def test_parts_are_the_layer(text: str) -> None:
    weight = weights(4, 17)
    weight[2] = 0
    spec, layer = fitted(text, weight)
    parts = [part_of(path, spec.fixed) for path in layer.paths]
    assert np.allclose(scattered(parts, 17), dense(layer), atol=1e-6)
    again = [with_codes(part, path) for part, path in zip(parts, layer.paths, strict=True)]
    assert np.array_equal(dense(replace(layer, paths=tuple(again))), dense(layer))
    if not spec.fixed:  # bits that a mask hides may change
        assert differences(tuple(again), layer.paths) == []
    again = [with_coefficients(part, path) for part, path in zip(parts, layer.paths, strict=True)]
    got = dense(replace(layer, paths=tuple(again)))
    assert np.allclose(got, dense(layer), atol=1e-2)  # 8-bit weights count a stored step 127 times


def scattered(parts: list[Part], columns: int) -> NDArray:
    """Return the matrix that parts are, (rows, columns)."""
    total = torch.zeros(len(parts[0].codes), columns)
    for part in parts:
        total.index_add_(1, part.inputs, part.matrix())
    return total.numpy()


def levels(path: Path, fixed: int, row: int, column: int) -> NDArray[np.float64]:
    """Return what a weight can be, its fixed planes being as they are, from a stage's fields."""
    (stage,) = path.stages
    own = unpack(stage.planes, stage.columns)[:, row, column]
    kept = sum(int(bit) << plane for plane, bit in enumerate(own)) & fixed
    group = column // stage.group
    coefficients = stage.spread_coefficients()[0, row, group]
    found = [
        sum(int(c) for c, mono in zip(coefficients, stage.monomials, strict=True)
            if pattern & mono == mono)
        for pattern in range(1 << stage.k) if pattern & fixed == kept
    ]  # fmt: skip
    scale = 1.0 if stage.column_scale is None else float(stage.column_scale[0, column])
    unit = float(path.out_scale[row if len(path.out_scale) > 1 else 0]) * scale
    return (np.array(found) + int(stage.spread_offset()[0, row, group])) * unit


def gptq(layer: BitplaneLayer, weight: NDArray, hessian: Tensor, fixed: int) -> NDArray[np.float64]:
    """Round one column after the other, solving for all those left each time."""
    place = {}
    for path in layer.paths:
        (stage,) = path.stages
        used = range(stage.columns) if stage.gather is None else stage.gather.tolist()
        place.update({column: (path, index) for index, column in enumerate(used)})
    rest = hessian.double().numpy().diagonal().argsort(stable=True)[::-1].tolist()
    wide, left = hessian.double().numpy(), weight.astype(np.float64)
    while rest:
        path, index = place[rest[0]]
        inverse = np.linalg.inv(wide[np.ix_(rest, rest)])
        for n, row in enumerate(left):
            tried = levels(path, fixed, n, index)
            value = tried[np.abs(tried - row[rest[0]]).argmin()]
            row[rest[1:]] -= (row[rest[0]] - value) / inverse[0, 0] * inverse[0, 1:]
            row[rest[0]] = value
        rest = rest[1:]
    return left


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("block", [4, 128])
def test_error_feedback_is_gptq(text: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.compensation.feedback.BLOCK", block)
    weight, hessian = weights(5, 17), damped(hessian_of(17, 9, seed=4))
    spec, layer = fitted(text, weight)
    parts = [part_of(path, spec.fixed) for path in layer.paths]
    feed_back(torch.from_numpy(weight), hessian, parts)
    want = gptq(layer, weight, hessian, spec.fixed)
    assert np.allclose(scattered(parts, 17), want, atol=1e-5)
    assert not np.allclose(dense(layer), want, atol=1e-2)


@pytest.mark.parametrize("text", SPECS)
@pytest.mark.parametrize("block", [4, 64])
def test_a_sweep_takes_the_best_code_for_all_others_in_turn(
    text: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.compensation.sweeps.BLOCK", block)
    weight, hessian = weights(3, 15), damped(hessian_of(15, 9, seed=7))
    spec, layer = fitted(text, weight)
    parts = [part_of(path, spec.fixed) for path in layer.paths]
    values, wide = scattered(parts, 15).astype(np.float64), hessian.double().numpy()
    for path, part in zip(layer.paths, parts, strict=True):
        for index, j in enumerate(part.inputs.tolist()):
            for n, row in enumerate(values):
                wanted = row[j] - (row - weight[n]) @ wide[:, j] / wide[j, j]
                tried = levels(path, spec.fixed, n, index)
                row[j] = tried[np.abs(tried - wanted).argmin()]
    Descent(torch.from_numpy(weight), hessian, parts).sweep_codes()
    assert np.allclose(scattered(parts, 15), values, atol=1e-5)


@pytest.mark.parametrize("text", SPECS)
def test_no_sweep_raises_the_error(text: str) -> None:
    weight, hessian = weights(6, 70, seed=3), hessian_of(70, 40, seed=3)  # two blocks of columns
    spec, layer = fitted(text, weight)
    parts = [part_of(path, spec.fixed) for path in layer.paths]
    descent = Descent(torch.from_numpy(weight), damped(hessian), parts)
    errors = [lost(weight, scattered(parts, 70), hessian)]
    for _ in range(3):
        for sweep in (descent.sweep_codes, descent.sweep_coefficients):
            sweep()
            errors.append(lost(weight, scattered(parts, 70), hessian))
    assert all(new <= old * ROUNDING for old, new in pairwise(errors))
    assert errors[1] < errors[0]
    assert errors[2] < errors[1]
    energy = float(((torch.from_numpy(weight) @ damped(hessian)) * torch.from_numpy(weight)).sum())
    assert descent.error() / energy == pytest.approx(errors[-1], rel=1e-2)


@pytest.mark.parametrize("text", ["signs:k=2,group=8", "int:bits=2,group=8", "fdb:group=8"])
def test_coefficients_are_least_squares(text: str) -> None:
    weight, hessian = weights(2, 8), damped(hessian_of(8, 30, seed=2))
    _, layer = fitted(text, weight)
    part = part_of(layer.paths[0], 0)
    root = torch.linalg.cholesky(hessian.double()).numpy()  # |v root|^2 = v hessian v
    features = part.features[part.codes].double().numpy()
    Descent(torch.from_numpy(weight), hessian, [part]).sweep_coefficients()
    for n in range(2):
        want = np.linalg.lstsq((features[n].T @ root).T, weight[n] @ root, rcond=None)[0]
        assert np.allclose(part.coefficients[n, 0].numpy(), want, atol=1e-3)


def test_every_code_is_best_for_the_others() -> None:
    weight, hessian = weights(3, 10), damped(hessian_of(10, 30, seed=5))
    _, layer = fitted("signs:k=2,group=5", weight)
    part = part_of(layer.paths[0], 0)
    for _ in range(20):
        Descent(torch.from_numpy(weight), hessian, [part]).sweep_codes()
    least = Descent(torch.from_numpy(weight), hessian, [part]).error()
    for n, j in np.ndindex(3, 10):
        for code in range(4):
            other = copy.deepcopy(part)
            other.codes[n, j] = code
            assert Descent(torch.from_numpy(weight), hessian, [other]).error() >= least * 0.9999


def test_inverse_factor_is_that_of_later_columns() -> None:
    hessian = damped(hessian_of(9, 5, seed=6))
    upper = inverse_factor(hessian)
    assert torch.equal(upper, upper.triu())
    assert torch.allclose(upper.T @ upper @ hessian.double(), torch.eye(9).double(), atol=1e-9)


@pytest.mark.parametrize("spec", SPECS)
def test_matrices_of_zeros_stay(spec: str) -> None:
    layer = parse(spec).quantize(torch.zeros(6, 24), "x", Activation(), hessian_of(24, 40, seed=1))
    assert not dense(layer).any()


def test_inputs_of_zeros_are_refused() -> None:
    _, layer = fitted("signs:group=8", weights(2, 8))
    text = "^the layer's inputs must be other than zero, got zeros only$"
    with pytest.raises(ValueError, match=text):
        compensated(layer, torch.ones(2, 8), torch.zeros(8, 8))
