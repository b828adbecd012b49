"""Layers that learn: exact codes, gradients checked by hand, and bitplane layers again."""

import numpy as np
import pytest
import torch
from builders import random_stage, single
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import kl_div, log_softmax

from models.bitplane import BitplaneLayer
from models.codes import Activation, Transform
from models.compensation.parts import part_of
from models.dense import dense
from models.encode import quantize, transform, transform_matrix
from models.formats import parse
from models.formats.spec import StageFormat
from models.reference import run
from models.training.coding import coded, transformed
from models.training.distillation import divergence
from models.training.levels import Levels
from models.training.linear import TrainedLinear
from models.training.optimizer import Optimizer
from models.training.order import Order
from models.training.reconstruction import relative_loss

CPU = torch.device("cpu")
FORMATS = [
    "signs:k=2,group=16", "signs:k=3,group=24,coef_bits=8", "signs:scale=row", "sbvr:k=2,group=16",
    "ternary", "ternary:scale=group,group=16", "ternary:storage=base3", "int:bits=3,group=16",
    "int:bits=8", "fdb:group=16", "binary", "billm", "arb", "pbllm", "jsq", "onebit", "sdq",
    "dbf:bits=4", "littlebit:bits=6",
]  # fmt: skip


def matrix(rows: int, columns: int, seed: int = 0) -> Tensor:
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))


def quantized(text: str, weight: Tensor, activation: Activation | None = None) -> BitplaneLayer:
    return parse(text).quantize(weight, "layer", activation or Activation())


def trained(text: str, weight: Tensor, layer: BitplaneLayer | None = None) -> TrainedLinear:
    spec = parse(text)
    fixed = spec.fixed if isinstance(spec, StageFormat) else 0
    return TrainedLinear(layer or quantized(text, weight), weight, fixed, torch.float32, CPU)


@pytest.mark.parametrize(
    "spec",
    [
        Activation(), Activation(bits=4, signed=False), Activation(bits=1, signed=False),
        Activation(bits=5, scale="static", value=0.07),
        Activation(scale="group", group=4, exponents=3),
    ],
    ids=str,
)  # fmt: skip
def test_codes_are_those_of_circuits(spec: Activation) -> None:
    u = matrix(3, 20)[:, None] * 4
    want = quantize(u, spec)
    codes, scale = coded(u, spec)
    assert torch.equal(codes, want.weighted(spec.group).float())
    assert torch.equal(scale, want.scale)


def test_gradient_of_codes_is_that_of_the_quotient() -> None:
    u = matrix(3, 20)[:, None].requires_grad_()
    codes, scale = coded(u, Activation())
    codes.sum().backward()
    assert u.grad is not None
    torch.testing.assert_close(u.grad, scale.reciprocal()[:, None, None].expand_as(u))


def test_no_gradient_where_codes_saturate() -> None:
    u = torch.tensor([[[-3.0, -0.1, 0.1, 3.0]]], requires_grad=True)
    coded(u, Activation(bits=4, scale="static", value=0.125))[0].sum().backward()
    assert u.grad is not None
    assert u.grad.flatten().tolist() == [0.0, 8.0, 8.0, 0.0]


@pytest.mark.parametrize(
    "spec",
    [
        Transform("hadamard", 4, 4, bits=8, shift=1, signs=np.array([1, -1, -1, 1], np.int8)),
        Transform("repeat", 4, 10, bits=8),
        Transform("matrix", 4, 3, bits=10, shift=7,
                  matrix=np.arange(-600, 600, 100).reshape(3, 4).astype(np.int16)),
    ],
    ids=lambda spec: spec.kind,
)  # fmt: skip
def test_transforms_are_those_of_circuits(spec: Transform) -> None:
    codes = (matrix(5, 7) * 40).round().clamp(-128, 127)[:, None].requires_grad_()
    got = transformed(codes, spec)
    assert torch.equal(got, transform(codes.detach().to(torch.int32), spec).float())
    got[:, :, 1].sum().backward()
    assert codes.grad is not None
    want = transform_matrix(spec)[1] * 2.0**-spec.shift
    torch.testing.assert_close(codes.grad[:, 0, :4], want.expand(5, 4))
    assert not codes.grad[:, 0, 4:].any()


def test_divergence_and_its_gradient() -> None:
    logits, wanted = matrix(70, 9, 1).requires_grad_(), matrix(70, 9, 2) * 3
    want = kl_div(
        log_softmax(logits, 1), log_softmax(wanted, 1), reduction="batchmean", log_target=True
    )
    (gradient,) = torch.autograd.grad(want, logits)
    got = divergence(logits, wanted)
    (2 * got).backward()
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(logits.grad, 2 * gradient)
    assert float(divergence(wanted, wanted)) == 0


@pytest.mark.parametrize("text", FORMATS)
def test_nothing_learned_is_nothing_changed(text: str) -> None:
    weight = matrix(24, 144)
    layer = quantized(text, weight)
    learner = trained(text, weight, layer)
    for levels in learner.levels():
        before = levels.matrix.detach().clone()
        levels.choose()
        assert torch.equal(levels.matrix, before)
    again = learner.layer()
    assert again.stored_bits == layer.stored_bits
    np.testing.assert_allclose(dense(again), dense(layer), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("text", FORMATS)
def test_computes_what_circuits_do(text: str) -> None:
    weight, x = matrix(24, 144), matrix(5, 144, 3)
    layer = quantized(text, weight)
    got = trained(text, weight, layer)(x[None])[0]
    want = run(layer, x)
    torch.testing.assert_close(got.detach(), want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))


@pytest.mark.parametrize(
    "text", ["signs:k=2,group=16", "int:bits=3,group=20", "ternary", "sbvr:group=12"]
)
def test_gradients(text: str) -> None:
    """Against autograd through the same sums: levels by features of codes."""
    weight, x, y = matrix(6, 36), matrix(9, 36, 1), matrix(9, 6, 2)
    learner = trained(text, weight)
    (learner(x) * y).sum().backward()
    levels = learner.levels()[0]
    levels.gather()
    part = part_of(quantized(text, weight).paths[0], 0)
    codes, scale = coded(x[:, None], Activation())
    real = (codes[:, 0] * scale[:, None])[:, part.inputs] * part.column_scale
    slope = y.T @ real
    torch.testing.assert_close(levels.latents.grad, slope, rtol=1e-4, atol=1e-4)
    free = part.coefficients.clone().requires_grad_()
    table = free @ part.features.T
    group = (torch.arange(36) // part.group).clamp(max=table.shape[1] - 1)
    values = table[torch.arange(6)[:, None], group, part.codes]
    (want,) = torch.autograd.grad((values * slope).sum(), free)
    if part.freedom != "group":
        want = (want * part.coefficients).sum((1, 2), keepdim=True)
        want = want.sum(0, keepdim=True) if part.freedom == "matrix" else want
    torch.testing.assert_close(levels.coefficients.grad, want, rtol=1e-4, atol=1e-4)


@given(seed=st.integers(0, 99), k=st.integers(1, 3), group=st.sampled_from([5, 8, 20]))
def test_chosen_levels_are_the_nearest(seed: int, k: int, group: int) -> None:
    rng = np.random.default_rng(seed)
    layer = single("layer", random_stage(rng, 3, 20, k=k, group=group), 20, rng)
    levels = Levels(layer.paths[0], 0, torch.float32, CPU)
    with torch.no_grad():
        levels.latents.copy_(matrix(3, 20, seed) * levels.size)
    levels.choose()
    latents, chosen = levels.latents.detach(), levels.matrix.detach()
    table = levels.coefficients.detach() @ part_of(layer.paths[0], 0).features.T
    for row in range(3):
        for column in range(20):
            known = (latents[row, column] - table[row, column // group]).abs()
            mine = (latents[row, column] - chosen[row, column]).abs()
            assert float(mine) <= float(known.min()) + 1e-5 * levels.size, f"seed {seed}"


def test_planes_that_are_fixed_stay() -> None:
    weight = matrix(8, 32)
    layer, learner = quantized("jsq", weight), trained("jsq", weight)
    for levels in learner.levels():
        with torch.no_grad():
            levels.latents += matrix(8, 32, 5)
        assert levels.choose() > 0
    planes, before = learner.layer().paths[0].stages[0].planes, layer.paths[0].stages[0].planes
    assert np.array_equal(planes[0], before[0])
    assert not np.array_equal(planes[1:], before[1:])


@pytest.mark.parametrize(
    ("text", "rate", "steps", "part"),
    [
        ("signs:k=2,group=16", 0.05, 60, 0.8), ("onebit", 0.05, 60, 0.8), ("sdq", 0.05, 60, 0.8),
        ("ternary", 0.05, 60, 0.8), ("dbf:bits=4", 0.02, 120, 0.85),
    ],
)  # fmt: skip
def test_learning_lowers_the_error_of_the_stored_layer(
    text: str, rate: float, steps: int, part: float
) -> None:
    weight, x = matrix(16, 64), matrix(64, 64, 1)
    wanted, layer = x @ matrix(16, 64, 9).T * 0.3 + x @ weight.T, quantized(text, weight)
    if layer.post == "layernorm":
        wanted = torch.nn.functional.layer_norm(wanted, (16,))
    learner = trained(text, weight, layer)
    optimizer = Optimizer({"layer": learner}, rate, 0.01, steps)
    for number in range(steps):
        relative_loss(learner(x), wanted).backward()
        assert 0 <= optimizer.step(number) <= 1
    before, after = (float(relative_loss(run(one, x), wanted)) for one in (layer, learner.layer()))
    assert after < part * before


def test_biases_learn() -> None:
    weight, x = matrix(4, 8), matrix(20, 8, 1)
    layer = quantized("ternary", weight)
    layer = BitplaneLayer("layer", 8, layer.paths, bias=np.zeros(4, np.float32) + 0.1)
    learner = trained("ternary", weight, layer)
    (learner(x) - 5).square().mean().backward()
    Optimizer({"layer": learner}, 0.0, 0.5, 1).step(0)
    bias = learner.layer().bias
    assert bias is not None
    assert bool((bias > 0.1).all())


@pytest.mark.parametrize(
    ("text", "activation", "line"),
    [
        ("mdbf:bits=6", Activation(), "a layer to train must have one view, got 2"),
        ("binary", Activation(bits=1, signed=False),
         "a layer to train must have no bias between integers, got one"),
    ],
)  # fmt: skip
def test_what_cannot_learn(text: str, activation: Activation, line: str) -> None:
    weight = matrix(32, 32)
    with pytest.raises(ValueError, match=f"^{line}$"):
        trained(text, weight, quantized(text, weight, activation))


def test_each_window_once_in_a_pass() -> None:
    order = Order(7, seed=2)
    places = [order.batch(step, 3) for step in range(14)]
    flat = [window for batch in places for window in batch]
    passes = [flat[n : n + 7] for n in range(0, 42, 7)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert len({tuple(one) for one in passes}) == 6
    assert Order(7, seed=2).batch(9, 3) == places[9]
