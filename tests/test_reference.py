"""The reference against the naive arithmetic of ``naive.py``, with ``==``."""

import re
from dataclasses import replace

import naive
import numpy as np
import pytest
import torch
from builders import INT16, KINDS, random_stage, scales, single
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Requantize, Transform
from models.coefficients import MOST
from models.encode import encode, quantize, transform, transform_matrix
from models.planes import pack
from models.reference import ReadyStage, Reference, chain_codes, integer_weights, run
from models.stage import Stage

SIZES = [(1, 1), (3, 2), (2, 9), (7, 37), (4, 64)]
"""Rows and inputs; no group or block of the builders divides all."""


def random_tokens(rng: np.random.Generator, inputs: int) -> NDArray[np.float32]:
    """Draw tokens: plain, large, small, zero, almost zero, one-sided, with outliers and ties."""
    plain = rng.standard_normal((8, inputs))
    plain[1] *= 1e26
    plain[2] *= 1e-18
    plain[3] = 0
    plain[4] *= 1e-22
    plain[5] = -np.abs(plain[5])
    plain[6, rng.integers(inputs)] = 60
    plain[7] = rng.integers(-254, 255, inputs) / 2  # halves at an inverse scale of 1
    plain[7, 0] = 127
    return plain.astype(np.float32)


def check(layer: BitplaneLayer, x: NDArray[np.float32], what: object) -> None:
    """Compare codes, accumulators and outputs of a batch and of each token alone."""
    reference, batch = Reference(layer), torch.from_numpy(x)
    output = reference(batch)
    assert output.dtype == torch.float32
    for index, path in enumerate(layer.paths):
        codes = reference.codes(index, batch)
        accumulators = reference.accumulate(index, codes)
        assert accumulators.dtype == torch.int64
        for token in range(len(x)):
            values, exponents, scale = naive.codes(path, naive.changed(layer, x[token]))
            place = (what, index, token)
            assert codes.values[token].tolist() == values, place
            if codes.exponents is not None:
                assert codes.exponents[token].tolist() == exponents, place
            assert codes.scale[token].item() == float(scale), place
            want = naive.accumulators(path, values, exponents)
            assert accumulators[token].tolist() == want, place
            alone = reference.accumulate(index, reference.codes(index, batch[token]))
            assert alone.tolist() == [want], place
    for token in range(len(x)):
        want = np.array(naive.output(layer, x[token]))
        assert output[token].tolist() == want.tolist(), (what, token)
        assert torch.equal(reference(batch[token]), output[token]), (what, token)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_kind(kind: str, size: tuple[int, int]) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        layer = KINDS[kind](rng, *size)
        check(layer, random_tokens(rng, size[1]), f"{kind} {size} seed {seed}")


@pytest.mark.parametrize("kind", ["dbf", "dbf_transformed", "mdbf", "littlebit"])
def test_chains_saturate_now_and_then(kind: str) -> None:
    rng = np.random.default_rng(3)
    layer = KINDS[kind](rng, 7, 37)
    first = layer.paths[0].stages[0]
    assert first.requantize is not None
    codes = Reference(layer).codes(0, torch.from_numpy(random_tokens(rng, 37)))
    bare = Reference(
        BitplaneLayer("x", 37, (Path((replace(first, requantize=None),), scales(rng, 1)),))
    )
    between = chain_codes(first, bare.accumulate(0, codes))
    top = (1 << (first.requantize.bits - 1)) - 1
    ends = ((between == top) | (between == -top - 1)).float().mean()
    assert 0 < ends < 0.7
    assert len(between.unique()) > 20


# Codes of activations


def codes_of(spec: Activation, *inputs: float) -> list[int]:
    u = torch.tensor(inputs).reshape(1, 1, -1)
    return quantize(u, spec).values.flatten().tolist()


def test_ties_round_to_even_and_codes_saturate() -> None:
    static = Activation(bits=4, scale="static", value=0.5)
    assert codes_of(static, 0.25, 0.75, 1.25, -0.25, -0.75) == [0, 2, 2, 0, -2]
    assert codes_of(static, 3.5, 3.7, 3.8, 99.0, 3e38) == [7, 7, 7, 7, 7]
    assert codes_of(static, -3.8, -4.0, -4.3, -99.0, -3e38) == [-8, -8, -8, -8, -8]
    unsigned = replace(static, signed=False)
    assert codes_of(unsigned, -3e38, -1.0, 0.3, 7.5, 7.8) == [0, 0, 1, 15, 15]
    assert codes_of(Activation(), 127.0, 0.5, 1.5, -2.5) == [127, 0, 2, -2]
    assert codes_of(Activation(bits=2), 4.0, 2.0, -4.0, 2.1) == [1, 0, -1, 1]
    assert codes_of(Activation(bits=16), -32767.0, 0.5, 1.5) == [-32767, 0, 2]
    assert codes_of(Activation(bits=1, signed=False), 1e-40, 0.0, -0.0, -1.0) == [1, 0, 0, 0]


@pytest.mark.parametrize("bits", range(2, 17))
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("scale", ["token", "group", "static"])
def test_codes_of_every_width(bits: int, signed: bool, scale: str) -> None:
    grouped = {"group": 5, "exponents": 15} if scale == "group" else {}
    spec = replace(Activation(bits, signed, value=0.01), scale=scale, **grouped)
    rng = np.random.default_rng(bits)
    stage = random_stage(rng, 1, 11, 1, 5, (-9, 9), activation=spec)
    check(single("x", stage, 11, rng), random_tokens(rng, 11), spec)


def test_scale_and_its_inverse_are_each_rounded_once() -> None:
    """Codes of 16 bits show an inverse that is off by one unit in the last place."""
    u = np.random.default_rng(7).standard_normal((300, 1, 400)).astype(np.float32)
    high, peak = np.float32(32767), np.abs(u).max(axis=2, keepdims=True)
    codes = quantize(torch.from_numpy(u), Activation(bits=16))
    assert codes.scale.tolist() == (peak / high).flatten().tolist()
    assert np.array_equal(codes.values.numpy(), np.rint(u * (high / peak)))
    assert not np.array_equal(codes.values.numpy(), np.rint(u * (high * (1 / peak))))
    value = np.float32(0.1)
    static = quantize(torch.from_numpy(u), Activation(bits=16, scale="static", value=0.1))
    assert static.scale.tolist() == [value] * 300
    assert np.array_equal(static.values.numpy(), np.rint(u * (1 / value)))


def test_static_scales_at_both_ends() -> None:
    for value in (2.0**-64, 2.0**64):
        static = Activation(bits=4, scale="static", value=value)
        assert codes_of(static, 3 * value, -value, 0.0, 1e38, -1e38)[:3] == [3, -1, 0]


@pytest.mark.parametrize("scale", ["token", "group"])
def test_zero_tokens(scale: str) -> None:
    grouped = {"group": 2, "exponents": 3} if scale == "group" else {}
    spec = replace(Activation(), scale=scale, **grouped)
    under = float(np.nextafter(np.float32(2.0**-64), np.float32(0)))
    for peak in (0.0, 1e-45, under):
        codes = quantize(torch.tensor([[[peak, -peak, 0.0]]]), spec)
        assert codes.values.tolist() == [[[0, 0, 0]]]
        assert codes.scale.tolist() == [0.125 if grouped else 1.0]
        if codes.exponents is not None:
            assert codes.exponents.tolist() == [[0, 0]]
    codes = quantize(torch.tensor([[[2.0**-64, -(2.0**-64), 0.0]]]), spec)
    assert codes.values.tolist() == [[[127, -127, 0]]]
    empty = quantize(torch.zeros(1, 1, 3), Activation(bits=1, signed=False))
    assert (empty.values.sum(), empty.scale.tolist()) == (0, [1.0])


def test_exponents_by_hand() -> None:
    spec = Activation(bits=8, scale="group", group=2, exponents=3)
    u = torch.tensor([[[127.0, 1.0, 63.5, -2.0, 64.0, 0.0, 0.5, 0.0, 15.875]]])
    codes = quantize(u, spec)
    assert codes.exponents is not None
    assert codes.exponents.tolist() == [[3, 2, 3, 0, 0]]
    assert codes.values.tolist() == [[[127, 1, 127, -4, 64, 0, 4, 0, 127]]]
    assert codes.weighted(2).tolist() == [[[1016, 8, 508, -16, 512, 0, 4, 0, 127]]]
    assert codes.scale.tolist() == [0.125]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_inputs_must_be_finite(bad: float) -> None:
    layer = KINDS["bitnet"](np.random.default_rng(0), 2, 3)
    with pytest.raises(ValueError, match=r"^inputs must be finite, got a NaN or an infinity$"):
        run(layer, torch.tensor([1.0, bad, 0.0]))


# Integers


def test_extremes_of_16_bit_codes_and_coefficients() -> None:
    columns = 1000
    planes = pack(np.ones((1, 2, columns), np.bool_))
    coefficients = np.array([-32768, 32767], np.int16).reshape(1, 2, 1, 1)
    stage = Stage(
        planes, columns, columns, coefficients, (1,),
        bias=np.array([5, -5]), activation=Activation(16, scale="static"),
    )  # fmt: skip
    reference = Reference(
        BitplaneLayer("x", columns, (Path((stage,), scales(np.random.default_rng(0), 2)),))
    )
    x = torch.tensor([[-1e9], [1e9]]).expand(2, columns)
    assert reference.accumulate(0, reference.codes(0, x)).tolist() == [
        [(1 << 30) * columns + 5, -32767 * 32768 * columns - 5],
        [-32767 * 32768 * columns + 5, 32767**2 * columns - 5],
    ]


def test_extremes_of_group_scales() -> None:
    group = 3
    spec = Activation(16, False, "group", group=group, exponents=15)
    rng = np.random.default_rng(1)
    stage = random_stage(rng, 3, 2 * group, 1, group, activation=spec)
    x = np.full((2, 2 * group), 1.0, np.float32)
    x[1, group:] = 2.0**-15
    check(single("x", stage, 2 * group, rng), x, "all exponents")


@pytest.mark.parametrize("terms", [1, 64])
def test_many_terms(terms: int) -> None:
    rng = np.random.default_rng(terms)
    monomials = tuple(int(mono) for mono in rng.integers(1, 64, terms))
    stage = random_stage(rng, 3, 21, 6, 5, INT16, monomials=monomials)
    check(single("x", stage, 21, rng), random_tokens(rng, 21), terms)


def test_extremes_of_a_mix() -> None:
    """All terms of the largest mix, at once, in a weight."""
    rng = np.random.default_rng(0)
    mix = ((-128,) * 63 + (-127, -128),) * 3 + ((127,) * 61 + (63, 0, 0, 0),)
    stage = random_stage(
        rng, 2, 9, 6, planes=pack(np.ones((6, 2, 9), np.bool_)), monomials=(*range(1, 64), 1),
        coefficients=np.array([-32768, -32768, -32768, 32767], np.int16).reshape(1, 1, 1, 4),
        mix=mix, offset=np.full((1, 1, 1), 32767, np.int16), activation=Activation(scale="static"),
    )  # fmt: skip
    assert sum(abs(entry) for row in mix for entry in row) == MOST
    check(single("x", stage, 9, rng), random_tokens(rng, 9), mix)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 1, 1), (1, 3, 1), (1, 1, 4), (2, 3, 4), (2, 3, 1)]
)
def test_dimensions_stored_once(shape: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(sum(shape))
    stage = random_stage(
        rng, 3, 13, 2, 4, views=2, column_scale=scales(rng, 2, 13),
        coefficients=rng.integers(-9, 9, (*shape, 2)).astype(np.int16),
        offset=rng.integers(-9, 9, shape).astype(np.int16),
    )  # fmt: skip
    check(single("x", stage, 13, rng), random_tokens(rng, 13), shape)


@pytest.mark.parametrize("kind", [*KINDS])
def test_integer_weights(kind: str) -> None:
    stage = KINDS[kind](np.random.default_rng(5), 3, 11).paths[-1].stages[-1]
    weights = integer_weights(stage)
    assert weights.dtype == torch.int32
    assert weights.shape == (stage.views, 3, stage.columns)
    for v in range(stage.views):
        for j in range(stage.columns):
            one = [
                [int(i == j and u == v) for i in range(stage.columns)] for u in range(stage.views)
            ]
            want = naive.accumulate(replace(stage, bias=None), one, [], 2, True)
            assert weights[v, :, j].tolist() == want


@pytest.mark.parametrize("columns", [510, 511, 512, 513, 514])
def test_sums_about_what_int32_holds(columns: int) -> None:
    """Of extreme codes and coefficients: -2**31 lies between those of 512 and 513 columns."""
    ones = pack(np.ones((1, 2, columns), np.bool_))
    stage = random_stage(
        np.random.default_rng(0), 2, columns, 1, planes=ones, offset=None,
        coefficients=np.array([[[32767]], [[-32768]]], np.int16)[None],
    )  # fmt: skip
    codes = torch.full((1, 1, columns), -128, dtype=torch.int8)
    ready = ReadyStage(stage)
    want = [[-128 * 32767 * columns, 128 * 32768 * columns]]
    assert ready.accumulate(codes).tolist() == want
    assert ready.accumulate(codes.to(torch.int32)).tolist() == want
    assert ready.sums(codes).dtype == (torch.int32 if columns < 511 else torch.int64)


TRANSFORMS = [
    Transform("hadamard", 1, 1, 8),
    Transform("hadamard", 16, 16, 12, 1),
    Transform("hadamard", 4, 4, 3, 0, signs=np.array([1, -1, -1, 1], np.int8)),
    Transform("repeat", 3, 7, 8),
    Transform("repeat", 5, 2, 4),
    Transform("matrix", 2, 3, 16, 32, matrix=np.array([[-32768, 32767], [0, 1], [9, 9]], np.int16)),
]


@pytest.mark.parametrize("spec", TRANSFORMS)
@pytest.mark.parametrize("inputs", [1, 3, 16, 17])
def test_transforms(spec: Transform, inputs: int) -> None:
    matrix = transform_matrix(spec)
    for sample in range(spec.samples):
        assert matrix[sample].tolist() == [naive.entry(spec, sample, j) for j in range(spec.block)]
    rng = np.random.default_rng(inputs)
    for low, high, kind in ((-128, 128, np.int8), (-32768, 65536, np.int32)):
        values = rng.integers(low, high, (2, 3, inputs)).astype(kind)
        values[0] = rng.choice([low, high - 1], (3, inputs))
        got = transform(torch.from_numpy(values), spec)
        assert got.shape == (2, 3, spec.columns(inputs))
        assert got.dtype == (torch.int8 if spec.bits <= 8 else torch.int32)
        assert got.tolist() == [naive.transformed(token.tolist(), spec) for token in values]


# Real outputs and shapes


def test_accumulators_are_rounded_once() -> None:
    """Beyond 2**24 a float32 has no odd integers: halves go to even."""
    stage = Stage(
        pack(np.ones((1, 3, 1), np.bool_)), 1, 1, np.zeros((1, 1, 1, 1), np.int16), (1,),
        bias=np.array([(1 << 24) + 1, (1 << 24) + 3, -(1 << 40) - 1]), activation=Activation(),
    )  # fmt: skip
    layer = BitplaneLayer("x", 1, (Path((stage,), np.ones(1, np.float32)),))
    assert run(layer, torch.zeros(1)).tolist() == [1 << 24, (1 << 24) + 4, -(1 << 40)]


def test_order_of_the_float_operations() -> None:
    """Any other order of these products and sums gives another result."""
    bias = np.array([3], np.int64)
    ones = pack(np.ones((1, 1, 1), np.bool_))
    stage = Stage(
        ones, 1, 1, np.ones((1, 1, 1, 1), np.int16), (1,), bias=bias, activation=Activation()
    )
    row = np.array([0.1], np.float32)
    layer = BitplaneLayer(
        "x", 1, (Path((stage,), row), Path((stage,), -row * 3)), np.array([0.7], np.float32)
    )
    rng, seen = np.random.default_rng(2), 0
    for x in rng.standard_normal(200).astype(np.float32):
        scale = np.float32(abs(x) / np.float32(127))
        acc = np.float32(127 * np.sign(x) + 3)
        first, second = acc * row[0] * scale, acc * (-row * 3)[0] * scale
        want = np.float32(np.float32(first + second) + np.float32(0.7))
        assert run(layer, torch.tensor([x])).item() == want
        seen += acc * np.float32(row[0] * scale) != first
    assert seen > 20


def test_layernorm_of_one_row_is_zero() -> None:
    layer = KINDS["onebit"](np.random.default_rng(0), 1, 5)
    assert run(layer, torch.ones(5)).tolist() == [0.0]


def test_shapes_of_inputs() -> None:
    for kind, make in KINDS.items():
        layer = make(np.random.default_rng(4), 3, 10)
        x = torch.randn(2, 4, 10, generator=torch.Generator().manual_seed(4))
        y = run(layer, x)
        assert y.shape == (2, 4, 3), kind
        assert torch.equal(run(layer, x[1, 2]), y[1, 2]), kind
        assert run(layer, x[:0]).shape == (0, 4, 3), kind
        assert run(layer, x[:, :0]).shape == (2, 0, 3), kind


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (torch.zeros(4, 4), "float32 of shape (4, 4)"),
        (torch.zeros(3, 4, 0), "float32 of shape (3, 4, 0)"),
        (torch.tensor(1.0), "float32 of shape ()"),
        (torch.zeros(2, 3, dtype=torch.float64), "float64 of shape (2, 3)"),
    ],
)
def test_unfit_inputs_are_refused(x: torch.Tensor, got: str) -> None:
    layer = KINDS["bitnet"](np.random.default_rng(0), 2, 3)
    text = f"input of bitnet must be float32 with 3 columns, got {got}"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        run(layer, x)


def test_arrays_may_be_read_only() -> None:
    rng = np.random.default_rng(6)
    for make in KINDS.values():
        layer = make(rng, 3, 10)
        x = torch.randn(10, generator=torch.Generator().manual_seed(4))
        want = run(layer, x)
        for path in layer.paths:
            for part in (
                path,
                *path.stages,
                *(s.transform for s in path.stages),
                *(s.requantize for s in path.stages),
            ):
                for array in vars(part).values() if part is not None else ():
                    if isinstance(array, np.ndarray):
                        array.flags.writeable = False
        assert torch.equal(run(layer, x), want)


def test_half_made_stages_are_refused() -> None:
    stage = random_stage(np.random.default_rng(0), 2, 3, activation=None)
    with pytest.raises(
        ValueError, match=r"^a stage with real inputs must have an activation, got none$"
    ):
        encode(stage, torch.zeros(1, 3), None)
    with pytest.raises(
        ValueError, match=r"^a stage before another must have a requantize, got none$"
    ):
        chain_codes(stage, torch.zeros(1, 2, dtype=torch.int64))


def test_chain_codes_by_hand() -> None:
    stage = random_stage(
        np.random.default_rng(0), 3, 4,
        requantize=Requantize(np.array([[1, 2, -1], [-32768, 32767, 0]], np.int16), 1, 4),
    )  # fmt: skip
    accumulators = torch.tensor([[5, -5, 5], [1 << 46, 1 << 46, -(1 << 46)]])
    codes = chain_codes(stage, accumulators)
    assert codes.dtype == torch.int8
    assert codes.tolist() == [[[3, -5, -2], [-8, -8, 0]], [[7, 7, 7], [-8, 7, 0]]]
