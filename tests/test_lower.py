"""Lowering: integers that stand for the real coefficients, and the matrix they stand for."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models import planes
from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Transform
from models.lower import (
    dense,
    fixed_point,
    from_integers,
    from_real,
    from_table,
    real_matrix,
    relative_error,
)
from models.reference import integer_weights
from models.stage import Stage

SHAPES = [(1, 1, 1), (1, 7, 3), (3, 1, 1), (5, 12, 4), (4, 13, 5), (2, 40, 40)]
"""Rows, columns, group."""


def naive(
    bits: NDArray, group: int, coefficients: NDArray, offset: NDArray | None
) -> NDArray[np.float64]:
    """Sum planes times coefficients, one weight at a time."""
    k, rows, columns = bits.shape
    total = np.zeros((rows, columns))
    for n in range(rows):
        for j in range(columns):
            for plane in range(k):
                if bits[plane, n, j]:
                    total[n, j] += coefficients[n, j // group, plane]
            if offset is not None:
                total[n, j] += offset[n, j // group]
    return total


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("with_offset", [False, True])
def test_real_coefficients_within_the_bound(shape: tuple[int, int, int], with_offset: bool) -> None:
    rows, columns, group = shape
    k, groups = 3, -(-columns // group)
    rng = np.random.default_rng(0)
    bits = rng.random((k, rows, columns)) < 0.5
    coefficients = rng.standard_normal((rows, groups, k))
    offset = rng.standard_normal((rows, groups)) if with_offset else None
    layer = from_real("x", bits, group, coefficients, offset, Activation())
    unit = layer.paths[0].out_scale
    bound = (bits.sum(0) + with_offset) * unit[:, None] / 2 * 1.0001  # float32 products
    assert (np.abs(dense(layer) - naive(bits, group, coefficients, offset)) <= bound).all()
    assert unit.dtype == np.float32
    assert unit.shape == (rows,)


def test_stored_integers_give_the_matrix_exactly() -> None:
    rng = np.random.default_rng(1)
    bits = rng.random((2, 3, 10)) < 0.5
    coefficients, offset = rng.standard_normal((3, 3, 2)), rng.standard_normal((3, 3))
    layer = from_real("x", bits, 4, coefficients, offset, Activation())
    stage, path = layer.paths[0].stages[0], layer.paths[0]
    assert stage.offset is not None
    whole = naive(bits, 4, stage.coefficients[0], stage.offset[0]).astype(np.float32)
    assert np.array_equal(dense(layer), whole * path.out_scale[:, None])


def test_table_entries_reach_their_groups() -> None:
    rng = np.random.default_rng(2)
    bits = rng.random((2, 3, 10)) < 0.5
    table, index = rng.standard_normal((4, 2)), rng.integers(0, 4, (3, 3))
    layer = from_table("x", bits, 4, table, index, Activation())
    unit = layer.paths[0].out_scale
    assert unit.shape == (1,)
    assert np.abs(dense(layer) - naive(bits, 4, table[index], None)).max() <= 2 * unit[0] / 2


@pytest.mark.parametrize(("entries", "dtype"), [(1, "uint8"), (256, "uint8"), (257, "uint16")])
def test_table_index_is_as_narrow_as_can_be(entries: int, dtype: str) -> None:
    bits = np.ones((1, 1, 2), np.bool_)
    table = np.arange(1.0, entries + 1)[:, None]
    index = np.array([[0, entries - 1]])
    stage = from_table("x", bits, 1, table, index, Activation()).paths[0].stages[0]
    assert stage.index is not None
    assert stage.index.dtype == dtype


def test_small_integers_stay_as_they_are() -> None:
    bits = np.array([[[1, 0, 1]], [[0, 1, 1]]], np.bool_)
    scale = np.array([0.3], np.float32)
    layer = from_integers("x", bits, (1, 2), np.array([-2], np.int16), scale, Activation())
    stage = layer.paths[0].stages[0]
    assert stage.coefficients.tolist() == [[[[1, 2]]]]
    assert np.array_equal(dense(layer), np.array([[-1, 0, 1]], np.float32) * scale)


def test_one_group_is_cut_as_its_activations_are() -> None:
    bits = np.ones((1, 2, 10), np.bool_)
    grouped = Activation(scale="group", group=4, exponents=3)
    layer = from_integers("x", bits, (1,), None, np.ones(1, np.float32), grouped)
    assert layer.paths[0].stages[0].group == 4
    assert np.array_equal(dense(layer), np.ones((2, 10), np.float32))


def test_unit_uses_the_whole_range() -> None:
    values = np.array([[1.0, -3.0], [0.0, 0.0], [1e-20, 5e-21], [7.0, 7.0]])
    whole, unit = fixed_point(values)
    assert np.abs(whole).max(axis=1).tolist() == [32767, 0, 32767, 32767]
    assert unit[1] == 1.0
    assert (np.abs(whole * unit[:, None].astype(np.float64) - values) <= unit[:, None] / 2).all()


def test_ties_round_to_even() -> None:
    whole, _ = fixed_point(np.array([[32767.0, 0.5, 1.5, 2.5, -0.5, -1.5]]))
    assert whole.tolist() == [[32767, 0, 2, 2, 0, -2]]


def test_unit_stays_a_normal_number() -> None:
    whole, unit = fixed_point(np.array([[1e-40, 1e-300], [3e38, 0.0]]))
    assert unit[0] == np.finfo(np.float32).tiny
    assert whole.tolist() == [[0, 0], [32767, 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_coefficients_beyond_float32_are_refused(bad: float) -> None:
    text = "coefficients must be finite float32, got a NaN, an infinity or more"
    with pytest.raises(ValueError, match=f"^{text}$"):
        fixed_point(np.array([[bad]]))


def stage_of(rng: np.random.Generator, columns: int, **more: Any) -> Stage:
    """Make a stage of 2 planes, 3 rows and terms that are ANDs as well."""
    bits = rng.random((2, 3, columns)) < 0.5
    views = more.get("views", 1)
    coefficients = rng.integers(-9, 9, (views, 3, -(-columns // 4), 3)).astype(np.int16)
    return Stage(
        planes=planes.pack(bits), columns=columns, group=4, coefficients=coefficients,
        monomials=(1, 2, 3), activation=Activation(), **more,
    )  # fmt: skip


def test_matrix_of_gathered_columns_views_and_paths() -> None:
    rng = np.random.default_rng(3)
    gather = np.array([5, 0, 5, 2, 1], np.int32)  # input 5 is used twice
    scales = rng.random((2, 5)).astype(np.float32)
    first = stage_of(rng, 5, gather=gather, column_scale=scales, views=2)
    second = stage_of(rng, 6)
    row_scale = rng.random(3).astype(np.float32)
    layer = BitplaneLayer("x", 6, (Path((first,), row_scale), Path((second,), row_scale)))
    want = np.zeros((3, 6))
    for stage, inputs in ((first, gather), (second, np.arange(6))):
        bits = planes.unpack(stage.planes, stage.columns)
        terms = np.stack([bits[0], bits[1], bits[0] & bits[1]])
        for view in range(stage.views):
            for j, used in enumerate(inputs):
                for n in range(3):
                    weight = stage.coefficients[view, n, j // 4] @ terms[:, n, j]
                    if stage.column_scale is not None:
                        weight = weight * float(stage.column_scale[view, j])
                    want[n, used] += weight * float(row_scale[n])
    assert np.abs(dense(layer) - want).max() < 1e-5  # float32 sums of numbers below 100


def test_matrix_includes_the_transform() -> None:
    rng = np.random.default_rng(4)
    samples = rng.integers(-99, 99, (6, 4)).astype(np.int16)
    transform = Transform("matrix", 4, 6, 8, shift=3, matrix=samples)
    stage = stage_of(rng, 18, transform=transform)  # 10 inputs are padded to 12
    layer = BitplaneLayer("x", 10, (Path((stage,), np.ones(3, np.float32)),))
    weights = integer_weights(stage).numpy()[0]
    want = np.zeros((3, 12))
    for block in range(3):
        part = weights[:, 6 * block : 6 * block + 6]
        want[:, 4 * block : 4 * block + 4] = part @ (samples / 8)
    assert np.array_equal(dense(layer), want[:, :10].astype(np.float32))


def test_router_has_no_matrix() -> None:
    column_scale, router = np.ones((1, 8), np.float32), np.ones((1, 8), np.float32)
    stage = stage_of(np.random.default_rng(4), 8, column_scale=column_scale)
    layer = BitplaneLayer("x", 8, (Path((stage,), np.ones((1, 3), np.float32), router),))
    text = "a layer with a matrix must have no router, got one"
    with pytest.raises(ValueError, match=f"^{text}$"):
        dense(layer)


def test_relative_error() -> None:
    bits = np.array([[[1, 0]]], np.bool_)
    layer = from_integers("x", bits, (1,), None, np.ones(1, np.float32), Activation())
    assert relative_error(np.array([[1.0, 0.0]]), layer) == 0
    assert relative_error(torch.tensor([[2.0, 0.0]]), layer) == 0.25
    assert relative_error(np.zeros((1, 2)), layer) == float("inf")
    nothing = from_integers(
        "x", np.zeros_like(bits), (1,), None, np.ones(1, np.float32), Activation()
    )
    assert relative_error(np.zeros((1, 2)), nothing) == 0


@pytest.mark.parametrize(
    ("weight", "text"),
    [
        (np.zeros(3), "weight must have 2 dimensions, got 1"),
        (np.zeros((0, 3)), "weight must have a row and a column, got (0, 3)"),
        (np.full((1, 1), np.nan), "weight must be finite float32, got a NaN or an infinity"),
        (np.full((1, 1), 1e300), "weight must be finite float32, got a NaN or an infinity"),
    ],
)
def test_unusable_weights_are_refused(weight: NDArray, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        real_matrix(weight)


def test_any_float_weight_is_read() -> None:
    want = torch.tensor([[1.5, -2.0]])
    frozen = want.numpy()
    frozen.flags.writeable = False
    for weight in (want.bfloat16(), want.double().requires_grad_(), frozen):
        assert torch.equal(real_matrix(weight), want)
