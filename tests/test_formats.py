"""Every format: exact where it is defined by a formula, and as near as it should be elsewhere."""

import re
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.dense import dense, relative_error
from models.formats import FORMATS, describe, parse, quantize
from models.formats.fit import (
    combinations,
    nearest_bits,
    normal_equations,
    refine,
    sort_groups,
)
from models.formats.groups import row_parts
from models.formats.integer import Integer
from models.formats.sbvr import Sbvr
from models.formats.signs import starts
from models.planes import unpack
from models.reference import run
from models.threads import one_thread

SPECS = [
    "sbvr:k=2,group=8",
    "sbvr:k=3,group=5,table=3",
    "sbvr:k=1,group=1,table=300",
    "signs:k=1,scale=row",
    "signs:k=3,group=5",
    "ternary",
    "ternary:scale=row",
    "ternary:scale=group,group=5",
    "int:bits=1,scale=row",
    "int:bits=3,group=5",
    "int:bits=8,group=7,range=symmetric",
    "int:bits=2,scale=row,range=symmetric",
]


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def weights(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw Gaussian weights."""
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def layer_of(spec: str, weight: NDArray[np.float32]) -> BitplaneLayer:
    """Quantize with the default activations."""
    return quantize("x", weight, parse(spec), Activation())


def planes_of(layer: BitplaneLayer) -> NDArray[np.float64]:
    """Unpack a layer's planes, (k, out, in)."""
    stage = layer.paths[0].stages[0]
    return unpack(stage.planes, stage.columns).astype(np.float64)


# Measured once with NumPy on Gaussian weights; a fit may be better, by chance 3 % worse.
@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("signs:k=1,group=64", 0.358),
        ("signs:k=2,group=64", 0.111),
        ("signs:k=3,group=64", 0.033),
        ("signs:k=4,group=64", 0.010),
        ("sbvr:k=2,group=64", 0.129),
        ("sbvr:k=2", 0.134),
        ("sbvr:k=3", 0.034),  # that of clipped rounding, which a start contains
        ("sbvr:k=4", 0.0089),
        ("ternary:scale=group,group=64", 0.259),
        ("ternary", 0.263),
        ("int:bits=2,group=64", 0.209),
        ("int:bits=3,group=64", 0.038),
        ("int:bits=4,group=64", 0.0083),
    ],
)
def test_error_on_gaussian_weights(spec: str, error: float) -> None:
    weight = weights(256, 512)
    found = relative_error(weight, layer_of(spec, weight))
    assert 0.75 * error < found < 1.03 * error


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("rows", [1, 7])
def test_output_is_that_of_the_matrix(spec: str, rows: int) -> None:
    weight = weights(rows, 33)
    layer = quantize("x", weight, parse(spec), Activation(bits=16))
    x = torch.from_numpy(weights(4, 33, seed=1))
    want = x @ torch.from_numpy(dense(layer)).T
    # 33 inputs, each off by half of 1/32767 of the largest, times weights below 4
    assert (run(layer, x) - want).abs().max() < 33 * 0.5 * 4 * 4 / 32767


@pytest.mark.parametrize("spec", SPECS)
def test_zeros_stay_zeros(spec: str) -> None:
    weight = weights(4, 33)
    weight[2] = 0
    weight[3, 5:10] = 0
    assert not dense(layer_of(spec, np.zeros_like(weight))).any()
    got = dense(layer_of(spec, weight))
    assert not got[2].any()
    if "group=5" in spec:
        assert not got[3, 5:10].any()


@pytest.mark.parametrize("kind", ["sbvr:k=1", "signs:k=2", "ternary:scale=group", "int:bits=2"])
@pytest.mark.parametrize("value", [0.7, -0.7])
def test_equal_weights_are_exact(kind: str, value: float) -> None:
    weight = np.full((2, 7), value, np.float32)
    for group in (1, 3, 7):  # 3 leaves a last group of one column
        got = dense(layer_of(f"{kind},group={group}", weight))
        assert np.abs(got - value).max() < 1e-4  # int16 coefficients


@pytest.mark.parametrize("spec", [spec for spec in SPECS if "ternary" not in spec])
@pytest.mark.parametrize("exponent", [-80, 80])
def test_units_of_the_weights_do_not_matter(spec: str, exponent: int) -> None:
    weight = weights(6, 33)
    factor = np.float32(2.0**exponent)
    assert np.array_equal(
        dense(layer_of(spec, weight * factor)), factor * dense(layer_of(spec, weight))
    )


@pytest.mark.parametrize("spec", SPECS)
def test_same_weights_same_layer(spec: str) -> None:
    first, second = (layer_of(spec, weights(9, 33)) for _ in range(2))
    a, b = first.paths[0].stages[0], second.paths[0].stages[0]
    assert np.array_equal(a.planes, b.planes)
    assert np.array_equal(a.coefficients, b.coefficients)
    assert np.array_equal(dense(first), dense(second))


# --- formats defined by a formula ---


def test_ternary_is_bitnet() -> None:
    weight = weights(20, 33)
    scale = np.array([np.abs(weight).mean(dtype=np.float64)], np.float32)
    whole = np.clip(np.rint(weight / scale), -1, 1)
    layer = layer_of("ternary", weight)
    plus, minus = planes_of(layer)
    assert np.array_equal(plus - minus, whole)
    assert np.array_equal(layer.paths[0].out_scale, scale)
    assert layer.paths[0].stages[0].coefficients.tolist() == [[[[1, -1]]]]
    assert np.array_equal(dense(layer), whole * scale)


def test_ternary_scale_is_never_smaller_than_published() -> None:
    layer = layer_of("ternary", np.array([[4e-6, -6e-6]], np.float32))
    assert layer.paths[0].out_scale[0] == np.float32(1e-5)
    assert (planes_of(layer)[:, 0] == [[0, 0], [0, 1]]).all()


def test_ternary_ties_round_to_even() -> None:
    weight = np.array([[0.5, -0.5, 1.5, -1.5]], np.float32)  # mean magnitude 1
    assert dense(layer_of("ternary", weight)).tolist() == [[0, 0, 1, -1]]


@pytest.mark.parametrize("group", [4, 5, 33])
def test_ternary_groups_have_their_own_mean(group: int) -> None:
    weight = weights(6, 33)
    got = dense(layer_of(f"ternary:scale=group,group={group}", weight))
    for start in range(0, 33, group):
        part = weight[:, start : start + group]
        scale = np.abs(part).mean(axis=1, keepdims=True)
        want = np.clip(np.rint(part / scale), -1, 1) * scale
        assert np.abs(got[:, start : start + group] - want).max() < 1e-4  # int16 coefficients


def rounded(part: NDArray[np.float32], bits: int) -> tuple[NDArray, NDArray, NDArray]:
    """Round to asymmetric integers; signed integers, zero points and scales of the rows."""
    low = np.minimum(part.min(axis=1, keepdims=True), 0)
    high = np.maximum(part.max(axis=1, keepdims=True), 0)
    scale = ((high - low) / (2**bits - 1)).astype(np.float32)
    zero = np.rint(-low / scale)
    half = 2 ** (bits - 1)
    whole = np.clip(np.rint(part / scale) + zero, 0, 2**bits - 1)
    return whole - half, zero - half, scale


@pytest.mark.parametrize("bits", range(1, 9))
def test_int_rows_are_exact(bits: int) -> None:
    weight = weights(20, 33)
    weight[0] = np.abs(weight[0])  # zero point at the end of the range
    whole, zero, scale = rounded(weight, bits)
    layer = layer_of(f"int:bits={bits},scale=row", weight)
    places = 2.0 ** np.arange(bits)
    places[-1] *= -1
    assert np.array_equal(np.tensordot(places, planes_of(layer), 1), whole)
    assert np.allclose(dense(layer), (whole - zero) * scale, rtol=3e-7)  # scale to a float32 ulp
    stage = layer.paths[0].stages[0]
    assert stage.coefficients.tolist() == [[[places.tolist()]]]
    assert stage.offset is not None
    assert np.array_equal(stage.offset[0], -zero)


@pytest.mark.parametrize("group", [4, 5, 33])
def test_int_groups_have_their_own_range(group: int) -> None:
    weight = weights(6, 33)
    got = dense(layer_of(f"int:bits=3,group={group}", weight))
    for start in range(0, 33, group):
        part = weight[:, start : start + group]
        whole, zero, scale = rounded(part, 3)
        want = (whole - zero) * scale
        assert np.abs(got[:, start : start + group] - want).max() < 1e-3  # int16 coefficients


@pytest.mark.parametrize("bits", range(2, 9))
def test_symmetric_int_rows_are_exact(bits: int) -> None:
    weight = weights(20, 33)
    top = 2 ** (bits - 1) - 1
    scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(top)
    whole = np.rint(weight / scale)
    layer = layer_of(f"int:bits={bits},scale=row,range=symmetric", weight)
    assert np.array_equal(dense(layer), whole * scale)
    assert np.abs(whole).max() == top
    assert layer.paths[0].stages[0].offset is None


# Bits of 20 x 33 weights by hand: planes, what 7 groups a row store, mixes, row scales.
@pytest.mark.parametrize(
    ("spec", "bits"),
    [
        ("signs:k=3,group=5", 3 * 660 + 20 * 7 * 48 + 3 * 4 * 8 + 20 * 32),
        ("signs:k=3,group=5,coef_bits=9", 3 * 660 + 20 * 7 * 48 + 3 * 4 * 8 + 20 * 32),
        ("signs:k=3,group=5,coef_bits=8", 3 * 660 + 20 * 7 * 24 + 3 * 4 * 8 + 20 * 32),
        ("ternary:scale=group,group=5", 2 * 660 + 20 * 7 * 16 + 3 * 8 + 20 * 32),
        ("ternary:scale=group,group=5,storage=base3", 20 * 8 * 7 + 20 * 7 * 16 + 3 * 8 + 20 * 32),
        ("ternary:scale=row,storage=base3", 20 * 8 * 7 + 2 * 16 + 20 * 32),
        ("int:bits=4,group=5", 4 * 660 + 20 * 7 * 32 + 2 * 5 * 8 + 20 * 32),
        ("int:bits=4,group=5,range=symmetric", 4 * 660 + 20 * 7 * 16 + 5 * 8 + 20 * 32),
        ("int:bits=4,group=5,coef_bits=8", 4 * 660 + 20 * 7 * 16 + 2 * 5 * 8 + 20 * 32),
    ],
)
def test_storage(spec: str, bits: int) -> None:
    assert layer_of(spec, weights(20, 33)).stored_bits == bits


MIXED = [
    "signs:k=1,group=16", "signs:k=4,group=16", "ternary:scale=group,group=16",
    *(f"int:bits={bits},group=16" for bits in (1, 2, 4, 8)), "int:group=16,range=symmetric",
]  # fmt: skip


@pytest.mark.parametrize("bits", [8, 11, 16])
@pytest.mark.parametrize("spec", MIXED)
def test_coefficients_of_few_bits(spec: str, bits: int) -> None:
    """They have those bits, lose little, and what they stand for fits the circuits' 16."""
    weight = np.random.default_rng(3).standard_t(4, (40, 90)).astype(np.float32)
    layer = layer_of(f"{spec},coef_bits={bits}", weight)
    stage = layer.paths[0].stages[0]
    assert stage.mix is not None
    assert stage.coefficients.dtype == ("int8" if bits == 8 else "int16")
    assert 120 < np.abs(stage.coefficients.astype(int)).max() < 2 ** (bits - 1)
    for part in (stage.spread_coefficients(), stage.spread_offset()):
        assert np.abs(part).max() <= 32767
    before = relative_error(weight, layer_of(spec, weight))
    assert relative_error(weight, layer) <= 1.2 * before  # 8-bit integers lose 17 %, others 2


# --- fitted formats ---


@pytest.mark.parametrize("zero", [0.0, -1.0])
@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_steps_never_increase_the_error(zero: float, k: int) -> None:
    weight = torch.from_numpy(weights(50, 43))
    (groups,) = sort_groups(weight, 16, levels=2**k)
    combos = combinations(k, zero)
    for start in starts(groups, k):
        errors = torch.stack([refine(groups, combos, start, steps)[1] for steps in range(8)])
        assert (errors.diff(dim=0) <= 1e-6 * groups.energy).all()  # bounds are float32


@pytest.mark.parametrize("zero", [0.0, -1.0])
def test_error_of_a_fit_is_that_of_its_planes(zero: float) -> None:
    weight = torch.from_numpy(weights(5, 21))
    (groups,) = sort_groups(weight, 8, levels=8)
    combos = combinations(3, zero)
    coefficients = torch.from_numpy(np.random.default_rng(0).standard_normal((15, 3)))
    _, errors = refine(groups, combos, coefficients, steps=0)
    bits = nearest_bits(weight, 8, combos, coefficients)
    for n in range(5):
        for group in range(3):
            columns = slice(8 * group, min(8 * group + 8, 21))
            mine = coefficients[3 * n + group]
            levels = combos @ mine
            part = weight[n, columns].double()
            planes = torch.where(bits[:, n, columns], 1.0, zero).double()
            lost = ((part - mine @ planes) ** 2).sum()
            nearest = ((part[:, None] - levels) ** 2).amin(1).sum()
            assert float(lost) == pytest.approx(float(nearest), rel=1e-6)
            assert float(errors[3 * n + group]) == pytest.approx(float(lost), rel=1e-6)


def test_the_lower_of_two_nearest_levels_is_taken() -> None:
    weight, one = torch.tensor([[0.5, 0.5, 0.6]]), torch.ones(1, 1, dtype=torch.float64)
    (groups,) = sort_groups(weight, 3, levels=2)
    combos = combinations(1, 0.0)
    assert normal_equations(groups, combos, one).gram.tolist() == [[[1.0]]]
    assert nearest_bits(weight, 3, combos, one).tolist() == [[[False, False, True]]]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_no_group_is_worse_than_greedy_signs(k: int) -> None:
    weight = np.random.default_rng(6).standard_t(3, (60, 32)).astype(np.float32)
    lost = (dense(layer_of(f"signs:k={k},group=32", weight)) - weight) ** 2
    rest = weight.astype(np.float64)
    for _ in range(k):
        rest -= np.sign(rest) * np.abs(rest).mean(axis=1, keepdims=True)
    assert (lost.sum(1) <= (rest**2).sum(1) * 1.0001).all()  # int16 coefficients


@pytest.mark.parametrize("spec", ["signs:k=2,group=16", "signs:k=3,scale=row"])
def test_scales_are_least_squares_of_the_real_columns(spec: str) -> None:
    weight = weights(4, 43)  # the last group has 11 columns
    layer = layer_of(spec, weight)
    stage, unit = layer.paths[0].stages[0], layer.paths[0].out_scale
    signs = 2 * planes_of(layer) - 1
    for n in range(4):
        for group in range(stage.groups):
            columns = slice(group * stage.group, (group + 1) * stage.group)
            want = np.linalg.lstsq(signs[:, n, columns].T, weight[n, columns], rcond=None)[0]
            got = stage.coefficients[0, n, group] * unit[n]
            assert np.abs(got - want).max() < 1e-3  # int16 coefficients, 16 steps


def test_sums_of_levels_are_found_exactly() -> None:
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, (3, 6, 64))
    weight = np.einsum("kij,ki->ij", bits, np.outer([0.25, 0.5, -1.0], np.ones(6)))
    layer = layer_of("sbvr:k=3,group=32,table=4", weight.astype(np.float32))
    assert np.abs(dense(layer) - weight).max() < 1e-3  # int16 coefficients


def test_entry_is_least_squares_of_all_its_groups() -> None:
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2, (2, 6, 60))
    weight = np.tensordot([1.0, -2.5], bits, 1) + 0.1 * rng.standard_normal((6, 60))
    layer = layer_of("sbvr:k=2,group=8,table=1", weight.astype(np.float32))
    planes = planes_of(layer).reshape(2, -1)
    want = np.linalg.lstsq(planes.T, weight.ravel(), rcond=None)[0]
    got = layer.paths[0].stages[0].coefficients[0] * layer.paths[0].out_scale
    assert np.abs(got - want).max() < 1e-4  # int16 coefficients


@pytest.mark.parametrize(("table", "dtype"), [(1, "uint8"), (256, "uint8"), (300, "uint16")])
def test_table_index_is_in_range(table: int, dtype: str) -> None:
    layer = layer_of(f"sbvr:k=2,group=8,table={table}", weights(20, 130))
    stage = layer.paths[0].stages[0]
    assert stage.index is not None
    assert stage.index.shape == (20, 17)
    assert str(stage.index.dtype) == dtype
    assert stage.coefficients.shape == (table, 2)
    assert stage.index.max() < table


def test_larger_tables_are_better() -> None:
    weight = weights(40, 128)
    errors = [
        relative_error(weight, layer_of(f"sbvr:k=3,group=32,table={table}", weight))
        for table in (1, 4, 16, 64, 160)
    ]
    assert errors == sorted(errors, reverse=True)


def test_table_never_outnumbers_the_groups() -> None:
    layer = layer_of("sbvr:k=2,group=8", weights(2, 16))
    assert layer.paths[0].stages[0].coefficients.shape == (4, 2)


def test_long_matrices_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = weights(30, 40)
    for spec in ("sbvr:k=2,group=8", "signs:k=2,group=8"):
        monkeypatch.undo()
        whole = dense(layer_of(spec, weight))
        monkeypatch.setattr("models.formats.groups.PART", 1000)
        assert len(list(row_parts(30, 5 * 16))) == 3
        assert np.array_equal(dense(layer_of(spec, weight)), whole)


def test_threads_are_given_back_after_an_error() -> None:
    with one_thread():
        torch.set_num_threads(2)
        with pytest.raises(ValueError, match="finite"):
            layer_of("signs", np.full((1, 128), np.nan, np.float32))
        assert torch.get_num_threads() == 2


# --- names, options and errors ---


def test_options_are_read() -> None:
    assert parse("sbvr:k=2,group=64") == Sbvr(k=2, group=64)
    assert parse(" int: bits = 3 , scale = row ") == Integer(bits=3, scale="row")
    for name, kind in FORMATS.items():
        assert parse(name) == kind() == parse(f"{name}:")


@pytest.mark.parametrize("name", FORMATS)
def test_description_is_one_line_that_starts_with_a_spec(name: str) -> None:
    spec, _, summary = describe(name).partition("  ")
    assert parse(spec) == FORMATS[name]()
    assert spec.count("=") == len(fields(FORMATS[name]))
    assert summary.endswith(".")
    assert "\n" not in summary
    assert len(describe(name)) < 160


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        (
            "sbrv",
            f"format must be one of {', '.join(FORMATS)}, got 'sbrv'; did you mean sbvr?",
        ),
        ("", f"format must be one of {', '.join(FORMATS)}, got ''"),
        ("gptq:k=2", f"format must be one of {', '.join(FORMATS)}, got 'gptq'"),
        (
            "sbvr:grup=2",
            "option of sbvr must be one of k, group, table, got 'grup'; did you mean group?",
        ),
        ("sbvr:k", "option must be written key=value, got 'k'"),
        ("sbvr:k=2,", "option must be written key=value, got ''"),
        ("sbvr:k=2,k=3", "option k must be given once, got it twice"),
        ("sbvr:k=two", "k must be a whole number, got 'two'"),
        ("sbvr:k=9", "k must be from 1 to 8, got 9"),
        ("sbvr:group=0", "group must be 1 or more, got 0"),
        ("sbvr:table=0", "table must be from 1 to 65536, got 0"),
        ("sbvr:table=65537", "table must be from 1 to 65536, got 65537"),
        ("signs:k=0", "k must be from 1 to 8, got 0"),
        ("signs:scale=rwo", "scale must be one of row, group, got 'rwo'; did you mean row?"),
        ("signs:group=-1", "group must be 1 or more, got -1"),
        ("signs:scale=row,group=64", "group must be left out with scale row, got 64"),
        ("ternary:group=64", "group must be left out with scale tensor, got 64"),
        (
            "ternary:scale=group,scale_type=float16",
            "scale_type must be left out with scale group, got float16",
        ),
        ("signs:coef_bits=7", "coef_bits must be from 8 to 16, got 7"),
        ("ternary:scale=group,coef_bits=17", "coef_bits must be from 8 to 16, got 17"),
        (
            "ternary:coef_bits=8",
            "coef_bits must be left out where a row has one scale only, got 8",
        ),
        (
            "int:scale=row,coef_bits=9",
            "coef_bits must be left out where a row has one scale only, got 9",
        ),
        ("int:bits=9", "bits must be from 1 to 8 for asymmetric integers, got 9"),
        (
            "int:bits=1,range=symmetric",
            "bits must be from 2 to 8 for symmetric integers, got 1",
        ),
    ],
)
def test_bad_specs_are_refused(spec: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse(spec)


@pytest.mark.parametrize("spec", ["sbvr", "signs", "ternary:scale=group", "int"])
@pytest.mark.parametrize("group", [128, 10**23])
def test_groups_beyond_the_layer_are_refused(spec: str, group: int) -> None:
    join = "," if ":" in spec else ":"
    text = f"group must be at most the layer's 127 inputs, got {group}"
    with pytest.raises(ValueError, match=f"^{text}$"):
        layer_of(f"{spec}{join}group={group}", weights(2, 127))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(name: str, bad: float) -> None:
    weight = weights(2, 128)
    weight[1, 3] = bad
    text = "weight must be finite float32, got a NaN or an infinity"
    with pytest.raises(ValueError, match=f"^{text}$"):
        layer_of(name, weight)
