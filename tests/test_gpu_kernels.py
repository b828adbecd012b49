"""The sources of the GPU kernels, compiled for the CPU, against the reference."""

import shutil
from dataclasses import replace

import builders
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.codes import Activation
from models.encode import encode
from models.equivalence import Equivalence
from models.exact import tensor
from models.gpu.bits import BinaryMatrix
from models.gpu.build import emulated_library
from models.gpu.change import change_tensors, changed
from models.gpu.device import DeviceStage, accumulate
from models.gpu.device import encode as device_encode
from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels, MixedExecution, input_tensors, uncovered
from models.gpu.measure.attend import attention_differs
from models.gpu.measure.exact import compare, compare_bits
from models.gpu.measure.layers import each_kind, plain_layer, random_layers
from models.planes import pack
from models.reference import ReadyStage, run
from models.stage import Stage

pytestmark = pytest.mark.skipif(shutil.which("c++") is None, reason="a C++ compiler is missing")


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    return Kernels(emulated_library())


def random_codes(rng: np.random.Generator, tokens: int, stage: Stage) -> torch.Tensor:
    """Draw int8 codes, the extremes among them."""
    shape = (tokens, stage.views, stage.columns)
    codes = rng.integers(-128, 128, shape)
    codes[rng.random(shape) < 0.1] = -128
    return torch.from_numpy(codes.astype(np.int8))


def grouped(rng: np.random.Generator, out: int, columns: int, k: int, group: int) -> Stage:
    views = int(rng.integers(1, 3))
    scale = builders.scales(rng, views, columns) if views > 1 else None
    return builders.random_stage(
        rng, out, columns, k, min(group, columns), views=views, column_scale=scale
    )


@pytest.mark.parametrize("name", builders.KINDS)
def test_every_kind_equals_reference(kernels: Kernels, name: str) -> None:
    rng = np.random.default_rng(1)
    layer = builders.KINDS[name](rng, 19, 45)
    x = torch.from_numpy(rng.standard_normal((2, 45)).astype(np.float32))
    want = run(layer, x)
    assert torch.equal(MixedExecution(layer, kernels, torch.device("cpu"))(x), want)
    if uncovered(layer) is None:
        ready = LayerOnKernels(layer)
        assert torch.equal(ready.run(kernels, ready.tensors, x, 0), want)


def test_the_common_kinds_are_covered() -> None:
    rng = np.random.default_rng(2)
    layers = {name: make(rng, 8, 24) for name, make in builders.KINDS.items()}
    covered = {name for name, layer in layers.items() if uncovered(layer) is None}
    assert covered >= {"bitnet", "fdb", "mixed_signs", "mixed_more", "billm", "dbf", "masked"}
    assert uncovered(layers["onebit"]) == "post layernorm"
    assert uncovered(layers["sums_of_signs"]) == "16-bit signed codes"


@pytest.mark.parametrize("group", [32, 37, 64, 128, 256, 700])
@pytest.mark.parametrize("tokens", [1, 3, 18])
def test_every_choice_equals_reference(kernels: Kernels, group: int, tokens: int) -> None:
    rng = np.random.default_rng(group + tokens)
    k = int(rng.integers(1, 5))
    stage = grouped(rng, int(rng.integers(1, 40)), int(rng.integers(300, 700)), k, group)
    codes = random_codes(rng, tokens, stage)
    want, ready = ReadyStage(stage).accumulate(codes), DeviceStage(stage)
    listed = ready.choices(tokens)
    assert "tensor" in {choice.kind for choice in listed}
    for choice in listed[:: 1 if tokens == 1 else 3]:
        have = accumulate(kernels, ready, (codes,), choice=choice)
        assert torch.equal(have, want), choice


@pytest.mark.parametrize(("columns", "group"), [(40, 40), (320, 320), (700, 64), (641, 37)])
@pytest.mark.parametrize("tokens", [1, 9, 18])
def test_base_3_equals_reference(kernels: Kernels, columns: int, group: int, tokens: int) -> None:
    rng = np.random.default_rng(columns + tokens)
    out, views = int(rng.integers(1, 40)), int(rng.integers(1, 3))
    plus, minus = (weights := rng.integers(-1, 2, (out, columns))) == 1, weights == -1
    scale = rng.integers(-32767, 32768, (views, out, -(-columns // group), 1))
    stage = builders.random_stage(
        rng, out, columns, 2, group, planes=pack(np.stack([plus, minus])), views=views,
        coefficients=np.concatenate([scale, -scale], -1).astype(np.int16),
        column_scale=builders.scales(rng, views, columns), base3=True,
    )  # fmt: skip
    codes = random_codes(rng, tokens, stage)
    want, ready = ReadyStage(stage).accumulate(codes), DeviceStage(stage)
    assert ready.shape.base3
    for choice in ready.choices(tokens):
        assert torch.equal(accumulate(kernels, ready, (codes,), choice=choice), want), choice


@pytest.mark.parametrize("rotation", [0, 2, 64, 512, 4096])
@pytest.mark.parametrize("real", [torch.float32, torch.float16, torch.bfloat16])
def test_changes_of_inputs_equal_reference(
    kernels: Kernels, rotation: int, real: torch.dtype
) -> None:
    rng = np.random.default_rng(rotation)
    inputs = 3 * rotation or 100
    shift, scale = rng.standard_normal((2, inputs)).astype(np.float32)
    x = torch.from_numpy(rng.standard_normal((2, inputs))).to(real)
    for parts in ((shift, scale), (None, scale), (shift, None), (None, None)):
        change = Equivalence(*parts, rotation)
        have = changed(kernels, change, change_tensors(change), x, 0)
        assert torch.equal(have, change.inputs(x.float()))


@pytest.mark.parametrize("tokens", [1, 5, 20])
@pytest.mark.parametrize("real", [torch.float32, torch.float16])
def test_layers_with_an_equivalence(kernels: Kernels, tokens: int, real: torch.dtype) -> None:
    rng = np.random.default_rng(tokens)
    scale = rng.uniform(0.5, 2, 192).astype(np.float32)
    layer = replace(plain_layer(rng, 40, 192, 64), equivalence=Equivalence(None, scale, 64))
    ready, x = LayerOnKernels(layer), torch.from_numpy(rng.standard_normal((tokens, 192))).to(real)
    have = ready.run(kernels, ready.tensors, x, 0)
    assert torch.equal(have, run(layer, x.float()).to(real))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_stages_equal_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    out, columns, k = (int(rng.integers(1, most)) for most in (50, 300, 6))
    stage = grouped(rng, out, columns, k, int(rng.integers(1, columns + 1)))
    codes = random_codes(rng, int(rng.integers(1, 6)), stage)
    have = accumulate(Kernels(emulated_library()), DeviceStage(stage), (codes,))
    assert torch.equal(have, ReadyStage(stage).accumulate(codes))


def test_wide_coefficients(kernels: Kernels) -> None:
    rng = np.random.default_rng(3)
    stage = builders.random_stage(
        rng, 5, 40, 2, offset=None, coefficients=np.full((1, 5, 1, 2), 32767, np.int16),
        mix=((99, 1, 0), (1, 99, 5)),
    )  # fmt: skip
    ready, codes = DeviceStage(stage), random_codes(rng, 1, stage)
    assert ready.shape.wide
    want = ReadyStage(stage).accumulate(codes)
    assert torch.equal(accumulate(kernels, ready, (codes,)), want)


@pytest.mark.parametrize("bit_planes", [False, True])
@pytest.mark.parametrize(
    "activation",
    [Activation(), Activation(bits=3), Activation(bits=7, signed=False),
     Activation(bits=5, scale="static", value=0.3)],
    ids=["8", "3", "unsigned", "static"],
)  # fmt: skip
def test_encode_equals_reference(
    kernels: Kernels, activation: Activation, bit_planes: bool
) -> None:
    rng = np.random.default_rng(4)
    used = rng.integers(0, 50, 45).astype(np.int32)
    stage = builders.random_stage(
        rng, 3, 45, 1, 20, views=2, gather=used, column_scale=builders.scales(rng, 2, 45),
        activation=activation,
    )  # fmt: skip
    x = torch.from_numpy(rng.standard_normal((4, 50)).astype(np.float32))
    x[1] = 0
    x[2, 7] = 1e-30
    ready = DeviceStage(stage)
    parts = input_tensors(stage, ready)
    want = encode(stage, x, None if stage.column_scale is None else tensor(stage.column_scale))
    codes, scale = device_encode(kernels, parts, stage, ready.shape, x, bit_planes, 0)
    assert torch.equal(codes, ready.lay_out(want.values, bit_planes))
    assert torch.equal(scale, want.scale)
    x[3, used[0]] = torch.nan
    codes, scale = device_encode(kernels, parts, stage, ready.shape, x, bit_planes, 0)
    assert scale.isnan().tolist() == [False, False, False, True]


@pytest.mark.parametrize("tensor_cores", [True, False])
@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (19, 9, 300), (130, 70, 257)])
def test_bits_times_bits(
    kernels: Kernels, tensor_cores: bool, signs: bool, shape: tuple[int, int, int]
) -> None:
    rows, tokens, columns = shape
    rng = np.random.default_rng(5)
    w, x = rng.random((rows, columns)) < 0.5, rng.random((tokens, columns)) < 0.5
    matrix = BinaryMatrix(w, signs)
    have = matrix.multiply(kernels, matrix.tensors, matrix.pack(x), tensor_cores, 0)
    w, x = (np.where(bits, 1, -1 if signs else 0) for bits in (w, x))
    assert np.array_equal(have.numpy(), x @ w.T)


def test_random_layers_as_the_plan_draws_them(kernels: Kernels) -> None:
    counts = compare(kernels, random_layers(2, 7, "cpu"), 60, "cpu", seed=7)
    assert counts["mismatches"] == 0
    assert counts["layers"] >= 1


def test_each_kind_of_layer(kernels: Kernels) -> None:
    layers = list(each_kind("cpu"))
    assert {len(layer.paths[0].stages) for layer in layers} == {1, 2}
    assert any(layer.paths[0].stages[0].base3 for layer in layers)
    assert any(layer.equivalence is not None for layer in layers)
    counts = compare(kernels, layers, 600, "cpu")
    assert (counts["layers"], counts["mismatches"]) == (len(layers), 0)
    assert compare_bits(kernels, "cpu") == {"products": 4, "mismatches": 0}


def test_a_wrong_kernel_is_found(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the offset's flag, offsets do not count: comparisons must see it."""
    rng = np.random.default_rng(6)
    ready = DeviceStage(stage := grouped(rng, 20, 200, 2, 64))
    codes = random_codes(rng, 2, stage)
    monkeypatch.setattr(ready, "shape", replace(ready.shape, has_offset=False))
    assert not torch.equal(
        accumulate(kernels, ready, (codes,)), ReadyStage(stage).accumulate(codes)
    )


@pytest.mark.parametrize(("heads", "kv_heads", "head"), [(4, 2, 64), (2, 2, 128)])
def test_attention_equals_pytorchs(kernels: Kernels, heads: int, kv_heads: int, head: int) -> None:
    assert not attention_differs(kernels, heads, kv_heads, head, "cpu")


@pytest.mark.parametrize(("columns", "group"), [(512, 64), (520, 192), (4608, 128), (12800, 12800)])
@pytest.mark.parametrize("real", [torch.float32, torch.float16, torch.bfloat16])
def test_plain_layers_from_reals_to_reals(
    kernels: Kernels, columns: int, group: int, real: torch.dtype
) -> None:
    """Inputs that a block's threads keep one, three and more times over."""
    rng = np.random.default_rng(columns)
    layer = plain_layer(rng, 70, columns, group)
    ready, x = LayerOnKernels(layer), torch.from_numpy(rng.standard_normal((5, columns))).to(real)
    assert ready.plain
    x[1], x[2, 7], x[3, -1] = 0, torch.nan, -torch.inf
    fine = [0, 1, 4]
    want = run(layer, x[fine].float()).to(real)
    for tokens in (1, 2, 5):
        for choice in ready.plain_choices(kernels, tokens):
            have = ready.run(kernels, ready.tensors, x[:tokens], 0, choice)
            whole = [token for token in fine if token < tokens]
            assert torch.equal(have[whole], want[: len(whole)]), choice
            assert have[[token for token in range(tokens) if token not in fine]].isnan().all()
