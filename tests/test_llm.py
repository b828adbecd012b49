"""Linear layers and activations of Transformers models of several families."""

import re
from pathlib import Path

import pytest
import tiny
import torch
from torch import nn

from models import llm
from models.left import say_left
from models.modules import replace_convolutions
from models.notes import say_once

PROMPT = "on two on"


def tiny_llm(family: str) -> llm.LLM:
    model = tiny.model(family)
    replace_convolutions(model)
    return llm.LLM(family, model, tiny.tokenizer(), "memory")


@pytest.mark.parametrize(
    ("family", "each", "first"),
    [
        ("llama", 7, "model.layers.0.self_attn.q_proj"),
        ("qwen2", 7, "model.layers.0.self_attn.q_proj"),
        ("gpt_neox", 4, "gpt_neox.layers.0.attention.query_key_value"),
        ("opt", 6, "model.decoder.layers.0.self_attn.k_proj"),
        ("gpt2", 4, "transformer.h.0.attn.c_attn"),
        ("falcon", 4, "transformer.h.0.self_attention.query_key_value"),
    ],
)
def test_layers_of_a_family(family: str, each: int, first: str) -> None:
    model = tiny_llm(family)
    layers = llm.linear_layers(model)
    assert len(layers) == 2 * each
    assert next(iter(layers)) == first
    assert all(model.model.get_submodule(name) is layer for name, layer in layers.items())
    with_head = llm.linear_layers(model, head=True)
    assert len(with_head) == len(layers) + 1
    assert model.model.get_output_embeddings() in with_head.values()


def test_model_without_linear_layers() -> None:
    model = tiny_llm("llama")
    model.model.set_submodule("model.layers", nn.ModuleList())
    message = r"^llama must have linear layers \(torch.nn.Linear\), got a LlamaForCausalLM$"
    with pytest.raises(ValueError, match=message):
        llm.linear_layers(model)


def test_convolutions_become_linear_layers(tmp_path: Path) -> None:
    """GPT-2 keeps its matrices transposed; its head is its embedding."""
    loaded, own = llm.load(str(tiny.save(tmp_path / "gpt2", "gpt2"))), tiny.model("gpt2")
    tokens = torch.randint(len(tiny.WORDS), (3, tiny.POSITIONS))
    with torch.no_grad():
        got, want = (model(input_ids=tokens).logits for model in (loaded.model, own))
    torch.testing.assert_close(got, want)
    layer = llm.linear_layers(loaded)["transformer.h.1.mlp.c_fc"]
    assert torch.equal(layer.weight.T, own.get_submodule("transformer.h.1.mlp.c_fc").weight)
    assert (layer.in_features, layer.out_features) == (tiny.HIDDEN, 4 * tiny.HIDDEN)
    head, embedding = loaded.model.get_output_embeddings(), loaded.model.get_input_embeddings()
    assert head.weight is embedding.weight


@pytest.mark.parametrize("family", [*tiny.FAMILIES])
def test_what_stays_in_float_is_said(family: str, caplog: pytest.LogCaptureFixture) -> None:
    say_once.cache_clear()
    model = tiny.model(family)
    replace_convolutions(model)
    say_left(model)
    wanted = {
        "mixtral": (49408, 89, 6, "model.layers.0.mlp.experts.gate_up_proj"),
        "mamba": (2560, 13, 4, "backbone.layers.0.mixer.A_log"),
    }
    assert caplog.messages == [
        f"left in float: {weights} weights in no linear layer ({part} % of all in matrices), "
        f"in {count} parameters such as {largest}"
        for key, (weights, part, count, largest) in wanted.items()
        if key == family
    ]


@pytest.mark.parametrize("ending", ["model.layers.1.mlp.down_proj", "1.mlp.down_proj"])
def test_find_layer(ending: str) -> None:
    assert llm.find_layer(tiny_llm("llama"), ending) == "model.layers.1.mlp.down_proj"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("layers.1.mlp.dwn_proj", "did you mean model.layers.1.mlp.down_proj?"),
        ("own_proj", "there are: model.layers.0.self_attn.q_proj, "),
        ("", "there are: model.layers.0.self_attn.q_proj, "),
        ("lm_head", "there are: model.layers.0.self_attn.q_proj, "),
        (
            "mlp.up_proj",
            "2 end so: model.layers.0.mlp.up_proj, model.layers.1.mlp.up_proj",
        ),
    ],
)
def test_find_layer_refuses(name: str, advice: str) -> None:
    start = f"layer must be one of the model's linear layers, got '{name}'; {advice}"
    with pytest.raises(ValueError, match=f"^{re.escape(start)}[^\n]*$"):
        llm.find_layer(tiny_llm("llama"), name)


def test_capture_is_what_the_layer_reads() -> None:
    model = tiny_llm("llama")
    block = model.model.get_submodule("model.layers.0")
    embed = model.model.get_input_embeddings()
    with torch.no_grad():
        want = block.get_submodule("input_layernorm")(embed(torch.tensor([4, 5, 4])))
    got = llm.capture(model, PROMPT, ["layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj"])
    assert list(got) == ["layers.0.self_attn.q_proj", "layers.0.self_attn.v_proj"]
    assert all(torch.equal(x, want) for x in got.values())


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox", "opt", "gpt2", "falcon"])
def test_capture_of_every_layer(family: str) -> None:
    model = tiny_llm(family)
    layers = llm.linear_layers(model)
    got = llm.capture(model, PROMPT, layers)
    for name, layer in layers.items():
        assert got[name].shape == (3, layer.in_features)
        assert got[name].dtype == torch.float32
        assert not got[name].requires_grad
        assert not layer._forward_pre_hooks


def test_capture_of_a_layer_used_twice() -> None:
    model = tiny_llm("llama")
    blocks = model.model.get_submodule("model.layers")
    assert isinstance(blocks, nn.ModuleList)
    blocks[1] = blocks[0]
    assert len(llm.linear_layers(model)) == 7
    assert llm.capture(model, PROMPT, ["up_proj"])["up_proj"].shape == (6, tiny.HIDDEN)


def test_capture_of_a_layer_not_reached() -> None:
    model = tiny_llm("llama")
    model.model.add_module("spare", nn.Linear(2, 2))
    message = "^layer spare must be reached by the prompt, got no activation$"
    with pytest.raises(ValueError, match=message):
        llm.capture(model, PROMPT, ["spare"])


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_capture_removes_its_hooks(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_llm("llama")

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(model.model, "forward", fail)
    with pytest.raises(error):
        llm.capture(model, PROMPT, llm.linear_layers(model))
    assert not any(layer._forward_pre_hooks for layer in llm.linear_layers(model).values())


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        ("", "prompt must have at least one token, got ''"),
        ("  ", "prompt must have at least one token, got '  '"),
        ("on " * 17, "prompt must have at most 16 tokens, got 17"),
    ],
)
def test_capture_refuses_the_prompt(prompt: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        llm.capture(tiny_llm("llama"), prompt, ["1.mlp.up_proj"])


def test_longest_prompt() -> None:
    got = llm.capture(tiny_llm("opt"), "on " * tiny.POSITIONS, ["0.fc1"])
    assert got["0.fc1"].shape == (tiny.POSITIONS, tiny.HIDDEN)


def test_check_finite() -> None:
    weight = torch.zeros(3, 4)
    llm.check_finite("a.b", weight)
    weight[0, 1], weight[2, 3], weight[1, 0] = torch.nan, torch.inf, -torch.inf
    message = "^layer a.b must have finite weights, got 3 non-finite of 12$"
    with pytest.raises(ValueError, match=message):
        llm.check_finite("a.b", weight)


def test_smollm2() -> None:
    model = llm.load("smollm2")
    assert (model.name, model.source) == ("smollm2", "smollm2")
    layers = llm.linear_layers(model)
    assert len(layers) == 210
    shapes = [tuple(layer.weight.shape) for layer in list(layers.values())[:7]]
    assert shapes == [
        *[(576, 576), (192, 576), (192, 576), (576, 576)],
        *[(1536, 576), (1536, 576), (576, 1536)],
    ]
    for name, layer in layers.items():
        assert layer.weight.dtype == torch.float32
        llm.check_finite(name, layer.weight)
    got = llm.capture(model, "The capital of France is", ["layers.29.mlp.down_proj"])
    assert got["layers.29.mlp.down_proj"].shape == (5, 1536)
    tokens = model.tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        best = model.model(input_ids=tokens).logits[0, -1].argmax()
    assert model.tokenizer.decode(best) == " Paris"
