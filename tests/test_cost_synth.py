"""Synthesis against a library: what gates compute, when, and for which energy."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cost.activity import simulate
from cost.baseline import Baseline
from cost.cells import Library
from cost.counter import Counter
from cost.functions import parse as parse_function
from cost.liberty import parse, read
from cost.netlist import build
from cost.power import energy
from cost.recipe import Recipe, full_adder, synthesize
from cost.stimulus import integers, pack, random_work, unpack
from cost.synth import areas, measure, record, run
from cost.timing import analyze
from cost.units import Counting, Element, Plain, Row, Unit, columns_of
from hwgen.config import HardwareConfig
from tests import liberties


@pytest.fixture(scope="module")
def library() -> Library:
    return Library(parse(liberties.text(), "tiny.lib"))


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("A&B", 0b1000), ("A B", 0b1000), ("A*B", 0b1000), ("A|B", 0b1110), ("A+B", 0b1110),
        ("A^B", 0b0110), ("!A&B", 0b0100), ("A'B", 0b0100), ("!(A B)'", 0b1000), ("A|B&!A", 0b1110),
        ("(A^B)|1", 0b1111), ("A&0", 0),
    ],
)  # fmt: skip
def test_functions(text: str, table: int) -> None:
    assert parse_function(text).truth(("A", "B")) == table


@pytest.mark.parametrize("text", ["A&", "(A", "A)", "A?B", "&A"])
def test_broken_functions(text: str) -> None:
    with pytest.raises(ValueError, match="function must"):
        parse_function(text)


def test_tables_are_bilinear_and_go_on(library: Library) -> None:
    arc = library.cell("INV").pins["Y"].arcs[0]
    assert math.isclose(arc.delays["rise"].at(0.3e-9, 0.25e-12), 2.6e-9)
    assert math.isclose(arc.delays["rise"].at(5e-9, 2e-12), 20.1e-9)
    assert math.isclose(library.cell("INV").pins["Y"].energy(0.5e-9, 0.0), 4.5e-15)


def test_full_adder_is_found_by_its_function(library: Library) -> None:
    adder = full_adder(library, set(library.groups))
    assert adder is not None
    assert (adder.cell, adder.carry, adder.sum, adder.carry_inverted) == ("FULL", "CO", "S", False)


def test_packing_is_undone() -> None:
    bits = np.random.default_rng(1).integers(0, 2, (3, 128))
    assert (unpack(pack(bits)) == bits).all()
    assert integers(pack(np.ones((4, 64), int)), 4).ravel().tolist() == [-1] * 64


CHAIN = {
    "ports": {
        "clk": {"direction": "input", "bits": [2]},
        "a": {"direction": "input", "bits": [3]},
        "y": {"direction": "output", "bits": [6]},
    },
    "cells": {
        "first": {"type": "REG", "connections": {"CK": [2], "D": [3], "Q": [4]}},
        "xor": {"type": "XOR", "connections": {"A": [4], "B": [3], "Y": [5]}},
        "last": {"type": "REG", "connections": {"CK": [2], "D": [5], "Q": [6]}},
    },
}
"""A register, an XOR of its input and output, and a register."""


def test_toggles_and_energy_by_hand(library: Library) -> None:
    """Instance by instance: C V**2 / 2 and internal energy times toggles, from a walk by hand."""
    netlist = build(CHAIN, library)
    a = np.random.default_rng(2).integers(0, 2, (20, 1, 64))
    activity = simulate(netlist, {"a": pack(a)})
    toggles = np.zeros(7)
    first, last, before = np.zeros(64, int), np.zeros(64, int), np.zeros((7, 64), int)
    for cycle in range(20):
        now = np.zeros((7, 64), int)
        now[3], now[4], now[5], now[6] = a[cycle, 0], first, first ^ a[cycle, 0], last
        toggles += (now != before).sum(1)
        first, last, before = a[cycle, 0], now[5], now
    toggles[2] = 2 * 20 * 64
    toggles /= 20 * 64
    assert np.allclose(activity.toggles, toggles, rtol=1e-12)
    timing = analyze(netlist, library)
    found = energy(netlist, library, timing, activity)
    pin = liberties.CAPACITANCE * 1e-12
    inside = [library.cell(c).pins[p].energy(timing.slews[n], load) for c, p, n, load in
              (("REG", "Q", 4, pin), ("XOR", "Y", 5, pin), ("REG", "Q", 6, 0.0))]  # fmt: skip
    clocks = 0.01e-12 * toggles[2]
    assert math.isclose(found.by_instance["first"],
                        toggles[4] * (pin / 2 + inside[0]) + clocks)  # fmt: skip
    assert math.isclose(found.by_instance["xor"], toggles[5] * (pin / 2 + inside[1]))
    assert math.isclose(found.by_instance["last"], toggles[6] * inside[2] + clocks)
    assert math.isclose(found.by_instance["inputs"], toggles[3] * pin + toggles[2] * pin)
    assert math.isclose(sum(found.by_instance.values()), found.dynamic)
    assert math.isclose(found.leakage, 3 * 1.5e-9)


def test_timing_by_hand(library: Library) -> None:
    """Register, XOR and register: two delays of 0.1 ns + 10 ns/pF, each with one pin's load."""
    timing = analyze(build(CHAIN, library), library)
    assert math.isclose(timing.critical, 2 * (0.1e-9 + 10e3 * liberties.CAPACITANCE * 1e-12))
    assert math.isclose(timing.slews[5], 0.05e-9 + 5e3 * liberties.CAPACITANCE * 1e-12)


def test_paths_end_at_clock_gates() -> None:
    """A register, an XOR, and 0.2 ns before the clock of a gate: not only registers take inputs."""
    setup = 'timing () { related_pin : "CK"; timing_type : setup_rising; rise_constraint (scalar)'
    text = liberties.text().replace("pin (EN) {", f'pin (EN) {{ {setup} {{ values ("0.2"); }} }}')
    gated = {"type": "GATE", "connections": {"CK": [2], "EN": [5], "GCK": [7]}}
    cells = CHAIN["cells"] | {"gate": gated}
    cells["last"] = {"type": "REG", "connections": {"CK": [7], "D": [3], "Q": [6]}}
    library = Library(parse(text, "tiny.lib"))
    timing = analyze(build(CHAIN | {"cells": cells}, library), library)
    assert timing.critical == timing.ends["gate/EN"]
    assert math.isclose(timing.critical, 2 * (0.1e-9 + 10e3 * 2e-15) + 0.2e-9)


def test_glitches_of_unequal_paths(library: Library) -> None:
    """An XOR of a signal and the same one later has a pulse for each change of the signal."""
    module = {
        "ports": CHAIN["ports"] | {"y": {"direction": "output", "bits": [6]}},
        "cells": {
            "b1": {"type": "BUF", "connections": {"A": [3], "Y": [4]}},
            "b2": {"type": "BUF", "connections": {"A": [4], "Y": [5]}},
            "x": {"type": "XOR", "connections": {"A": [3], "B": [5], "Y": [6]}},
        },
    }
    netlist = build(module, library)
    a = pack(np.random.default_rng(3).integers(0, 2, (9, 1, 64)))
    timing = analyze(netlist, library)
    still, timed = (
        simulate(netlist, {"a": a}),
        simulate(netlist, {"a": a}, None, timing.delays, 5e-11),
    )
    assert still.toggles[6] == 0
    assert timed.toggles[6] == 2 * timed.toggles[3] == 2 * still.toggles[3] > 0


@pytest.mark.parametrize(("buffers", "passes"), [(1, False), (2, True)])
def test_short_pulses_are_swallowed(library: Library, buffers: int, passes: bool) -> None:
    """An XOR that takes twice a buffer's time lets a pulse of two buffers through, not of one."""
    cells = {
        f"b{n}": {"type": "BUF", "connections": {"A": [3 + n], "Y": [4 + n]}}
        for n in range(buffers)
    }
    last = 3 + buffers
    cells["x"] = {"type": "XOR", "connections": {"A": [3], "B": [last], "Y": [6]}}
    ports = CHAIN["ports"] | {"y": {"direction": "output", "bits": [6]}}
    netlist = build({"ports": ports, "cells": cells}, library)
    a = pack(np.random.default_rng(3).integers(0, 2, (9, 1, 64)))
    delays = dict.fromkeys(cells, 1e-10) | {"x": 2e-10}
    timed = simulate(netlist, {"a": a}, None, delays, 1e-10)
    assert timed.toggles[6] == (2 * timed.toggles[3] if passes else 0)


def test_only_cycles_full_of_work_count() -> None:
    """From the first one in which results are worked on to the last one that brings operands."""
    config = HardwareConfig(pe=1, kind="addsub", lanes=4, stage_every=1)
    unit = Element(config)
    work = random_work(64, columns_of(unit, 16), unit.weights, unit.codes, seed=1)
    assert unit.drive(work).counted == range(2 + config.depth, 16)
    with pytest.raises(ValueError, match="work must last more than 3 cycles, got 2"):
        _ = unit.drive(random_work(64, 8, (-1, 1), (-128, 127), seed=1)).counted


UNITS: list[tuple[Unit, tuple[int, int]]] = [
    (Element(HardwareConfig(pe=1, k=1, lanes=5, act_bits=3)), (0, 1)),
    (Element(HardwareConfig(pe=1, kind="addsub", lanes=4, act_bits=4, digit=2)), (-1, 1)),
    (Element(HardwareConfig(pe=1, kind="lut", lanes=4, act_bits=2, stage_every=1)), (-1, 1)),
    (Row(HardwareConfig(pe=1, k=1, lanes=3, act_bits=2)), (0, 1)),
    (Plain(Baseline(4, 3, 3)), (-8, 7)),
    (Plain(Baseline(4, 4, 2, "booth")), (-8, 7)),
    (Counting(Counter(5)), (0, 1)),
]


@pytest.mark.parametrize(("unit", "weights"), UNITS)
def test_gates_compute_what_they_should(
    unit: Unit, weights: tuple[int, int], library: Library
) -> None:
    """:func:`cost.synth.run` raises unless they do; glitches only add energy."""
    bits = unit.baseline.act_bits if isinstance(unit, Plain) else unit.config.act_bits
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    work = random_work(64, columns_of(unit, 16), weights, (low, high), seed=1)
    figures = measure(unit, library, Recipe(), work, [], glitches=work)
    assert figures.cycle_glitches is not None
    assert figures.cycle_glitches.dynamic >= figures.cycle.dynamic > 0
    assert math.isclose(sum(figures.areas.values()), figures.area)
    kept = record(unit, library, Recipe(), work, figures, 1e8)
    assert kept["fJ_per_mac"] * unit.macs == pytest.approx(kept["cycle_fJ"]["all"])
    assert "layer_nJ" not in kept
    layer = record(unit, library, Recipe(), replace(work, products=10**9), figures, 1e8)
    assert layer["layer_nJ"] == pytest.approx(kept["fJ_per_mac"] * 1e3, rel=1e-3)


@pytest.mark.parametrize("unit", [Element(HardwareConfig(pe=1, k=1, lanes=5, act_bits=3)),
                                  Plain(Baseline(4, 4, 2, "booth"))])  # fmt: skip
def test_full_adders_of_gates(unit: Unit) -> None:
    """Two XORs and an and-or-invert gate, where a library has no cell; the sums must be right."""
    library = Library(parse(liberties.text(full_adder=False), "tiny.lib"))
    work = random_work(64, columns_of(unit, 16), unit.weights, unit.codes, seed=1)
    figures = measure(unit, library, Recipe(), work, [])
    assert min(figures.counts["AOI"], figures.counts["XOR"]) > unit.macs
    assert figures.areas["full adders"] == 0


def test_wrong_gates_are_found(library: Library) -> None:
    unit = Element(HardwareConfig(pe=1, k=1, lanes=3, act_bits=2))
    module = synthesize(unit.verilog(), unit.top, library, Recipe(), [])
    adder = next(cell for cell in module["cells"].values() if cell["type"] == "FULL")
    pins = adder["connections"]
    pins["CO"], pins["S"] = pins["S"], pins["CO"]
    netlist = build(module, library)
    assert areas(netlist, "FULL")["full adders"] > 0
    with pytest.raises(RuntimeError, match="gates must compute"):
        run(unit, netlist, random_work(64, 12, (0, 1), (-2, 1), seed=1))


def edited(before: str, after: str) -> str:
    text = liberties.text()
    assert before in text
    return text.replace(before, after)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (liberties.text()[:3000], "close every group, got its end in"),
        (liberties.text() + "}", "open what it closes, got one } too many"),
        ("", "be a Liberty file of one library, got 0"),
        (edited('time_unit : "1ns"', 'time_unit : "1 fortnight"'),
         "time_unit of library tiny must be a number and a unit of s, got 1 fortnight"),
        (edited("capacitive_load_unit (1, pf);", ""),
         "capacitive_load_unit of library tiny must be a number and a unit of F, got none"),
        (edited("nom_voltage : 1.0", "nom_voltage : high"),
         "library tiny must have a number as nom_voltage, got high"),
    ],
)  # fmt: skip
def test_bad_libraries(text: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"must") as caught:
        Library(read([path]))
    assert line in str(caught.value)


def test_power_needs_tables() -> None:
    text = liberties.text().replace("internal_power", "external_power")
    library = Library(parse(text, "tiny.lib"))
    netlist = build(CHAIN, library)
    activity = simulate(netlist, {"a": pack(np.ones((2, 1, 64), int))})
    line = "cell XOR must have tables of internal power, got none"
    with pytest.raises(ValueError, match=line):
        energy(netlist, library, analyze(netlist, library), activity)


def test_command(tmp_path: Path) -> None:
    path = liberties.write(tmp_path)
    flags = [
        "--k",
        "1",
        "--lanes",
        "4",
        "--act-bits",
        "2",
        "--json",
        "-o",
        str(tmp_path / "o.json"),
    ]
    command = [sys.executable, "-m", "sim", "synth", str(path), *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept = json.loads(done.stdout)
    assert kept == json.loads((tmp_path / "o.json").read_text())
    assert kept["library"] == "tiny"
    assert kept["area_um2"] > 0


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["none.lib", "--k", "1"], "none.lib: No such file or directory"),
        (["{}", "--k", "2"], ("weights in a word must be 1 to measure an element: k 1, or 2 of "
                             "ternary ones, got 2")),
        (["{}", "--baseline", "8"], "baseline must be two numbers as 8x8, got 8"),
        (["{}", "--baseline", "99x8"], "weight_bits of a baseline must be from 2 to 16, got 99"),
        (["{}", "--clock", "0", "--k", "1"], "clock must be above 0 MHz, got 0.0"),
        (["{}", "--cycles", "3", "--k", "1"], "cycles must be 16 or more, got 3"),
        (["{}", "--standard"], "-o must be given with --standard, got none"),
        (["{}", "--engines"], "-o must be given with --engines, got none"),
        (["{}", "--engines", "-o", "x.json"], "--layer-of must be given with --engines, got none"),
    ],
)  # fmt: skip
def test_refusals(flags: list[str], line: str, tmp_path: Path) -> None:
    path = liberties.write(tmp_path)
    given = [flag.replace("{}", str(path)) for flag in flags]
    command = [sys.executable, "-m", "sim", "synth", *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"python -m sim: error: {line}\n")
