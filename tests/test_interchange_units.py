"""Scales as integers of one unit: exact where a common divisor allows it, else within the bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.codes import Activation
from models.dense import dense
from models.interchange.blocks import places
from models.interchange.grid import TERNARY, Grid, Lowered, lower
from models.interchange.units import TOP, common_divisor, whole_multiples

HALVES = st.floats(width=16, allow_nan=False, allow_infinity=False)
ROWS = arrays.arrays(np.float64, (3, 4), elements=HALVES)


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=6).filter(any),
    st.integers(-60, 60),
    st.integers(1, 2**11),
)
def test_divisor_of_known_multiples(integers: list[int], exponent: int, odd: int) -> None:
    unit = odd * 2.0**exponent
    want = unit * float(np.gcd.reduce(np.array(integers)))
    assert common_divisor(np.array([integers]) * unit).tolist() == [want]


def test_divisor_of_zeros_and_of_far_numbers() -> None:
    rows = np.array([[0, 0], [0, 3], [1, 2.0**52], [1, 2.0**53], [1e300, 1e-300]])
    assert common_divisor(rows).tolist() == [0, 3, 1, 0, 0]


@given(ROWS, st.sampled_from([1, 8, 128]))
def test_whole_multiples_keep_within_half_a_unit(rows: np.ndarray, reach: int) -> None:
    values = rows[..., np.newaxis]
    whole, unit = whole_multiples(values, np.array([reach]))
    assert (whole.dtype, unit.dtype) == (np.int16, np.float32)
    assert (np.abs(whole.astype(int)) * reach <= TOP).all()
    wide = unit.astype(np.float64)[:, np.newaxis, np.newaxis]
    lost = np.abs(whole * wide - values)
    least = np.abs(values).max((1, 2), keepdims=True) / (TOP // reach)
    assert (lost <= wide / 2).all()
    assert (lost <= least * (1 + 2.0**-23)).all()


@given(
    arrays.arrays(np.int64, (3, 4), elements=st.integers(-255, 255)),
    st.integers(-24, 4),
    st.integers(1, 2**11 - 1),
)
def test_multiples_of_one_half_are_exact(integers: np.ndarray, exponent: int, odd: int) -> None:
    values = (integers * odd * 2.0**exponent)[..., np.newaxis]
    whole, unit = whole_multiples(values, np.array([128]))
    assert (whole * unit.astype(np.float64)[:, np.newaxis, np.newaxis] == values).all()


def test_not_finite() -> None:
    for bad in [np.nan, np.inf, -np.inf, 1e39]:
        with pytest.raises(ValueError, match=r"^scales must be finite float32, got a NaN"):
            whole_multiples(np.array([[[bad]]]), np.array([1]))


def real(grid: Grid) -> np.ndarray:
    """Return the weights of a grid, in float64, one group after another."""
    total = np.empty(grid.codes.shape)
    for n in range(grid.scale.shape[1]):
        part = slice(n * grid.group, (n + 1) * grid.group)
        total[:, part] = grid.values[:, part] * grid.scale[:, n : n + 1]
        if grid.minimum is not None:
            total[:, part] += grid.minimum[:, n : n + 1]
    return total


def check(grid: Grid, wide: bool) -> Lowered:
    """Lower a grid; its weights must be what it says, groups exact as often as it says."""
    done = lower("x", grid, Activation(), wide)
    stage = done.layer.paths[0].stages[0]
    size = max(np.abs(stage.spread_coefficients()).max(), np.abs(stage.spread_offset()).max())
    assert wide or size <= TOP
    want = real(grid)
    have = dense(done.layer) if grid.gather is None else dense(done.layer)[:, grid.gather]
    lost = np.abs(have - want)
    largest = np.abs(want).max(1, keepdims=True)
    rounded = np.abs(want) * 2.0**-23  # float32 products of the dense matrix
    assert done.groups == grid.scale.size
    if done.exact == done.groups:
        assert done.rounding == 0
        assert (lost <= rounded).all()
    else:
        ends = np.abs(np.array(grid.ends)).max() * np.abs(grid.scale).max(1, keepdims=True)
        minimum = 0 if grid.minimum is None else np.abs(grid.minimum).max(1, keepdims=True)
        assert done.rounding > 0
        assert (lost <= done.rounding * np.maximum(ends + minimum, largest) + rounded).all()
    return done


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 4, 5, 8]), st.booleans(), st.booleans())
def test_random_grids(seed: int, bits: int, minima: bool, wide: bool) -> None:
    rng = np.random.default_rng(seed)
    out, columns, group = 3, int(rng.integers(5, 40)), int(rng.integers(1, 12))
    group = min(group, columns)
    shape = (out, -(-columns // group))
    scale = rng.standard_normal(shape).astype(np.float16).astype(np.float64)
    scale[rng.random(shape) < 0.1] = 0
    minimum = rng.standard_normal(shape).astype(np.float16).astype(np.float64) if minima else None
    codes = rng.integers(0, 1 << bits, (out, columns)).astype(np.uint8)
    grid = Grid(codes, places(bits, signed=bits == 8 or not minima), group, scale, minimum)
    assert check(grid, True).rounding <= check(grid, wide).rounding


def ternary(scale: list[list[float]], group: int, columns: int) -> Grid:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 3, (len(scale), columns)).astype(np.uint8)
    return Grid(codes, TERNARY, group, np.array(scale))


def test_one_scale_of_a_row_is_the_out_scale() -> None:
    grid = ternary([[0.3, 0.3, 0], [0.25, 0, -0.0], [0, 0, 0]], 4, 11)
    done = check(grid, False)
    stage, path = done.layer.paths[0].stages[0], done.layer.paths[0]
    assert stage.group == stage.columns == 11
    assert stage.coefficients.tolist() == [[[[1]]]]
    assert path.out_scale.tolist() == [np.float32(0.3), 0.25, 1]
    assert done.exact == 9 - 2
    assert dense(done.layer)[2].any() == np.False_
    assert check(ternary([[0.5, 0.5], [0.5, 0.5]], 4, 8), False).layer.paths[0].out_scale.size == 1


def test_negative_scales_and_signs() -> None:
    assert check(ternary([[-0.5, -0.5]], 4, 8), False).exact == 2
    assert check(ternary([[-0.5, 0.5]], 4, 8), False).exact == 2
    codes = np.array([[0, 1, 1, 0]], np.uint8)
    done = check(Grid(codes, (2,), 2, np.array([[0.5, 0.25]]), shift=-1), False)
    assert dense(done.layer).tolist() == [[-0.5, 0.5, 0.25, -0.25]]
    zero = check(Grid(codes, (2,), 2, np.array([[0.5, 0]]), shift=-1), False)
    assert dense(zero.layer).tolist() == [[-0.5, 0.5, 0, 0]]


def test_stored_bits_are_those_of_the_source() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 16, (64, 256)).astype(np.uint8)
    scale = rng.uniform(0.5, 1, (64, 8))
    done = lower("x", Grid(codes, places(4), 32, scale, -scale), Activation())
    mix, units = 2 * 5 * 8, 64 * 32
    assert done.layer.stored_bits == 64 * 256 * 4 + 64 * 8 * 2 * 16 + mix + units
