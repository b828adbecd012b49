"""Products of signs: their factors, their ranks and bits, and the integers of their chains."""

import re
from collections.abc import Iterator

import naive
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.chain import SignChain, assumed_inputs, chain_path, mid_unit
from models.codes import Activation
from models.dense import dense, relative_error
from models.formats import parse
from models.formats.dbf import Product, rank_for
from models.formats.factors import factorize
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
        ("mdbf", 4096, 2000),  # methods: the example of the formula
        ("dbf", 4096, 2028),
        ("dbf:bits=2", 4096, 4072),
        ("mdbf:paths=2", 4096, 984),
        ("mdbf:envelopes=1", 4096, 2024),
        ("littlebit", 4096, 1000),  # 1006 before the multiple of 8
        ("littlebit:bits=0.1", 64, 8),
    ],
)
def test_rank_of_square_layers(spec: str, size: int, rank: int) -> None:
    assert product(spec).rank(size, size) == rank


@pytest.mark.parametrize("bits", [0.7, 1.0, 2.3])
@pytest.mark.parametrize(("paths", "envelopes", "middle"), [(1, 1, 1), (1, 2, 4), (2, 1, 1)])
def test_rank_is_the_largest_that_fits(
    bits: float, paths: int, envelopes: int, middle: int
) -> None:
    out, columns = 1536, 576

    def stored(rank: int) -> int:
        scales = envelopes * (out + columns) + middle * rank
        return paths * (rank * (out + columns) + 16 * scales)

    rank = rank_for(bits, out, columns, paths, envelopes, middle)
    assert stored(rank) <= bits * out * columns < stored(rank + 1)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("out", "columns"), SHAPES)
def test_stored_bits(spec: str, out: int, columns: int) -> None:
    layer = layer_of(spec, weights(out, columns))
    rank, views = layer.paths[0].stages[0].out, layer.paths[0].stages[0].views
    path = rank * (out + columns) + 32 * (views * columns + out) + 16 * views * rank
    path += 16 * views * (rank + out) + 32 if views > 1 else 64
    assert layer.stored_bits == len(layer.paths) * path


def test_stored_bits_by_hand() -> None:
    layer = layer_of("dbf:bits=4,steps=0", weights(24, 16))
    # rank (4 * 24 * 16 - 16 * 40) / (40 + 16) = 16; signs 16 * 40, b and a 32 * 40, m 16 * 16
    assert layer.paths[0].stages[0].out == 16
    assert layer.stored_bits == 640 + 1280 + 256 + 64


# --- factors ---


@pytest.mark.parametrize("spec", ["dbf:bits=1.5", "mdbf:bits=1.5", "littlebit:bits=1.5"])
def test_steps_decrease_the_error(spec: str) -> None:
    weight = np.random.default_rng(3).standard_t(4, (160, 192)).astype(np.float32)
    errors = [
        relative_error(weight, layer_of(f"{spec},steps={steps}", weight)) for steps in (0, 5, 30)
    ]
    assert errors[0] > 1.3 * errors[1]
    assert errors[1] > 1.05 * errors[2]


def test_error_at_one_bit() -> None:
    """Gaussian weights, one sign for each: 0.350 when measured; 200 steps would reach 0.333."""
    weight = weights(256, 256, seed=3)
    assert 0.34 < relative_error(weight, layer_of("dbf:bits=1.125", weight)) < 0.36


def test_products_of_signs_are_found() -> None:
    rng = np.random.default_rng(4)
    signs = [np.where(rng.random(shape) < 0.5, -1.0, 1.0) for shape in ((40, 4), (4, 30))]
    a, b = 1 + rng.random((40, 1)), 1 + rng.random((1, 30))
    weight = (a * signs[0] * [4.0, 3.0, 2.0, 1.0] @ signs[1] * b).astype(np.float32)
    left, right = factorize(torch.from_numpy(weight / 30), 4, 1, 60)
    lost = left.matrix.T @ right.matrix - torch.from_numpy(weight / 30)
    assert float(lost.norm()) < 0.05 * float(np.linalg.norm(weight / 30))


@pytest.mark.parametrize("envelopes", [1, 2])
def test_a_rank_beyond_the_matrix_helps(envelopes: int) -> None:
    weight = torch.from_numpy(weights(30, 20)) / 4
    errors = []
    for rank in (10, 20, 30, 60):
        left, right = factorize(weight, rank, envelopes, 20)
        errors.append(float((left.matrix.T @ right.matrix - weight).norm()))
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("out", "columns"), [*SHAPES, (1, 200), (200, 1), (3, 100)])
def test_odd_shapes(spec: str, out: int, columns: int) -> None:
    found = product(spec)
    if found.rank(out, columns) < 1:
        text = f"bits must leave a layer of {out} x {columns} a rank of 1 or more, got {found.bits}"
        with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
            layer_of(spec, weights(out, columns))
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


# --- errors ---


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("dbf:bits=0", "bits must be above 0 and at most 8, got 0.0"),
        ("dbf:bits=8.5", "bits must be above 0 and at most 8, got 8.5"),
        ("dbf:bits=one", "bits must be a number, got 'one'"),
        ("dbf:bits=nan", "bits must be a number, got 'nan'"),
        ("dbf:steps=-1", "steps must be from 0 to 10000, got -1"),
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
    text = "bits must leave a layer of 8 x 8 a rank of 1 or more, got 1.0"
    with pytest.raises(ValueError, match=f"^{text}$"):
        layer_of(spec, weights(8, 8))


def test_littlebit_has_a_least_rank() -> None:
    layer = layer_of("littlebit:steps=0", weights(8, 8))
    assert [path.stages[0].out for path in layer.paths] == [8, 8]
