"""Lowering: integers that stand for the real coefficients."""

import re

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.codes import Activation
from models.dense import dense
from models.lower import from_integers, from_real, from_table, real_matrix

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


@pytest.mark.parametrize(("bits", "dtype"), [(8, "int8"), (9, "int16"), (16, "int16")])
def test_mixed_coefficients_stand_for_their_sums(bits: int, dtype: str) -> None:
    rng = np.random.default_rng(5)
    planes, mix = rng.random((2, 3, 10)) < 0.5, ((2, 0, -1), (0, 2, -1))
    scales = rng.uniform(0.5, 2, (3, 3, 2))
    layer = from_real("x", planes, 4, scales, None, Activation(), mix=mix, coefficient_bits=bits)
    stage, unit = layer.paths[0].stages[0], layer.paths[0].out_scale[:, None]
    assert stage.coefficients.dtype == dtype
    assert stage.offset is None
    want = naive(planes, 4, 2 * scales, -scales.sum(2))
    assert (np.abs(dense(layer) - want) <= 2 * unit / 2 * 1.0001).all()
    assert np.abs(stage.coefficients).max() == (127 if bits == 8 else 255 if bits == 9 else 16383)


def test_tables_and_integers_are_mixed_too() -> None:
    rng = np.random.default_rng(6)
    planes, index = rng.random((2, 3, 10)) < 0.5, rng.integers(0, 4, (3, 3))
    mix, table = ((1, 2, -1),), rng.standard_normal((4, 1))
    layer = from_table("x", planes, 4, table, index, Activation(), mix=mix, coefficient_bits=8)
    unit = layer.paths[0].out_scale[0]
    assert layer.paths[0].stages[0].coefficients.dtype == "int8"
    want = naive(planes, 4, (table * [1, 2])[index], -table[index, 0])
    assert np.abs(dense(layer) - want).max() <= 2 * unit / 2
    one = np.ones(1, np.float32)
    layer = from_integers("x", planes, (-3,), None, one, Activation(), mix=mix, coefficient_bits=8)
    assert layer.paths[0].stages[0].coefficients.tolist() == [[[[-3]]]]
    want = naive(planes, 10, np.full((3, 1, 2), [-3, -6]), np.full((3, 1), 3))
    assert np.array_equal(dense(layer), want)


def test_one_group_is_cut_as_its_activations_are() -> None:
    bits = np.ones((1, 2, 10), np.bool_)
    grouped = Activation(scale="group", group=4, exponents=3)
    layer = from_integers("x", bits, (1,), None, np.ones(1, np.float32), grouped)
    assert layer.paths[0].stages[0].group == 4
    assert np.array_equal(dense(layer), np.ones((2, 10), np.float32))


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
