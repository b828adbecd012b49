"""The real matrix of a layer: views, gathered columns, paths, transforms; its relative error."""

from typing import Any

import numpy as np
import pytest
import torch

from models import planes
from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Transform
from models.dense import dense, relative_error
from models.lower import from_integers
from models.reference import integer_weights
from models.stage import Stage


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
