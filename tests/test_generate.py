"""A model whose layers run on the circuit says, bit for bit, what the reference says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import tiny
import torch

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from models.codes import Activation
from models.formats import parse
from models.llm import LLM, load, tokens_of
from models.modules import ReferenceLinear, replace_layers
from models.quantize import choose, quantize_model
from models.store import BitplaneFile, open_layers
from sim import engine
from sim.decode import Text, decode
from sim.generate import Generated, generate

CONFIGS = {
    "signs:k=2,group=16": HardwareConfig(k=2, pe=4, lanes=8, columns=64),
    "ternary:scale=group,group=16": HardwareConfig(k=2, pe=4, lanes=8, columns=64),
    "dbf:bits=5,steps=2": HardwareConfig(k=1, pe=4, lanes=8, columns=128),
}
PROMPT, TOKENS = "on two n", 5


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("llama"))


@contextmanager
def opened(llama: Path, text: str) -> Iterator[tuple[LLM, BitplaneFile]]:
    """Give a fresh model and the file of its layers in a format, the head included."""
    file = llama.parent / f"{text.partition(':')[0]}.safetensors"
    if not file.exists():
        model = load(str(llama))
        quantize_model(model, choose(model, head=True), parse(text), Activation(), file, {})
    with open_layers(file) as layers:
        yield load(str(llama)), layers


def run(llama: Path, text: str, **options: Any) -> Generated:
    with opened(llama, text) as (llm, file):
        return generate(llm, file, PROMPT, TOKENS, CONFIGS[text], **options)


@pytest.mark.parametrize("text", CONFIGS)
def test_equals_the_reference(llama: Path, text: str) -> None:
    shown: list[str] = []
    done = run(llama, text, check=True, show=shown.append)
    with opened(llama, text) as (llm, file):
        replace_layers(llm.model, (file.layer(name) for name in file.names), ReferenceLinear)
        ids = tokens_of(llm, PROMPT)
        steps = list(decode(llm.model, ids, TOKENS))
        rows = [
            sum(stage.out for path in file.layer(name).paths for stage in path.stages)
            for name in file.names
        ]
    assert done.tokens == [step.token for step in steps]
    assert (done.logits == torch.stack([step.logits for step in steps])).all()
    assert "".join(shown) == done.text
    *inner, head = rows
    others = len(done.tokens) - 1
    assert done.integers == sum(inner) * (done.prompt_tokens + others) + head * (1 + others)
    assert done.unequal == 0
    assert done.resumed == 0


def test_engines_share_the_work(llama: Path) -> None:
    text = "signs:k=2,group=16"
    one, three = (run(llama, text, engines=engines) for engines in (1, 3))
    assert (one.logits == three.logits).all()
    assert one.prefill_cycles == three.prefill_cycles
    assert one.decode_cycles == three.decode_cycles


def test_chains_are_linked_where_the_circuit_can(llama: Path) -> None:
    text = "dbf:bits=5,steps=2"
    apart = run(llama, text, check=True)
    with opened(llama, text) as (llm, file):
        config = replace(CONFIGS[text], link=True)
        linked = generate(llm, file, PROMPT, TOKENS, config, check=True)
    assert (linked.logits == apart.logits).all()
    assert linked.unequal == 0
    assert 0 < linked.integers < apart.integers  # those between the stages stay inside
    assert linked.decode_cycles < apart.decode_cycles


def test_killed_run_goes_on(llama: Path) -> None:
    text = "signs:k=2,group=16"
    whole = run(llama, text)
    pieces = 0

    def kill(_: str) -> None:
        nonlocal pieces
        pieces += 1
        if pieces == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(llama, text, show=kill)
    (journal,) = llama.parent.glob("*.journal")
    again = run(llama, text)
    assert again.resumed == 2 * 15  # the stages of two layers and the head, for two tokens
    assert again.tokens == whole.tokens
    assert (again.logits == whole.logits).all()
    assert again.decode_cycles == whole.decode_cycles
    assert not journal.exists()


def test_broken_circuit_is_noticed(llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: HardwareConfig) -> str:
        text = verilog(config)
        assert text.count("assign chosen = term & digit;") == 1
        return text.replace("assign chosen = term & digit;", "assign chosen = term | digit;")

    monkeypatch.setattr(engine, "verilog", broken)
    assert run(llama, "signs:k=2,group=16", check=True).unequal > 0


def test_bad_input(llama: Path, tmp_path: Path) -> None:
    text = "signs:k=2,group=16"
    with opened(llama, text) as (llm, file):
        with pytest.raises(ValueError, match=r"^prompt must have at least one token, got ''$"):
            generate(llm, file, "", TOKENS, CONFIGS[text])
        message = r"^prompt must have at most 11 tokens before 5 more, got 12$"
        with pytest.raises(ValueError, match=message):
            generate(llm, file, "on " * 12, TOKENS, CONFIGS[text])
        with pytest.raises(
            ValueError, match=r"^tokens must be at most 15 after a prompt of one, got 16$"
        ):
            generate(llm, file, PROMPT, 16, CONFIGS[text])
        other = load(str(tiny.save(tmp_path / "gpt2", "gpt_neox")))
        message = r"^.*signs.safetensors must hold layers of gpt2, got model.layers.0.self_attn"
        with pytest.raises(ValueError, match=message):
            generate(other, file, PROMPT, TOKENS, CONFIGS[text])
        small = HardwareConfig(k=2, pe=4, lanes=8, columns=32)
        message = r"^layer model.layers.0.mlp.down_proj: inputs of the layer must fit the act.*$"
        with pytest.raises(ValueError, match=message):
            generate(llm, file, PROMPT, TOKENS, small)


def test_text_comes_in_whole_characters() -> None:
    class Bytes:
        def decode(self, tokens: list[int], skip_special_tokens: bool) -> str:
            assert skip_special_tokens
            return bytes(tokens).decode("utf-8", errors="replace")

    text = Text(cast("Any", Bytes()))
    assert [text.add(byte) for byte in "aäb".encode()] == ["a", "", "ä", "b"]
