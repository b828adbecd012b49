"""What formats cost a model: derivatives against finite differences, and budgets that hold."""

from pathlib import Path

import pytest
import tiny
import torch
from torch.nn.functional import cross_entropy

import models.__main__
from models import llm
from models.codes import Activation
from models.dense import dense
from models.formats import parse
from models.sensitivity import choices, output_gradients
from models.store import open_layers

FORMATS = ["signs:k=1,group=16,coef_bits=8", "signs:k=3,group=16,coef_bits=8"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def tiny_llm() -> llm.LLM:
    return llm.LLM("llama", tiny.model("llama"), tiny.tokenizer(), "memory")


def windows(count: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(3)
    return torch.randint(len(tiny.WORDS), (count, 12), generator=random)


def test_derivatives_by_differences() -> None:
    model, text = tiny_llm(), windows(1)
    model.model.double()
    name = "model.layers.1.self_attn.o_proj"
    chosen = {name: llm.linear_layers(model)[name]}
    found = output_gradients(model, chosen, text)[name]
    step, squares = 1e-4, torch.zeros(tiny.HIDDEN)
    for token in range(text.shape[1]):
        for row in (0, 5):
            losses = []
            for sign in (1, -1):
                change = torch.zeros(1, text.shape[1], tiny.HIDDEN, dtype=torch.float64)
                change[0, token, row] = sign * step
                hook = chosen[name].register_forward_hook(lambda _, __, y, c=change: y + c)
                with torch.no_grad():
                    logits = model.model(input_ids=text).logits[0]
                hook.remove()
                losses.append(float(cross_entropy(logits[:-1], text[0, 1:], reduction="sum")))
            squares[row] += ((losses[0] - losses[1]) / (2 * step)) ** 2 / text.shape[1]
    for row in (0, 5):
        assert float(found[row]) == pytest.approx(float(squares[row]), rel=0.02)
    assert all(one.grad is None for one in model.model.parameters())


def test_finer_formats_lose_less_and_are_kept(tmp_path: Path) -> None:
    model = tiny_llm()
    chosen = llm.linear_layers(model)
    found = choices(model, chosen, FORMATS, Activation(), windows(16))
    assert list(found) == list(chosen)
    for name, layer in found.items():
        coarse, fine = layer.candidates
        assert layer.weights == chosen[name].weight.numel()
        assert 0 < fine.loss < coarse.loss
        assert fine.bits > coarse.bits
    before = {name: list(layer.candidates) for name, layer in found.items()}
    (record,) = (tmp_path / "cache").rglob("sensitivity/*.json")
    changed = record.stat().st_mtime_ns
    again = choices(model, chosen, FORMATS, Activation(), windows(16))
    assert {name: list(layer.candidates) for name, layer in again.items()} == before
    assert record.stat().st_mtime_ns == changed


def test_losses_by_their_definition() -> None:
    model, text, spec = tiny_llm(), windows(8), "int:bits=3,group=8"
    name = "model.layers.1.mlp.down_proj"
    linear = llm.linear_layers(model)[name]
    found = choices(model, {name: linear}, [spec], Activation(), text)[name].candidates[0]
    seen: list[torch.Tensor] = []
    hook = linear.register_forward_pre_hook(lambda _, args: seen.append(args[0].flatten(0, -2)))
    with torch.no_grad():
        model.model(input_ids=text)
    hook.remove()
    x = seen[0].double()
    weight = linear.weight.detach()
    layer = parse(spec).quantize(weight, name, Activation(), (x.T @ x / len(x)).float())
    outputs = x @ (torch.from_numpy(dense(layer)) - weight).double().T
    squares = output_gradients(model, {name: linear}, text)[name]
    wanted = 0.5 * float((outputs.square().mean(0) * squares).sum())
    assert found.loss == pytest.approx(wanted, rel=0.2), "bfloat16 changes some codes"


@pytest.mark.parametrize("budget", [2.7, 3.6])
def test_budget_holds(budget: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "layers.safetensors"
    arguments = ["models", "quantize", str(source), "--format", *FORMATS, "--budget", str(budget),
                 "--windows", "4", "-o", str(file)]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    models.__main__.main()
    with open_layers(file) as opened:
        layers = [opened.layer(name) for name in opened.names]
    weights = sum(layer.out * layer.inputs for layer in layers)
    bits = sum(layer.stored_bits for layer in layers)
    assert 0.9 * budget < bits / weights <= budget
    assert {stage.k for layer in layers for path in layer.paths for stage in path.stages} == {1, 3}


def test_budget_needs_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f"
    for more, got in ((["--budget", "2"], "got 1 and a budget"), ([FORMATS[1]], "got 2 and no")):
        arguments = ["models", "quantize", "x", "--format", FORMATS[0], *more, "-o", str(file)]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(ValueError, match=f"one, or several with --budget, {got}"):
            models.__main__.main()
    assert parse(FORMATS[0])
