"""Calibration on inputs that are dead, too few, or not finite: exact, or one clear line."""

import re
from pathlib import Path

import pytest
import tiny
import torch
from torch import Tensor

from models import llm
from models.budget import formats_within
from models.calibration.migration import Method, Migration
from models.calibration.stream import calibrate
from models.calibration.text import calibration_windows
from models.calibration.wanted import Wanted
from models.codes import Activation
from models.dense import dense
from models.formats import parse
from models.notes import say_once
from models.quantize import choose
from models.sensitivity import output_sensitivity

CODES = Activation(bits=16)
DOWN = "model.layers.0.mlp.down_proj"
NORM = "model.layers.1.input_layernorm"
Q, K, V = (f"model.layers.1.self_attn.{part}_proj" for part in "qkv")


def weight_of(model: llm.LLM, module: str) -> Tensor:
    return model.model.get_submodule(module).get_parameter("weight").data


def tiny_llm(**times: float) -> llm.LLM:
    """Make a model whose weights of some modules are multiplied."""
    model = llm.LLM("llama", tiny.model("llama"), tiny.tokenizer(), "memory")
    for module, factor in times.items():
        weight_of(model, module).mul_(factor)
    return model


def windows(count: int = 6) -> Tensor:
    random = torch.Generator().manual_seed(3)
    return torch.randint(len(tiny.WORDS), (count, 12), generator=random)


def asked(model: llm.LLM, how: Migration | None = None, count: int = 6) -> dict[str, Wanted]:
    """Return what calibration asks layers to become, all of which stay as they are."""
    found: dict[str, Wanted] = {}

    def kept(wanted: Wanted) -> None:
        found[wanted.name] = wanted

    assert not list(
        calibrate(model, windows(count), how or Migration(), CODES, kept, lambda _: None)
    )
    return found


@pytest.mark.parametrize("method", ["none", "smooth", "gamma", "os+"])
def test_dead_layers_keep_their_weights(method: Method) -> None:
    model = tiny_llm(**{"model.layers.0.mlp.up_proj": 0.0})
    wanted = asked(model, Migration(method))[DOWN]
    change, target = wanted.equivalence, wanted.target
    own = target if change is None else change.undone(target)
    torch.testing.assert_close(own, weight_of(model, DOWN))
    for text in (
        "int:bits=4,group=8", "sbvr:k=4,group=8", "billm:block=32", "sdq:block=16",
        "dbf:bits=4,steps=2,rounds=1",
    ):  # fmt: skip
        layer = parse(text).quantize(target, DOWN, CODES, wanted.hessian)
        error = torch.from_numpy(dense(layer)) - target
        assert float(error.norm()) < 0.8 * float(target.norm()), text


def test_dead_layers_within_a_budget(tmp_path: Path) -> None:
    model, file = tiny_llm(**{"model.layers.0.mlp.up_proj": 0.0}), tmp_path / "layers.safetensors"
    formats = ["int:bits=2,group=8", "int:bits=6,group=8"]
    found = formats_within(
        9.0, model, windows(), choose(model), formats, Migration(), CODES, file, {}
    )
    assert found[DOWN] == formats[0], "bits are for others"
    assert formats[1] in found.values()


@pytest.mark.parametrize("method", ["none", "os+"])
@pytest.mark.parametrize(
    ("times", "readers"),
    [
        ({Q: 1e30, K: 1e30}, "model.layers.1.self_attn.o_proj"),
        ({NORM: torch.nan}, f"{Q}, {K}, {V}"),
        ({"model.layers.0.mlp.up_proj": 1e20}, DOWN),
        ({"model.embed_tokens": 1e20}, "model.layers.0.self_attn.o_proj"),
    ],
)
def test_inputs_that_are_not_finite(method: Method, times: dict[str, float], readers: str) -> None:
    rule = "calibration inputs must be finite and below 1e+15"
    line = f"^{re.escape(f'{readers}: {rule}')}, got [0-9]+ of [0-9]+ that are not$"
    with pytest.raises(ValueError, match=line):
        asked(tiny_llm(**times), Migration(method))


def test_text_of_a_model_whose_logits_are_not_finite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model, line = tiny_llm(**{NORM: torch.nan}), "must be finite, got a NaN or an infinity$"
    with pytest.raises(ValueError, match=f"^inputs of layer {Q} {line}"):
        calibration_windows(model, "self", 2, 8)
    with pytest.raises(ValueError, match=f"^inputs of layer {Q} {line}"):
        output_sensitivity(model, windows(), choose(model))
    with pytest.raises(ValueError, match=f"^logits of the model {line}"):
        calibration_windows(tiny_llm(lm_head=torch.nan), "self", 2, 8)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_singular_hessians_are_said_in_a_line(caplog: pytest.LogCaptureFixture) -> None:
    def said(model: llm.LLM, count: int) -> list[str]:
        say_once.cache_clear()
        caplog.clear()
        asked(model, count=count)
        return caplog.messages

    why = "have fewer calibration tokens than inputs, or inputs that are always zero (damped)"
    assert said(tiny_llm(), 6) == []
    assert said(tiny_llm(), 5) == [f"2 of the layers {why}, such as {DOWN}"]
    first = "model.layers.0.self_attn.q_proj"
    assert said(tiny_llm(), 1) == [f"14 of the layers {why}, such as {first}"]
    model = tiny_llm()
    weight_of(model, NORM)[5] = 0
    assert said(model, 6) == [f"3 of the layers {why}, such as {Q}"]
