"""Calibration: what reaches the layers of several families, and what they are asked to become."""

from pathlib import Path

import pytest
import tiny
import torch
from torch import Tensor

from models import llm
from models.bitplane import BitplaneLayer
from models.calibration.blocks import blocks_of, embedded
from models.calibration.stream import CodedLinear, Wanted, calibrate
from models.calibration.text import calibration_windows
from models.calibration.trace import groups_of, trace
from models.codes import Activation
from models.formats import parse
from models.quantize import quantize_model
from models.store import open_layers

CODES = Activation(bits=16)


def tiny_llm(family: str = "llama") -> llm.LLM:
    return llm.LLM(family, tiny.model(family), tiny.tokenizer(), "memory")


def windows(count: int = 6, seed: int = 3) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(len(tiny.WORDS), (count, 12), generator=random)


@pytest.mark.parametrize(
    ("family", "names", "additive"),
    [
        ("llama", [["q_proj", "k_proj", "v_proj"], ["o_proj"], ["gate_proj", "up_proj"],
                   ["down_proj"]], [False, True, False, True]),
        ("qwen2", [["q_proj", "k_proj", "v_proj"], ["o_proj"], ["gate_proj", "up_proj"],
                   ["down_proj"]], [False, True, False, True]),
        ("gpt_neox", [["query_key_value"], ["dense"], ["dense_h_to_4h"], ["dense_4h_to_h"]],
         [False, True, False, True]),
        ("opt", [["q_proj", "k_proj", "v_proj"], ["out_proj"], ["fc1"], ["fc2"]],
         [False, True, False, True]),
    ],
)  # fmt: skip
def test_groups_of_a_family(family: str, names: list[list[str]], additive: list[bool]) -> None:
    model = tiny_llm(family)
    blocks, hidden = blocks_of(model.model, windows()[:1])
    assert len(blocks) == 2
    groups = groups_of(blocks[1], hidden)
    assert [sorted(name.split(".")[-1] for name in group.names) for group in groups] == [
        sorted(part) for part in names
    ]
    assert [group.additive for group in groups] == additive


def test_a_layer_behind_a_norm_is_not_additive() -> None:
    model = tiny_llm()
    blocks, hidden = blocks_of(model.model, windows()[:1])
    norm, mlp = torch.nn.LayerNorm(tiny.HIDDEN), blocks[0].module.get_submodule("mlp")
    mlp.register_forward_hook(lambda *call: norm(call[2]))
    assert [group.additive for group in groups_of(blocks[0], hidden)] == [False, True, False, False]


@pytest.mark.parametrize("family", ["llama", "gpt_neox", "opt"])
def test_blocks_run_as_the_model_does(family: str) -> None:
    model, window = tiny_llm(family), windows()[:1]
    blocks, hidden = blocks_of(model.model, window)
    assert torch.equal(embedded(model.model, blocks[0], window), hidden)
    with torch.no_grad():
        states = model.model(input_ids=window, output_hidden_states=True).hidden_states
    first = blocks[0].run(hidden)
    torch.testing.assert_close(first, states[1])


def test_sum_before_an_additive_layer() -> None:
    model = tiny_llm()
    blocks, hidden = blocks_of(model.model, windows()[:1])
    groups = groups_of(blocks[0], hidden)
    whole = trace(blocks[0], groups, hidden)
    assert whole.result is not None
    last = whole.added[3]
    assert last is not None
    torch.testing.assert_close(whole.before(3) + last, whole.result[0])
    part = trace(blocks[0], groups, hidden, last=2)
    assert part.result is None
    assert len(part.inputs) == 3
    assert torch.equal(part.inputs[2], whole.inputs[2])


@pytest.mark.parametrize("family", ["llama", "opt"])
def test_target_makes_up_for_what_is_lacking(family: str) -> None:
    """The matrix asked for foretells the float block better than the float matrix does."""
    model, tokens, seen = tiny_llm(family), windows(64), []

    def rough(wanted: Wanted) -> BitplaneLayer:
        seen.append(wanted)
        return parse("signs:k=2,scale=row").quantize(wanted.target, wanted.name, CODES)

    found = {layer.name: layer for layer in
             calibrate(model, tokens, rough, lambda _: None, torch.float32)}  # fmt: skip
    assert [one.name for one in seen] == list(found)
    assert sorted(found) == sorted(llm.linear_layers(model))
    blocks, _ = blocks_of(model.model, tokens[:1])
    hidden = [embedded(model.model, blocks[0], window[None]) for window in tokens]
    coded = blocks[0].copy(torch.float32)
    groups = groups_of(blocks[0], hidden[0])
    for group in groups[:-1]:
        for name in group.names:
            bias = blocks[0].linears()[name].bias
            layer = CodedLinear(found[f"{blocks[0].name}.{name}"], bias, torch.float32)
            coded.module.set_submodule(name, layer)
    name = groups[-1].names[0]
    last, losses = coded.linears()[name], []
    target = next(one.target for one in seen if one.name == f"{blocks[0].name}.{name}")
    for weight in (last.weight.detach().clone(), target):
        last.weight.data = weight
        losses.append(sum(float((coded.run(h) - blocks[0].run(h)).square().sum()) for h in hidden))
    assert losses[1] < 0.9 * losses[0]


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox", "opt"])
def test_fine_layers_change_nothing(family: str) -> None:
    model = tiny_llm(family)

    def fine(wanted: Wanted) -> BitplaneLayer:
        own = layers[wanted.name].weight.detach()
        assert float((wanted.target - own).norm()) < 0.1 * float(own.norm())
        return parse("int:bits=8,group=8").quantize(wanted.target, wanted.name, CODES)

    layers = llm.linear_layers(model)
    found = list(calibrate(model, windows(), fine, lambda _: None, torch.float32))
    assert sorted(layer.name for layer in found) == sorted(layers)


def test_calibrated_layers_foretell_better(tmp_path: Path) -> None:
    model, tokens = tiny_llm(), windows(32)
    spec, losses = parse("signs:k=2,group=16"), []
    with torch.no_grad():
        own = model.model(input_ids=windows(64, seed=4)).logits
    for text in (None, tokens):
        file = tmp_path / "layers.safetensors"
        quantize_model(model, spec, Activation(), file, {}, windows=text)
        other = tiny_llm()
        with open_layers(file) as opened:
            for name in opened.names:
                other.model.set_submodule(
                    name, CodedLinear(opened.layer(name), None, torch.float32)
                )
        with torch.no_grad():
            losses.append(
                float((other.model(input_ids=windows(64, seed=4)).logits - own).square().mean())
            )
    assert losses[1] < 0.8 * losses[0]


def test_known_layers_are_not_asked_for() -> None:
    model = tiny_llm()
    asked: list[str] = []

    def quantized(wanted: Wanted) -> BitplaneLayer:
        asked.append(wanted.name)
        return parse("int:bits=8,group=8").quantize(wanted.target, wanted.name, CODES)

    every = {layer.name: layer for layer in
             calibrate(model, windows(), quantized, lambda _: None, torch.float32)}  # fmt: skip
    left = [name for name in every if name.endswith("0.mlp.up_proj") or ".1." in name]
    first = list(asked)
    asked.clear()
    again = calibrate(
        model, windows(), quantized,
        lambda name: None if name in left else every[name], torch.float32,
    )  # fmt: skip
    assert [layer.name for layer in again] == list(every)
    assert asked == [name for name in first if name in left]


def test_text_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("on two on two", "utf-8")
    found = calibration_windows(tiny_llm(), str(file), 2, 2)
    assert found.tolist() == [[4, 5], [4, 5]]
    with pytest.raises(ValueError, match=r"text have at least|must have at least 6 tokens.*got 4"):
        calibration_windows(tiny_llm(), str(file), 3, 2)
    with pytest.raises(FileNotFoundError, match="must be a text file, got none"):
        calibration_windows(tiny_llm(), str(tmp_path / "none"), 1, 2)
    with pytest.raises(ValueError, match="context must be at most the model's 16 tokens, got 17"):
        calibration_windows(tiny_llm(), str(file), 1, 17)


def test_text_of_a_data_set(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "train.jsonl").write_text('{"text": "on two"}\n{"text": "two"}\n', "utf-8")
    found = calibration_windows(tiny_llm(), f"hub:{tmp_path}", 1, 3)
    assert found.tolist() == [[4, 5, 5]]


def test_text_of_the_model_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = tiny_llm()
    found = calibration_windows(model, "self", 50, 8)
    assert found.shape == (50, 8)
    assert torch.equal(found, calibration_windows(model, "self", 50, 8))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1
    with torch.no_grad():
        chances = model.model(input_ids=found[:, :-1]).logits.softmax(-1)
    taken = chances.gather(2, found[:, 1:, None]).mean()
    sampled = chances.square().sum(-1).mean()
    assert abs(float(taken - sampled)) < 0.05
