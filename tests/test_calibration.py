"""Calibration: what reaches the layers of several families, and what they are asked to become."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from models import llm
from models.bitplane import BitplaneLayer
from models.calibration.blocks import blocks_of, embedded
from models.calibration.coded import CodedLinear
from models.calibration.head import head_inputs
from models.calibration.migration import Inputs, Method, Migration, equivalence
from models.calibration.stream import calibrate
from models.calibration.text import calibration_windows
from models.calibration.trace import groups_of, norm_scale, trace
from models.calibration.wanted import Sums, Wanted
from models.codes import Activation
from models.encode import quantize as encode
from models.equivalence import Equivalence, rotated
from models.formats import parse
from models.modules import DenseLinear, ReferenceLinear, replace_layers
from models.quantize import choose, quantize_model
from models.store import open_layers

CODES = Activation(bits=16)
NONE = Migration()


def tiny_llm(family: str = "llama") -> llm.LLM:
    return llm.LLM(family, tiny.model(family), tiny.tokenizer(), "memory")


def made(text: str, wanted: Wanted) -> BitplaneLayer:
    layer = parse(text).quantize(wanted.target, wanted.name, CODES)
    bias = None if wanted.bias is None else wanted.bias.numpy()
    return replace(layer, bias=bias, equivalence=wanted.equivalence)


def nothing(_: str) -> None:
    """Know no layer."""


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
        ("falcon", [["query_key_value"], ["dense"], ["dense_h_to_4h"], ["dense_4h_to_h"]],
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


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox", "opt"])
def test_inputs_of_the_head(family: str) -> None:
    model, window = tiny_llm(family), windows()[:1]
    blocks, hidden = blocks_of(model.model, window)
    head, seen = list(llm.linear_layers(model, head=True).values())[-1], []
    hook = head.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        logits = model.model(input_ids=window).logits
    hook.remove()
    for block in blocks:
        hidden = block.run(hidden)
    got = head_inputs(model.model, head, blocks, window, hidden)
    torch.testing.assert_close(got, seen[0][0])
    with torch.no_grad():
        assert torch.equal(model.model(input_ids=window).logits, logits), "blocks are back"


def test_head_is_calibrated(tmp_path: Path) -> None:
    model, file = tiny_llm(), tmp_path / "layers.safetensors"
    chosen = choose(model, head=True)
    spec = parse("int:bits=8,group=8")
    quantize_model(model, chosen, spec, CODES, file, {}, windows=windows())
    with open_layers(file) as opened:
        assert list(opened.names) == list(chosen)
        assert opened.names[-1] == "lm_head"


def test_sum_before_an_additive_layer() -> None:
    model = tiny_llm()
    blocks, hidden = blocks_of(model.model, windows()[:1])
    groups = groups_of(blocks[0], hidden)
    whole = trace(blocks[0], groups, hidden)
    last = whole.added[3]
    assert last is not None
    torch.testing.assert_close(whole.before(3) + last, whole.result[0])


@pytest.mark.parametrize("family", ["llama", "opt"])
def test_target_makes_up_for_what_is_lacking(family: str) -> None:
    """The matrix asked for foretells the float block better than the float matrix does."""
    model, tokens, seen = tiny_llm(family), windows(64), []

    def rough(wanted: Wanted) -> BitplaneLayer:
        seen.append(wanted)
        return made("signs:k=2,scale=row", wanted)

    layers = calibrate(model, tokens, NONE, CODES, rough, lambda _: None, dtype=torch.float32)
    found = {layer.name: layer for layer in layers}
    assert [one.name for one in seen] == list(found)
    assert sorted(found) == sorted(llm.linear_layers(model))
    blocks, _ = blocks_of(model.model, tokens[:1])
    hidden = [embedded(model.model, blocks[0], window[None]) for window in tokens]
    coded = blocks[0].copy(torch.float32, torch.device("cpu"))
    groups = groups_of(blocks[0], hidden[0])
    for group in groups[:-1]:
        for name in group.names:
            layer = CodedLinear(found[f"{blocks[0].name}.{name}"], torch.float32)
            coded.module.set_submodule(name, layer)
    name = groups[-1].names[0]
    last, losses = coded.linears()[name], []
    target = next(one.target for one in seen if one.name == f"{blocks[0].name}.{name}")
    for weight in (last.weight.detach().clone(), target):
        last.weight.data = weight
        losses.append(sum(float((coded.run(h) - blocks[0].run(h)).square().sum()) for h in hidden))
    assert losses[1] < 0.9 * losses[0]


def test_tokens_count_by_the_inverse_of_their_size() -> None:
    """Before a norm, hidden states of one token are a thousand times as large as others."""
    model, tokens = tiny_llm(), windows()
    embedding = model.model.get_input_embeddings()
    assert isinstance(embedding, torch.nn.Embedding)
    embedding.weight.data[int(tokens[0, 0])] *= 1e3
    found: dict[str, Wanted] = {}

    def kept(wanted: Wanted) -> None:
        found[wanted.name] = wanted

    assert not list(calibrate(model, tokens, NONE, CODES, kept, nothing, dtype=torch.float32))
    block = blocks_of(model.model, tokens[:1])[0][0]
    total, hessians = 0.0, [torch.zeros(()), torch.zeros(())]
    groups = groups_of(block, embedded(model.model, block, tokens[:1]))
    for window in tokens:
        one = trace(block, groups, embedded(model.model, block, window[None]))
        weights = 1 / one.result[0].square().mean(1).sqrt()
        hessians[0] = hessians[0] + (one.inputs[3].T * weights) @ one.inputs[3]
        hessians[1] = hessians[1] + one.inputs[2].T @ one.inputs[2]
        total += float(weights.sum())
    for name, want in (
        ("down_proj", hessians[0] / total),
        ("up_proj", hessians[1] / tokens.numel()),
    ):
        got = found[f"{block.name}.mlp.{name}"].hessian
        torch.testing.assert_close(got, want)


def test_means_are_weighted() -> None:
    random = torch.Generator().manual_seed(0)
    x, y = torch.randn(9, 3, generator=random), torch.randn(9, 2, generator=random)
    weights = torch.tensor([1.0, 2.0, 0.5] * 3)
    sums = Sums()
    for part in (slice(0, 4), slice(4, 9)):
        sums.add(x[part], y[part], weights[part])
    total = float(weights.sum())
    torch.testing.assert_close(sums.hessian, (x.T * weights) @ x / total)
    torch.testing.assert_close(sums.cross, (y.T * weights) @ x / total)
    torch.testing.assert_close(sums.mean, weights @ x / total)
    assert torch.equal(torch.stack([sums.low, sums.high]), torch.stack([*x.aminmax(dim=0)]))


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox", "opt", "falcon"])
def test_fine_layers_change_nothing(family: str) -> None:
    model = tiny_llm(family)

    def fine(wanted: Wanted) -> BitplaneLayer:
        own = layers[wanted.name].weight.detach()
        assert float((wanted.target - own).norm()) < 0.1 * float(own.norm())
        return made("int:bits=8,group=8", wanted)

    layers = llm.linear_layers(model)
    found = list(
        calibrate(model, windows(), NONE, CODES, fine, lambda _: None, dtype=torch.float32)
    )
    assert sorted(layer.name for layer in found) == sorted(layers)


def test_calibrated_layers_foretell_better(tmp_path: Path) -> None:
    model, tokens = tiny_llm(), windows(32)
    spec, losses = parse("signs:k=2,group=16"), []
    with torch.no_grad():
        own = model.model(input_ids=windows(64, seed=4)).logits
    for text in (None, tokens):
        file = tmp_path / "layers.safetensors"
        quantize_model(model, choose(model), spec, Activation(), file, {}, windows=text)
        other = tiny_llm()
        with open_layers(file) as opened:
            for name in opened.names:
                other.model.set_submodule(name, CodedLinear(opened.layer(name), torch.float32))
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
        return made("int:bits=8,group=8", wanted)

    layers = calibrate(
        model, windows(), NONE, CODES, quantized, lambda _: None, dtype=torch.float32
    )
    every = {layer.name: layer for layer in layers}
    left = [name for name in every if name.endswith("0.mlp.up_proj") or ".1." in name]
    first = list(asked)
    asked.clear()
    kept = {name: layer for name, layer in every.items() if name not in left}
    again = calibrate(model, windows(), NONE, CODES, quantized, kept.get, dtype=torch.float32)
    assert [layer.name for layer in again] == list(every)
    assert asked == [name for name in first if name in left]


def test_text_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("on two on two", "utf-8")
    found = calibration_windows(tiny_llm(), str(file), 2, 2)
    assert found.tolist() == [[4, 5], [4, 5]]
    with pytest.raises(ValueError, match=r"text have at least|must have at least 6 tokens.*got 4"):
        calibration_windows(tiny_llm(), str(file), 3, 2)
    with pytest.raises(FileNotFoundError, match="must be a text file, self or hub:NAME, got none"):
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


@pytest.mark.parametrize("family", ["llama", "mamba", "openai-gpt"])
def test_text_of_models_that_keep_what_they_read_by_other_names(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or keep nothing: as if all tokens were read again for each."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = tiny_llm(family)
    found = calibration_windows(model, "self", 3, 8)
    random = torch.Generator().manual_seed(0)
    tokens = torch.randint(len(tiny.WORDS), (3, 1), generator=random)
    with torch.no_grad():
        for _ in range(7):
            chances = model.model(input_ids=tokens).logits[:, -1].softmax(1)
            tokens = torch.cat([tokens, torch.multinomial(chances, 1, generator=random)], 1)
    assert torch.equal(found, tokens)


@pytest.mark.parametrize("family", ["llama", "opt"])
@pytest.mark.parametrize("method", ["none", "smooth", "gamma", "os+"])
@pytest.mark.parametrize("rotation", [0, 8])
def test_changes_of_inputs_are_exact(family: str, method: Method, rotation: int) -> None:
    """With fine codes and weights, the changed model puts out what the float model does."""
    model, text = tiny_llm(family), windows()
    how = Migration(method, rotation)
    layers = calibrate(
        model, text, how, CODES, lambda wanted: made("int:bits=8,group=1", wanted),
        lambda _: None, dtype=torch.float32,
    )  # fmt: skip
    found = list(layers)
    with torch.no_grad():
        own = model.model(input_ids=text).logits
    changed = [layer.equivalence for layer in found if layer.equivalence is not None]
    assert bool(changed) == (how != NONE)
    assert all(change.rotation == rotation for change in changed)
    if method == "gamma" and not rotation:
        assert len(changed) < len(found), "inputs that no norm makes stay"
    for stand_in in (DenseLinear, ReferenceLinear):
        other = tiny_llm(family)
        replace_layers(other.model, found, stand_in)
        with torch.no_grad():
            got = other.model(input_ids=text).logits
        torch.testing.assert_close(got, own, atol=2e-3 * float(own.abs().max()), rtol=0.0)


def test_added_in_place() -> None:
    """Falcon adds what attention puts out to what its last layer does, in place."""
    model = tiny_llm("falcon")
    blocks, hidden = blocks_of(model.model, windows()[:1])
    whole = trace(blocks[0], groups_of(blocks[0], hidden), hidden)
    last = whole.added[-1]
    assert last is not None
    torch.testing.assert_close(whole.before(len(whole.added) - 1) + last, whole.result[0])


def test_scale_of_a_norm() -> None:
    model = tiny_llm("opt")
    blocks, _ = blocks_of(model.model, windows()[:1])
    norm = blocks[0].module.get_submodule("final_layer_norm")
    assert isinstance(norm, torch.nn.LayerNorm)
    random = torch.Generator().manual_seed(0)
    norm.weight.data = torch.randn(tiny.HIDDEN, generator=random)
    norm.bias.data = torch.randn(tiny.HIDDEN, generator=random)
    found = norm_scale(blocks[0], "final_layer_norm", tiny.HIDDEN)
    torch.testing.assert_close(found, norm.weight.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("method", ["smooth", "os+"])
def test_outliers_are_migrated(method: Method) -> None:
    """One input a hundred times as large as the others costs all of them their codes."""
    random = torch.Generator().manual_seed(0)
    x, weights = torch.randn(256, 32, generator=random), torch.randn(64, 32, generator=random)
    x[:, 3] *= 100
    x[:, 4] += 50
    inputs = Inputs(x.T @ x / 256, x.mean(0), x.amin(0), x.amax(0), x, None)
    losses = []
    for how in (NONE, Migration(method)):
        change = equivalence(how, inputs, weights, Activation(bits=6)) or Equivalence()
        codes = encode(change.inputs(x)[:, None], Activation(bits=6))
        got = codes.values[:, 0] * codes.scale[:, None]
        shift = 0 if change.shift is None else weights @ torch.from_numpy(change.shift)
        losses.append(
            float((got @ change.weights(weights).T + shift - x @ weights.T).square().sum())
        )
    assert losses[1] < 0.2 * losses[0]


def test_rotation_spreads_and_returns() -> None:
    random = torch.Generator().manual_seed(0)
    x = torch.zeros(1, 32)
    x[0, 5] = 8.0
    assert rotated(x, 16)[0, :16].abs().tolist() == [2.0] * 16
    assert not rotated(x, 16)[0, 16:].any()
    y = torch.randn(7, 48, generator=random)
    torch.testing.assert_close(rotated(rotated(y, 16), 16), y)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"rotation": 3}, "rotation must be a power of two from 2 on, or 0, got 3"),
        ({"rotation": 1}, "rotation must be a power of two from 2 on, or 0, got 1"),
        ({"scale": np.zeros(2, np.float32)}, "scale must be other than 0, got 0"),
        ({"shift": np.full(2, np.nan, np.float32)}, "shift must be finite, got a NaN"),
    ],
)
def test_unfit_changes(parts: dict, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        Equivalence(**parts)


def test_rotation_must_divide() -> None:
    line = "rotation must divide 12 inputs, as 2, 4 does, got 8"
    with pytest.raises(ValueError, match=line):
        Equivalence(rotation=8).check_inputs(12)
