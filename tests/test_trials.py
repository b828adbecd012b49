"""What formats are expected to cost, against what they do cost; their bits; lists of formats."""

import copy
import re
from dataclasses import replace

import pytest
import tiny
import torch
from matrices import weights
from torch import Tensor

from models import llm
from models.calibration.migration import Migration
from models.calibration.wanted import Wanted
from models.codes import Activation
from models.dense import dense
from models.equivalence import Equivalence
from models.formats import parse
from models.formats.several import several
from models.sensitivity import expected_loss, output_sensitivity
from models.trials import candidates, measure, sizes

SPECS = [
    "signs:k=2,group=8", "ternary", "int:bits=3,group=8", "billm:block=8,salient=2", "onebit",
    "jsq", "pbllm", "sbvr:k=2,group=8,table=4", "binary", "sdq:block=8", "arb:block=8,salient=2",
    "dbf:bits=4", "mdbf:bits=6", "littlebit:bits=8",
]  # fmt: skip


@pytest.fixture(scope="module")
def model() -> llm.LLM:
    return llm.LLM("llama", tiny.model("llama"), tiny.tokenizer(), "memory")


def windows(count: int, seed: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(2, len(tiny.WORDS), (count, 12), generator=random)  # 1 is padding


def wanted_of(rows: int, columns: int = 24, seed: int = 0) -> Wanted:
    inputs = torch.from_numpy(weights(90, columns, seed + 1))
    target = torch.from_numpy(weights(rows, columns, seed))
    return Wanted("x", target, None, None, inputs.T @ inputs / 90)


@pytest.mark.parametrize("name", ["model.layers.0.self_attn.v_proj", "model.layers.1.mlp.up_proj"])
def test_predictions_diverge_as_the_sensitivity_says(model: llm.LLM, name: str) -> None:
    text, linear = windows(60), llm.linear_layers(model)[name]
    found = output_sensitivity(model, text, {name: linear})[name]
    assert found.shape == (linear.out_features,)
    random = torch.Generator().manual_seed(5)
    size = 0.05 * float(linear.weight.detach().std())

    exact = copy.deepcopy(model.model).double()  # divergences are small
    linear = exact.get_submodule(name)

    def log_probabilities() -> Tensor:
        with torch.no_grad():
            return exact(input_ids=text).logits.log_softmax(-1)

    before, diverged = log_probabilities(), 0.0
    for _ in range(4):
        change = size * torch.randn(60, 12, len(found), generator=random)
        hook = linear.register_forward_hook(lambda *call, by=change: call[2] + by)
        after = log_probabilities()
        hook.remove()
        diverged += float((before.exp() * (before - after)).sum(-1).mean()) / 4
    assert diverged == pytest.approx(float(found.sum() * size**2 / 2), rel=0.1)


def test_a_model_is_left_as_it_was(model: llm.LLM) -> None:
    linears = llm.linear_layers(model)
    output_sensitivity(model, windows(1), linears)
    assert all(parameter.requires_grad for parameter in model.model.parameters())
    assert all(parameter.grad is None for parameter in model.model.parameters())
    assert not any(linear._forward_hooks for linear in linears.values())


def test_loss_is_that_of_changed_outputs() -> None:
    inputs, change = (torch.from_numpy(weights(n, 7, seed=n)) for n in (50, 4))
    hessian, sensitivity = inputs.T @ inputs / 50, torch.tensor([1.0, 0.0, 2.0, 0.5])
    outputs = (inputs @ change.T).square().mean(0)
    assert torch.allclose(expected_loss(change, hessian, sensitivity), sensitivity * outputs / 2)


@pytest.mark.parametrize("text", SPECS)
def test_some_rows_stand_for_all(text: str) -> None:
    wanted, sensitivity = wanted_of(80), torch.linspace(1, 3, 80)
    every, some = (candidates(wanted, sensitivity, [text], rows) for rows in (80, 20))
    layer = parse(text).quantize(wanted.target, "x", Activation(), wanted.hessian)
    assert every.weights == some.weights == 80 * 24
    assert every.candidates[0].bits == some.candidates[0].bits == layer.stored_bits
    assert wanted.hessian is not None
    change = torch.from_numpy(dense(layer)) - wanted.target
    lost = float(expected_loss(change, wanted.hessian, sensitivity).sum())
    assert every.candidates[0].loss == pytest.approx(lost)
    assert some.candidates[0].loss == pytest.approx(
        lost, rel=0.4
    )  # shared columns suit few rows better


@pytest.mark.parametrize("bias", [False, True])
def test_sizes_are_known_without_inputs(bias: bool) -> None:
    wanted = wanted_of(80)
    linear = torch.nn.Linear(24, 80, bias)
    linear.weight.data = wanted.target
    wanted = replace(wanted, bias=linear.bias)
    found = sizes({"x": linear, "y": linear}, SPECS)
    tried = candidates(wanted, torch.ones(80), SPECS)
    for layer in (found["x"], found["y"]):
        assert layer.weights == tried.weights
        assert [one.bits for one in layer.candidates] == [one.bits for one in tried.candidates]


def test_formats_of_whole_matrices_are_tried_on_all_rows() -> None:
    wanted, sensitivity = wanted_of(40), torch.ones(40)
    few, every = (candidates(wanted, sensitivity, ["dbf:bits=2"], rows) for rows in (8, 40))
    assert few == every


def test_changes_of_inputs_and_biases_count() -> None:
    plain = wanted_of(70)
    change = Equivalence(scale=torch.ones(24).numpy())
    more = Wanted("x", plain.target, torch.ones(70), change, plain.hessian)
    one, other = (candidates(it, torch.ones(70), ["ternary"]).candidates[0] for it in (plain, more))
    assert other.bits - one.bits == 32 * 70 + 32 * 24
    assert other.loss == one.loss


def test_rows_of_zeros_lose_nothing() -> None:
    plain = wanted_of(4)
    wanted = Wanted("x", torch.zeros_like(plain.target), None, None, plain.hessian)
    assert candidates(wanted, torch.ones(4), ["signs:k=1,group=8"]).candidates[0].loss == 0


def test_all_layers_are_tried(model: llm.LLM) -> None:
    linears = llm.linear_layers(model)
    formats = ["signs:k=1,group=16", "signs:k=3,group=16"]
    found = measure(model, windows(6), linears, formats, Migration(), Activation())
    assert list(found) == list(linears)
    for name, layer in found.items():
        assert layer.weights == linears[name].weight.numel()
        one, three = layer.candidates
        assert (one.format, three.format) == tuple(formats)
        assert one.bits < three.bits
        assert one.loss > 3 * three.loss > 0


def test_a_layer_that_cannot_have_a_format_is_named() -> None:
    text = "^layer x: group must be at most the layer's 24 inputs, got 128$"
    with pytest.raises(ValueError, match=text):
        candidates(wanted_of(4), torch.ones(4), ["signs"])


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("signs", ["signs"]),
        ("signs:k=1..3", ["signs:k=1", "signs:k=2", "signs:k=3"]),
        (" ternary ; int:bits=2|4 ", ["ternary", "int:bits=2", "int:bits=4"]),
        (
            "signs:k=1..2,group=32|64",
            [f"signs:k={k},group={group}" for k in (1, 2) for group in (32, 64)],
        ),
        ("ternary:scale=row|tensor", ["ternary:scale=row", "ternary:scale=tensor"]),
        ("sdq:osr=1.5|2", ["sdq:osr=1.5", "sdq:osr=2"]),
    ],
)  # fmt: skip
def test_lists_of_formats_are_written_out(text: str, formats: list[str]) -> None:
    assert several(text) == formats


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("signs:k=3..1", "range of k must rise, got 3..1"),
        ("signs:k=7..9", "k must be from 1 to 8, got 9"),
        ("signs:k=1..", "k must be a whole number, got '1..'"),
        ("signs:k=1..8,group=1..9", "formats must number at most 64, got 72"),
    ],
)
def test_bad_lists_are_refused(text: str, line: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(line)}$"):
        several(text)
