"""Formats that are products of signs: ranks and bits, errors, and the integers of chains."""

import re
from collections.abc import Iterator
from dataclasses import replace

import naive
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.chain import SignChain, assumed_inputs, chain_path, mid_unit, stored_bits
from models.codes import Activation
from models.dense import dense, relative_error
from models.formats import parse
from models.formats.dbf import Product
from models.reference import Reference, run
from models.threads import one_thread

SPECS = [
    "dbf:bits=4,steps=3",
    "dbf:bits=8,steps=3,mid_bits=12",  # more rank than the matrix has
    "mdbf:bits=8,steps=3",
    "mdbf:bits=8,steps=3,envelopes=3,mid_bits=16",
    "mdbf:bits=8,steps=3,envelopes=1,paths=2,mid_bits=5",
    "littlebit:bits=4,steps=3",
]
SHAPES = [(33, 47), (47, 33), (64, 9)]


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    """Small operations on waiting threads are slow on a busy machine."""
    with one_thread():
        yield


def weights(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw Gaussian weights."""
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def product(spec: str) -> Product:
    """Read a format of this family."""
    found = parse(spec)
    assert isinstance(found, Product)
    return found


def layer_of(spec: str, weight: NDArray[np.float32], bits: int = 8) -> BitplaneLayer:
    """Quantize a matrix."""
    return parse(spec).quantize(weight, "x", Activation(bits=bits))


def random_chain(out: int, rank: int, columns: int, views: int) -> SignChain:
    """Make a chain of any numbers; the later views have the smaller scales."""
    rng = np.random.default_rng(out + views)
    size = 0.3 ** np.arange(views)[:, None]
    return SignChain(
        rng.random((out, rank)) < 0.5,
        rng.random((rank, columns)) < 0.5,
        rng.standard_normal((views, out)) * size,
        rng.standard_normal((views, rank)),
        rng.standard_normal((views, rank)) * size,
        rng.standard_normal((views, columns)),
    )


# --- ranks and storage ---


@pytest.mark.parametrize(
    ("spec", "size", "rank"),
    [
        ("dbf", 4096, 2032),  # (4096 * 4096 - 24 * 4096 - 72) / (8192 + 16) = 2032.0
        ("dbf:coef_bits=16", 4096, 2028),
        ("dbf:bits=2", 4096, 4076),
        ("mdbf", 4096, 2012),  # (4096 * 4096 - 48 * 4096 - 64) / (8192 + 48)
        ("mdbf:paths=2", 4096, 994),
        ("mdbf:envelopes=1", 4096, 2032),
        ("littlebit", 4096, 1008),  # 1010 before the multiple of 8
        ("littlebit:bits=0.1", 64, 8),
    ],
)
def test_rank_of_square_layers(spec: str, size: int, rank: int) -> None:
    assert product(spec).rank(size, size) == rank


@pytest.mark.parametrize("bits", [0.7, 1.0, 2.3])
@pytest.mark.parametrize("spec", ["dbf", "mdbf", "mdbf:paths=2,coef_bits=16", "mdbf:envelopes=3"])
def test_rank_is_the_largest_that_fits(bits: float, spec: str) -> None:
    found = replace(product(spec), bits=bits)
    paths, envelopes = found.shape
    out, columns = 1536, 576
    rank = found.rank(out, columns)
    fits, more = (
        paths * stored_bits(out, n, columns, envelopes, found.coef_bits) for n in (rank, rank + 1)
    )
    assert fits <= bits * out * columns < more


@pytest.mark.parametrize("coef_bits", [8, 9, 16])
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("out", "columns"), SHAPES)
def test_stored_bits(spec: str, out: int, columns: int, coef_bits: int) -> None:
    found = replace(product(spec), coef_bits=coef_bits, steps=0, rounds=0)
    layer = found.quantize(weights(out, columns), "x", Activation())
    rank, views = layer.paths[0].stages[0].out, layer.paths[0].stages[0].views
    assert rank == found.rank(out, columns)
    path = stored_bits(out, rank, columns, views, coef_bits)
    assert layer.stored_bits == len(layer.paths) * path
    assert layer.bits_per_weight <= found.bits or rank == 8  # the least of LittleBit


def test_stored_bits_by_hand() -> None:
    layer = layer_of("dbf:bits=4,steps=0", weights(24, 16))
    # rank (4 * 24 * 16 - 16 * 16 - 8 * 24 - 72) / (40 + 16) = 18; signs 18 * 40, b 16 * 16,
    # a 8 * 24, m 16 * 18; the coefficient 1 of stage 1: 8; two mixes: 2 * 16; their scale: 32
    assert layer.paths[0].stages[0].out == 18
    assert layer.stored_bits == 720 + 256 + 192 + 288 + 8 + 32 + 32


# --- errors of weights ---


@pytest.mark.parametrize("spec", ["dbf:bits=1.5", "mdbf:bits=2", "littlebit:bits=2"])
def test_steps_decrease_the_error(spec: str) -> None:
    weight = np.random.default_rng(3).standard_t(4, (80, 96)).astype(np.float32)
    errors = [
        relative_error(weight, layer_of(f"{spec},steps={steps},rounds=0", weight))
        for steps in (0, 5, 30)
    ]
    assert errors[0] > 1.3 * errors[1]
    assert errors[1] > 1.05 * errors[2]


def test_error_at_one_bit() -> None:
    """Gaussian weights, one sign for each: 0.340 when measured; 200 steps would reach 0.333."""
    weight = weights(256, 256, seed=3)
    assert 0.33 < relative_error(weight, layer_of("dbf:bits=1.1", weight)) < 0.35


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("out", "columns"), [*SHAPES, (1, 200), (200, 1), (3, 100)])
def test_odd_shapes(spec: str, out: int, columns: int) -> None:
    found = product(spec)
    if found.rank(out, columns) < 1:
        rule = f"or more in a layer of {out} x {columns}, paths {found.shape[0]}, got {found.bits}"
        with pytest.raises(ValueError, match=rf"^bits must be [\d.]+ {re.escape(rule)}$") as caught:
            layer_of(spec, weights(out, columns))
        least = float(str(caught.value).split()[3])
        if least <= 8:
            assert replace(found, bits=least).rank(out, columns) == 1
            assert replace(found, bits=least - 2e-4).rank(out, columns) < 1
        return
    layer = layer_of(spec, weights(out, columns))
    assert (layer.out, layer.inputs) == (out, columns)
    assert np.isfinite(dense(layer)).all()


@pytest.mark.parametrize("spec", SPECS)
def test_zeros_stay_zeros(spec: str) -> None:
    weight = weights(33, 47)
    weight[2] = 0
    weight[:, 5] = 0
    matrix = dense(layer_of(spec, weight))
    assert not matrix[2].any()
    assert not matrix[:, 5].any()
    assert not dense(layer_of(spec, np.zeros((33, 47), np.float32))).any()


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_size_of_the_weights_does_not_matter(size: float) -> None:
    weight = weights(33, 47)
    scaled = (weight.astype(np.float64) * size).astype(np.float32)
    got = dense(layer_of("mdbf:bits=8,steps=3", scaled)) / size
    assert np.allclose(got, dense(layer_of("mdbf:bits=8,steps=3", weight)), atol=1e-3)


# --- errors of outputs ---


def inputs_of(columns: int, tokens: int = 4000) -> torch.Tensor:
    """Draw correlated inputs, of which the third is loud and the last is dead."""
    rng = np.random.default_rng(columns)
    mixed = rng.standard_normal((columns, columns)) * 0.8 ** np.arange(columns)[:, None]
    x = (rng.standard_normal((tokens, columns)) @ mixed).astype(np.float32)
    x[:, 2] *= 10
    x[:, -1] = 0
    return torch.from_numpy(x)


def hessian_of(x: torch.Tensor) -> torch.Tensor:
    """Return the mean of ``x x^T``."""
    return x.T @ x / len(x)


def lost(weight: NDArray[np.float32], layer: BitplaneLayer, x: torch.Tensor) -> float:
    """Return the error of the layer's outputs, as integers give them, over their energy."""
    want = x @ torch.from_numpy(weight).T
    return float((run(layer, x) - want).square().sum() / want.square().sum())


@pytest.mark.parametrize("spec", ["dbf:bits=1.5", "mdbf:bits=2", "littlebit:bits=2"])
def test_the_hessian_lowers_the_error_of_outputs(spec: str) -> None:
    weight, x = weights(64, 96), inputs_of(96)
    found = parse(spec)
    plain, calibrated = (
        lost(weight, found.quantize(weight, "x", Activation(), hessian), x[:200])
        for hessian in (None, hessian_of(x))
    )
    assert calibrated < 0.3 * plain


@pytest.mark.parametrize("option", ["steps", "rounds"])
def test_work_on_the_hessian_lowers_the_error(option: str) -> None:
    weight, x = weights(64, 96), inputs_of(96)
    errors = []
    for count in (0, 2, 20):
        found = replace(product("dbf:bits=1.5,steps=2,rounds=0"), **{option: count})
        errors.append(lost(weight, found.quantize(weight, "x", Activation(), hessian_of(x)), x))
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.9 * errors[0]


def test_size_of_the_hessian_does_not_matter() -> None:
    weight, hessian = weights(33, 47), hessian_of(inputs_of(47))
    found = product("mdbf:bits=8,steps=3")
    chains = [found.chains(torch.from_numpy(weight), hessian * size) for size in (1, 2.0**40)]
    for one, other in zip(*chains, strict=True):
        assert np.array_equal(one.matrix, other.matrix)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("out", "columns"), SHAPES)
def test_singular_hessians(spec: str, out: int, columns: int) -> None:
    """Fewer tokens than inputs, and inputs that never were other than zero."""
    x, weight = inputs_of(columns, tokens=5), weights(out, columns)
    layer = parse(spec).quantize(weight, "x", Activation(), hessian_of(x))
    assert lost(weight, layer, x) < 0.1
    y = run(layer, x).numpy()
    assert np.array_equal(y, [naive.output(layer, token) for token in x.numpy()])


def test_hessians_that_cannot_be_are_refused() -> None:
    found, weight = parse("dbf:bits=8"), weights(9, 8)
    text = "the layer's inputs must be other than zero, got zeros only"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        found.quantize(weight, "x", Activation(), torch.zeros(8, 8))
    text = "hessian must be 8 x 8, got 9 x 9"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        found.quantize(weight, "x", Activation(), torch.eye(9))


# --- chains ---


@pytest.mark.parametrize("views", [1, 2, 4])
@pytest.mark.parametrize(("out", "rank", "columns"), [(5, 7, 9), (33, 20, 47), (1, 64, 3)])
def test_matrix_of_a_chain_is_the_product(out: int, rank: int, columns: int, views: int) -> None:
    chain = random_chain(out, rank, columns, views)
    path = chain_path(chain, Activation(), 8, assumed_inputs(columns))
    got = dense(BitplaneLayer("x", columns, (path,)))
    left = np.einsum("vo,vr->or", chain.a, chain.q) * np.where(chain.left_signs, 1, -1)
    right = np.einsum("vr,vi->ri", chain.g, chain.b) * np.where(chain.right_signs, 1, -1)
    assert np.allclose(chain.matrix, left @ right)
    # Each of a, q, g is off by at most 2**-15 of its row's largest: row scales are shared by views.
    loudest = [np.abs(part).max() for part in (chain.a, chain.q, chain.g, chain.b)]
    bound = views**2 * rank * np.prod(loudest) * 4 * 2.0**-14
    assert np.abs(got - left @ right).max() < bound
    assert np.abs(got - left @ right).max() < 2e-3 * np.abs(left @ right).max() * views


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("mid_bits", [2, 8, 12, 16])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_reference_equals_plain_integers(views: int, mid_bits: int, bits: int) -> None:
    chain = random_chain(6, 11, 19, views)
    path = chain_path(chain, Activation(bits=bits), mid_bits, assumed_inputs(19))
    layer = BitplaneLayer("x", 19, (path,))
    reference, x = Reference(layer), weights(4, 19, seed=mid_bits)
    x[3] *= np.linspace(0, 9, 19, dtype=np.float32)  # a token unlike the assumed ones
    codes = reference.codes(0, torch.from_numpy(x))
    got = reference.accumulate(0, codes).tolist()
    for token, want in zip(x, got, strict=True):
        values, exponents, _ = naive.codes(path, token)
        assert naive.accumulators(path, values, exponents) == want
    y = reference(torch.from_numpy(x)).numpy()
    assert np.array_equal(y, [naive.output(layer, token) for token in x])


@pytest.mark.parametrize("spec", SPECS)
def test_formats_run_as_plain_integers(spec: str) -> None:
    layer, x = layer_of(spec, weights(33, 47)), weights(2, 47, seed=1)
    y = run(layer, torch.from_numpy(x)).numpy()
    assert np.array_equal(y, [naive.output(layer, token) for token in x])


@pytest.mark.parametrize(("mid_bits", "error"), [(4, 0.4), (8, 0.03), (12, 2e-3), (16, 1e-3)])
@pytest.mark.parametrize("views", [1, 2])
def test_output_is_near_that_of_the_matrix(mid_bits: int, error: float, views: int) -> None:
    """The error of ``b`` bits is near 8 / 2**b of the signal: 8 standard deviations fit."""
    chain = random_chain(48, 64, 96, views)
    x = weights(50, 96, seed=2)
    path = chain_path(chain, Activation(bits=16), mid_bits, torch.from_numpy(x))
    layer = BitplaneLayer("x", 96, (path,))
    want = x @ dense(layer).T
    lost = run(layer, torch.from_numpy(x)).numpy() - want
    assert np.linalg.norm(lost) < error * np.linalg.norm(want)


@pytest.mark.parametrize(
    "activation",
    [
        Activation(bits=1, signed=False),
        Activation(bits=4, scale="group", group=7, exponents=3),
        Activation(bits=8, scale="static", value=0.05),
    ],
)
def test_activations_of_any_kind(activation: Activation) -> None:
    layer = parse("mdbf:bits=8,steps=1").quantize(weights(33, 47), "x", activation)
    x = weights(2, 47, seed=1)
    y = run(layer, torch.from_numpy(x)).numpy()
    assert np.array_equal(y, [naive.output(layer, token) for token in x])


def test_unit_of_the_codes_between() -> None:
    assert mid_unit(torch.zeros(3, 4), 8) == 1.0
    assert mid_unit(torch.tensor([[127.0, -3.0]]), 8) == 1.0  # whole numbers: nothing is lost
    values = torch.randn(1000, 100, generator=torch.Generator().manual_seed(0)).double()
    top = 127 * mid_unit(values, 8)
    assert 3.5 < top < 4.5  # clips what is rare: the least error is at 3.9 for Gaussian values


def test_calibration_replaces_the_assumption() -> None:
    chain = random_chain(20, 30, 40, 1)
    x = torch.from_numpy(weights(64, 40, seed=5))
    x[:, 7] *= 60  # one loud input: the others, and their sums, are small beside it
    want = x.numpy() @ chain.matrix.T
    lost = []
    for inputs in (assumed_inputs(40), x):
        path = chain_path(chain, Activation(bits=16), 6, inputs)
        lost.append(np.linalg.norm(run(BitplaneLayer("x", 40, (path,)), x).numpy() - want))
    assert lost[1] < 0.7 * lost[0]


def test_assumed_inputs_have_the_second_moments_given() -> None:
    hessian = hessian_of(inputs_of(20))
    x = assumed_inputs(20, hessian)
    size = hessian.diagonal().sqrt()
    off = (hessian_of(x) - hessian) / (size[:, None] * size + 1e-6)
    assert float(off.abs().max()) < 6 / len(x) ** 0.5  # of 400 normal numbers near 1 / sqrt(tokens)
    assert not x[:, -1].any()


def test_second_moments_set_the_scale_between_the_stages() -> None:
    chain, x = random_chain(20, 30, 40, 1), inputs_of(40)
    x[:, 2] *= 6
    want = x.numpy() @ chain.matrix.T
    errors = []
    for inputs in (assumed_inputs(40), assumed_inputs(40, hessian_of(x))):
        path = chain_path(chain, Activation(bits=16), 6, inputs)
        errors.append(np.linalg.norm(run(BitplaneLayer("x", 40, (path,)), x).numpy() - want))
    assert errors[1] < 0.7 * errors[0]


# --- errors of options ---


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("dbf:bits=0", "bits must be above 0 and at most 8, got 0.0"),
        ("dbf:bits=8.5", "bits must be above 0 and at most 8, got 8.5"),
        ("dbf:bits=one", "bits must be a number, got 'one'"),
        ("dbf:bits=nan", "bits must be a number, got 'nan'"),
        ("dbf:steps=-1", "steps must be from 0 to 10000, got -1"),
        ("dbf:rounds=10001", "rounds must be from 0 to 10000, got 10001"),
        ("dbf:coef_bits=7", "coef_bits must be from 8 to 16, got 7"),
        ("dbf:steps=1.5", "steps must be a whole number, got '1.5'"),
        ("littlebit:mid_bits=1", "mid_bits must be from 2 to 16, got 1"),
        ("mdbf:mid_bits=17", "mid_bits must be from 2 to 16, got 17"),
        ("mdbf:envelopes=0", "envelopes must be from 1 to 16, got 0"),
        ("mdbf:paths=17", "paths must be from 1 to 16, got 17"),
    ],
)
def test_bad_options_are_refused(spec: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse(spec)


@pytest.mark.parametrize("spec", ["dbf", "mdbf"])
def test_bits_that_leave_no_rank_are_refused(spec: str) -> None:
    text = r"^bits must be [\d.]+ or more in a layer of 8 x 8, paths 1, got 1.0$"
    with pytest.raises(ValueError, match=text):
        layer_of(spec, weights(8, 8))


def test_littlebit_has_a_least_rank() -> None:
    layer = layer_of("littlebit:steps=0", weights(8, 8))
    assert [path.stages[0].out for path in layer.paths] == [8, 8]
