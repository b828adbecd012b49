"""The model of costs: prices with sources, terms that add up, cycles, fits within bars."""

import json
import math
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost.components import array_step_bits, fit_engines, scaling_step_bits
from cost.engine import Chip, tiling_of, token
from cost.fit import BARS, fit
from cost.gpu import best, model_bytes, roofline
from cost.interval import Interval
from cost.inventory import element
from cost.prices import Price, read_tables
from cost.published import rows, worked_case
from cost.scaling import energy_factor
from cost.stimulus import random_work
from cost.storage import storage_of
from cost.technology import gpus, memories, nodes_of, technologies, text_of
from cost.terms import COMPONENTS, by_component, explain
from cost.toggling import operand_toggles, work_toggles
from cost.units import Element, columns_of
from cost.winner import contests, least
from cost.workload import Linear, known, of_config, shape_of
from hwgen.config import HardwareConfig
from hwgen.emit import emit
from hwgen.scaling import slot_layout
from hwgen.sequencer import step_layout
from hwgen.tiling import Tiling
from models.codes import Activation
from models.planes import row_bytes
from models.stage import Stage

RECORDS = Path(__file__).parents[1] / "docs" / "records"

TERNARY = HardwareConfig(kind="addsub", pe=64, lanes=64, columns=1 << 17)
IDLE = Price("idle", Interval(1.0, 1.0), "W", "test")


def chip(config: HardwareConfig = TERNARY, technology: str = "sky130") -> Chip:
    tables = technologies()
    return Chip(config, 5e8, tables[technology], memories()["lpddr5-6400x64"], IDLE)


@given(*[st.floats(0, 1e6)] * 4)
def test_intervals(a: float, b: float, c: float, d: float) -> None:
    one, two = Interval(min(a, b), max(a, b)), Interval(min(c, d), max(c, d))
    assert (one + two).low == one.low + two.low
    assert (one * two).high == one.high * two.high
    assert one + 0 == one == 1 * one


def test_worked_case_of_the_corrigendum() -> None:
    """To four digits."""
    for row in worked_case():
        assert f"{row.ours.low:.4g}" == f"{row.published:.4g}"


def test_fits_hold_their_bars() -> None:
    """On the half of the characterization that was not fitted; at least 40 configurations."""
    kept = json.loads((RECORDS / "characterization.json").read_text())
    assert len(kept) >= 40
    for figure, (mean, worst) in BARS.items():
        found = fit(kept, figure)
        assert len(found.test) >= 20
        assert found.errors()[0] <= mean
        assert found.errors()[1] <= worst


def test_engines_prices_hold_on_other_engines() -> None:
    """The same bars, on whole engines with their scalers, controls and buffers' controls."""
    kept = json.loads((RECORDS / "characterization.json").read_text())
    engines = json.loads((RECORDS / "engines.json").read_text())
    for figure, (mean, worst) in BARS.items():
        found = fit_engines(engines, fit(kept, figure), figure)
        assert len(found.totals(1)) >= 3
        assert found.errors()[0] <= mean
        assert found.errors()[1] <= worst
        assert {row[1] for row in found.rows} == {"elements", *found.prices}


def test_toggles_are_those_of_work() -> None:
    """Expected from the distribution of codes, and counted: within 3 %, the noise of the sample."""
    for kind, bits, digit in (("popcount", 8, 1), ("popcount", 2, 1), ("addsub", 8, 0),
                              ("addsub", 8, 4), ("addsub", 3, 0)):  # fmt: skip
        config = HardwareConfig(pe=1, k=2 - (kind == "popcount"), kind=kind, lanes=32,
                                act_bits=bits, digit=digit)  # fmt: skip
        unit = Element(config)
        work = random_work(64, columns_of(unit, 64), unit.weights, unit.codes, seed=3)
        assert work_toggles(work, config) == pytest.approx(operand_toggles(config), rel=0.03)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_the_kind_that_wins_is_the_one_of_synthesis(bits: int) -> None:
    """By area and energy on cells, and by LUTs on an ECP5: popcount at 1 bit, else addsub."""
    kept = json.loads((RECORDS / "characterization.json").read_text())
    ecp5 = json.loads((RECORDS / "ecp5.json").read_text())
    held = [
        one for one in contests(kept, fit(kept, "area_um2"), fit(kept, "energy"), ecp5)
        if one.bits == bits
    ]  # fmt: skip
    assert {one.truth for one in held} == {"synthesis", "ECP5"}
    for one in held:
        assert one.agrees
        assert least(one.measured) == ("popcount" if bits == 1 else "addsub")


def test_prices_are_those_of_the_records() -> None:
    kept, engines = (
        json.loads((RECORDS / f"{name}.json").read_text())
        for name in ("characterization", "engines")
    )
    nodes = nodes_of(RECORDS)
    written = RECORDS.parents[1] / "cost" / "technologies.toml"
    assert text_of(kept, engines, nodes[0], nodes[1:]) == written.read_text()


def test_every_price_has_a_source() -> None:
    for tables in (technologies(), memories(), gpus()):
        for table in tables.values():
            for name in table.names():
                assert len(table[name].source) > 5, name


def test_registers_of_an_element_by_hand() -> None:
    """popcount, 8 lanes of 8 bits: weights, sums of 12 bits twice, a count of 4; 8 ANDs."""
    found = element(HardwareConfig(pe=1, k=1, lanes=8))
    assert found["gated"] == 8 + 11 + 11
    assert (found["register"], found["and"], found["gate"], found["carry"]) == (4, 8, 3, 11)


@pytest.mark.parametrize("group", [0, 16, 40])
@pytest.mark.parametrize("out", [1, 7, 30])
def test_cycles_are_the_tilings(group: int, out: int) -> None:
    """Of shapes alone and of a real stage: equal."""
    config = HardwareConfig(k=2, pe=7, lanes=8, columns=128)
    storage = replace(storage_of("signs"), group=group)
    size = group or 72
    stage = Stage(
        planes=np.zeros((2, out, row_bytes(72)), np.uint8), columns=72, group=size,
        coefficients=np.array([[[[3, 1]]]], np.int8), monomials=(1, 2), activation=Activation(),
    )  # fmt: skip
    assert tiling_of(Linear("x", out, 72, 1), storage, config) == Tiling.of(stage, config)


def test_a_token_is_the_sum_of_its_terms() -> None:
    done = token(shape_of("SmolLM2-135M"), storage_of("ternary"), storage_of("int8"), chip(), 64)
    parts = by_component(done.terms)
    assert set(parts) == set(COMPONENTS)
    assert math.isclose(sum(part.high for part in parts.values()), done.joules.high)
    text = explain(done.terms, "J", 1.0)
    assert text.count("source:") == len(done.terms)
    for term in done.terms:
        assert term.value == Interval.of(term.count) * term.price.value


def test_energy_grows_with_what_is_asked() -> None:
    model, head = shape_of("SmolLM2-135M"), storage_of("int8")
    few, many = (token(model, storage_of("ternary"), head, chip(), n) for n in (1, 4096))
    assert few.joules.low < many.joules.low
    assert few.bytes < many.bytes
    eight = token(model, storage_of("int8"), head, chip(replace(TERNARY, kind="popcount", k=8)), 1)
    assert few.bytes < eight.bytes


def test_large_models_are_quick() -> None:
    """A 70B model in under 2 seconds."""
    start = time.perf_counter()
    done = token(shape_of("LLaMA-2-70B"), storage_of("ternary"), storage_of("int8"), chip(), 1024)
    assert time.perf_counter() - start < 2
    assert done.bytes > 68e9 * 2 / 8


def test_a_configuration_that_cannot_feed_the_memory_is_told() -> None:
    small = replace(TERNARY, pe=2, lanes=4)
    done = token(
        shape_of("SmolLM2-135M"), storage_of("ternary"), storage_of("int8"), chip(small), 1
    )
    assert any("cannot feed on all of the memory: 2 PEs of 4 lanes at 500 MHz take" in w
               for w in done.warnings)  # fmt: skip


def test_scaled_prices_say_so() -> None:
    price = technologies()["asap7"]["real_operation"]
    factor = energy_factor((45, 0.9), (7, 0.7))
    assert math.isclose(price.value.high, 1.1e-12 * factor)
    assert "Stillmaker" in price.source
    assert any("kinder than chips" in text for text in technologies()["asap7"].warnings)


def test_shapes_of_a_configuration() -> None:
    """A folder's configuration and the table agree on LLaMA-2-7B."""
    config = {
        "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
        "num_attention_heads": 32, "vocab_size": 32000,
    }  # fmt: skip
    made, table = of_config("LLaMA-2-7B", config), known()["LLaMA-2-7B"]
    assert {(one.out, one.inputs, one.count) for one in made.linears} == {
        (one.out, one.inputs, one.count) for one in table.linears
    }
    assert made.attention_macs(10) == table.attention_macs(10)
    assert table.body_weights == 6476005376


def test_gpu_by_hand() -> None:
    """FP16 at batch 1: bytes over bandwidth; at its best batch it needs fewer joules."""
    model, fp16, h100 = shape_of("LLaMA-2-7B"), storage_of("fp16"), gpus()["h100"]
    one = roofline(model, fp16, fp16, h100, 0, 1)
    held = model_bytes(model, fp16, fp16) + model.cache_elements()
    assert math.isclose(one.seconds.low, held / (3.35e12 * 0.81))
    assert one.bound == "memory"
    assert best(model, fp16, fp16, h100, 0).read_joules.high < one.read_joules.low
    line = "LLaMA-2-70B in fp16 with a batch of 1 must fit 80 GB of h100, got 137 GB"
    with pytest.raises(ValueError, match=line):
        roofline(shape_of("LLaMA-2-70B"), fp16, fp16, h100, 0, 1)


def test_published_rows_are_enough() -> None:
    found = rows(technologies(), gpus(), memories(), RECORDS)
    assert len(found) - len(worked_case()) >= 8
    assert all(row.within or row.note for row in found)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[a]\npower = {value = -1, unit = 'W', source = 'us'}",
         ("value of price power of a must be 0 or more, or two such numbers, the lower one "
         "first, got -1")),
        ("[a]\npower = {value = [2, 1], unit = 'W', source = 'us'}", "first, got [2, 1]"),
        ("[a]\npower = {value = 'much', unit = 'W', source = 'us'}", "got much"),
        ("[a]\npower = {value = 1, unit = 'cal', source = 'us'}",
         "unit of price power of a must be one"),
        ("[a]\npower = {value = 1, unit = 'W'}",
         "price power of a must have value, unit and source, got none as source"),
        ("[a", "must be TOML, got:"),
    ],
)  # fmt: skip
def test_bad_prices(text: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="must") as caught:
        read_tables(path)
    assert line in str(caught.value)


def test_what_has_no_price_is_not_free() -> None:
    with pytest.raises(ValueError, match="table ddr3-1600x16 must have a price of every term"):
        memories()["ddr3-1600x16"]["rumors"]


def test_nodes_outside_the_table() -> None:
    with pytest.raises(
        ValueError, match=r"node must be one of the scaling table's \(130, .* got 3"
    ):
        energy_factor((45, 0.9), (3, 0.6))


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["LLaMA-9"], ("model must be a known one (did you mean LLaMA-3-8B?) or a folder with "
                      "config.json, got LLaMA-9")),
        (["SmolLM2-135M", "--format", "fp16"],
         "format must be one that a circuit of ours takes, got fp16"),
        (["SmolLM2-135M", "--format", "ternary:k=3"],
         "option of format ternary must be group=N, got k=3"),
        (["SmolLM2-135M", "--gpu", "h10"], "gpu must be a known one (did you mean h100?), got h10"),
        (["SmolLM2-135M", "--versus", "x.png"], "--gpu must be given with --versus, got none"),
        (["SmolLM2-135M", "--context", "-1"], "context must be 0 or more, got -1"),
    ],
)  # fmt: skip
def test_refusals(flags: list[str], line: str) -> None:
    command = [sys.executable, "-m", "sim", "cost", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"python -m sim: error: {line}\n")


REGISTER = re.compile(r"^  reg (?:\[(\d+):0\] )?(\\\S+ |\w+);", re.MULTILINE)


def registers(config: HardwareConfig, module: str) -> dict[str, int]:
    """Return the registers of a module of the generated Verilog, with their bits."""
    found = REGISTER.findall(emit(config)[module])
    return {name.strip("\\ "): int(high or 0) + 1 for high, name in found}


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"stage_every": 1}, {"kind": "addsub"}, {"kind": "lut", "stage_every": 2},
        {"exponents": 3}, {"pe": 8, "share": 8, "act_bits": 2},
        {"pe": 8, "share": 8, "act_bits": 2, "exponents": 2, "views": 2},
    ],
)  # fmt: skip
def test_registers_of_steps_are_those_of_the_netlist(changes: dict[str, Any]) -> None:
    """All that have the width of a step, or of a step and its slot, are registers of one."""
    small: dict[str, Any] = {"pe": 4, "lanes": 8, "columns": 64, "rows": 64}
    config = HardwareConfig(**small | changes)
    step, slotted = step_layout(config).size, slot_layout(config).size
    array = registers(config, "pe_array")
    assert sum(bits for bits in array.values() if bits == step) == array_step_bits(config)
    scaling = registers(config, "scaling")
    ahead = scaling["drain.slot"] if slotted > step else 0
    held = sum(bits for bits in scaling.values() if bits in (step, slotted))
    assert held + ahead == scaling_step_bits(config)
