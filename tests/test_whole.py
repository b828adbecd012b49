"""A pass of a whole model: what each part does, in order, and what is drawn and traced of it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tiny

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.formats import parse
from models.llm import LLM, linear_layers, load
from sim.fit import fitted
from sim.host import Host, Shape
from sim.memory import Memory
from sim.system import Duty, layer_duties, table
from sim.timeline import picture, trace, write_trace
from sim.whole import pass_duties, shape_of

MEMORY, HOST = Memory(4.0, latency=9), Host(rate=2.0)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> LLM:
    return load(str(tiny.save(tmp_path_factory.mktemp("llama"))))


@pytest.fixture(scope="module")
def layers(llama: LLM) -> list[BitplaneLayer]:
    form = parse("signs:k=2,group=16")
    return [
        form.quantize(layer.weight.detach(), name, Activation())
        for name, layer in linear_layers(llama, head=True).items()
    ]


def run(llama: LLM, layers: list[BitplaneLayer], host: Host = HOST, **more: int) -> list[Duty]:
    config = fitted(layers, {"pe": 4, "lanes": 8})
    return pass_duties(shape_of(llama), layers, config, MEMORY, host, **more)


def test_shape(llama: LLM) -> None:
    shape = shape_of(llama)
    assert (shape.heads, shape.kv_heads, shape.head_size) == (4, 2, 8)
    assert shape.head == "lm_head"
    assert shape.layers["model.layers.1.mlp.down_proj"] == (32, 64)


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_every_family_has_its_attention(family: str, tmp_path: Path) -> None:
    try:
        llm = load(str(tiny.save(tmp_path / family, family)))
        linear_layers(llm)
    except ValueError:
        pytest.skip("no linear layers")
    blocks = [block for _, block in shape_of(llm).order() if block is not None]
    assert blocks == [0, 1]


def test_blocks_without_attention_in_their_names(llama: LLM) -> None:
    shape = shape_of(llama)
    renamed = {name.replace("self_attn", "mixer"): size for name, size in shape.layers.items()}
    before = {name: block for name, block in replace(shape, layers=renamed).order()
              if block is not None}  # fmt: skip
    assert before == {f"model.layers.{block}.mlp.down_proj": block for block in (0, 1)}
    assert not any(block is not None for _, block in replace(shape, heads=0).order())


def test_order_of_a_decoded_token(llama: LLM, layers: list[BitplaneLayer]) -> None:
    done = run(llama, layers, context=3)
    first = [(duty.name.rpartition(".")[2], duty.where) for duty in done[:9]]
    assert first == [
        ("q_proj", "host"), ("q_proj", "circuit"), ("k_proj", "host"), ("k_proj", "circuit"),
        ("v_proj", "host"), ("v_proj", "circuit"), ("attention", "host"),
        ("o_proj", "host"), ("o_proj", "circuit"),
    ]  # fmt: skip
    assert [duty.name for duty in done[-2:]] == ["lm_head", "lm_head"]
    config = fitted(layers, {"pe": 4, "lanes": 8})
    assert done[1:2] == layer_duties(layers[0], config, MEMORY, 1)


def test_attention_by_hand() -> None:
    """Two heads of 4, one of keys: 3 tokens after 5 others see 6, 7 and 8 positions."""
    shape = Shape({}, "", heads=2, kv_heads=1, head_size=4)
    done = shape.attention(Host(rate=1), Memory(1e6), tokens=3, context=5)
    pairs = 6 + 7 + 8
    assert done.compute == 4 * 2 * 4 * pairs + 8 * 2 * pairs + 3 * (2 + 1) * 4 * 3
    assert done.transferred == 2 * 4 * 2 * (5 + 3 + 3)
    assert done.where == "host"
    half = shape.attention(Host(rate=1, kv_bits=8), Memory(1e6), tokens=3, context=5)
    assert 2 * half.transferred == done.transferred


def test_host_waits_for_memory_or_works() -> None:
    assert Host(rate=2.0).duty("x", 99, 4, Memory(1.0, latency=7)).cycles == 50
    waits = Host(rate=2.0).duty("x", 9, 400, Memory(1.0, latency=7))
    assert (waits.cycles, waits.stalled, waits.bound) == (407, 402, "memory")


def test_layers_that_are_not_in_the_file_are_the_hosts(
    llama: LLM, layers: list[BitplaneLayer]
) -> None:
    without = run(llama, layers[:-1])
    head = without[-1]
    assert (head.name, head.where) == ("lm_head", "host")
    rows, columns = len(tiny.WORDS), tiny.HIDDEN
    assert head.transferred == rows * columns * 2
    assert head.compute == (rows * columns * 2 + columns * 12 + rows * 4) // 2


def test_prompt_reads_weights_once_and_the_head_its_last_token(
    llama: LLM, layers: list[BitplaneLayer]
) -> None:
    one, many = run(llama, layers), run(llama, layers, tokens=8)
    assert many[-1] == one[-1]
    assert many[1].compute > 7 * one[1].compute
    assert many[1].transferred < 8 * one[1].transferred


def test_table_adds_up(llama: LLM, layers: list[BitplaneLayer]) -> None:
    done = run(llama, layers)
    lines = table(done, 1e6).splitlines()
    total = sum(duty.cycles for duty in done)
    assert sum(int(line[35:47]) for line in lines[1:-1]) == total
    assert lines[-1].startswith(f"{total} cycles, ")


def test_trace_follows_the_pass(llama: LLM, layers: list[BitplaneLayer], tmp_path: Path) -> None:
    done = run(llama, layers, context=3)
    events = trace(done, 1e6)["traceEvents"]
    assert isinstance(events, list)
    write_trace(done, 1e6, tmp_path / "trace.json")
    assert json.loads((tmp_path / "trace.json").read_text())["traceEvents"] == events
    tracks = [[event for event in events if event["tid"] == track and event["ph"] == "X"]
              for track in range(4)]  # fmt: skip
    for track in tracks:
        ends = 0.0
        for event in track:
            assert event["ts"] >= ends
            ends = event["ts"] + event["dur"]
    assert len(tracks[0]) == len(tracks[1]) == 15
    assert len(tracks[2]) == 15 + 2
    assert len(tracks[3]) == len(done)
    last = tracks[1][-1]
    assert last["ts"] + last["dur"] == sum(duty.cycles for duty in done)


def test_picture(llama: LLM, layers: list[BitplaneLayer], tmp_path: Path) -> None:
    picture(run(llama, layers), 1e6, "tiny", tmp_path / "tiny.png")
    assert (tmp_path / "tiny.png").read_bytes().startswith(b"\x89PNG")
