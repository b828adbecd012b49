"""Our static timing beside OpenSTA's, which must be installed (Debian: opensta)."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cost import opensta
from cost.baseline import Baseline
from cost.cells import Library
from cost.liberty import parse
from cost.netlist import build
from cost.recipe import Recipe, synthesize
from cost.standard import UNITS
from cost.timing import analyze
from cost.units import Element, Plain, Row, Unit
from hwgen.config import HardwareConfig
from tests import liberties

RECORDS = Path(__file__).parents[1] / "docs" / "records"

installed = pytest.mark.skipif(
    shutil.which(opensta.PROGRAM) is None, reason="OpenSTA is not installed"
)

DIGITS = 2e-15
"""Seconds: OpenSTA prints six decimals of a nanosecond, of numbers in single precision."""

HEAD = "  delay_model : table_lookup;\n" + "".join(
    f"  {name}_threshold_pct_{edge} : {percent};\n"
    for name, percent in (("input", 50), ("output", 50), ("slew_lower", 20), ("slew_upper", 80))
    for edge in ("rise", "fall")
)

SETUP = """
      timing () { related_pin : "CK"; timing_type : setup_rising;
        rise_constraint (setup) { values ("0.2, 0.2", "0.5, 0.5"); }
        fall_constraint (setup) { values ("0.2, 0.2", "0.5, 0.5"); }
      }
"""
"""0.2 ns, and 0.3 ns for 1 ns of slew more."""

GATED = """
      timing () { related_pin : "CK"; timing_sense : positive_unate;
        cell_rise (delay) { values ("0.1, 10.1", "0.1, 10.1"); }
        cell_fall (delay) { values ("0.1, 10.1", "0.1, 10.1"); }
        rise_transition (delay) { values ("0.05, 5.05", "0.05, 5.05"); }
        fall_transition (delay) { values ("0.05, 5.05", "0.05, 5.05"); }
      }
"""
"""Without it no clock goes through; an ideal one arrives at once all the same."""

TEMPLATE = """
  lu_table_template (setup) {
    variable_1 : constrained_pin_transition;
    variable_2 : related_pin_transition;
    index_1 ("0.0, 1.0");
    index_2 ("0.0, 1.0");
  }
"""

WIRES = """
  wire_load ("short") { capacitance : 0.001; resistance : 0; slope : 1; fanout_length (1, 1); }
  default_wire_load : "short";
"""
"""A net to one pin has 0.001 pF, one to more as much for each."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a library with what OpenSTA asks for, setup times and a model of wires."""
    text = liberties.text().replace("voltage_unit", HEAD + TEMPLATE + WIRES + "voltage_unit")
    for pin, arc in (("D", SETUP), ("EN", SETUP), ("GCK", GATED)):
        text = re.sub(rf"(pin \({pin}\) .*) }}", rf"\1{arc} }}", text)
    path = tmp_path / "tiny.lib"
    path.write_text(text)
    return path


@installed
@pytest.mark.parametrize(
    "unit",
    [
        Element(HardwareConfig(pe=1, k=1, lanes=5, act_bits=3)),
        Row(HardwareConfig(pe=1, kind="addsub", lanes=3, act_bits=2)),
        Plain(Baseline(4, 4, 2, "booth")),
    ],
)
def test_paths_are_those_of_opensta(unit: Unit, path: Path) -> None:
    """On a library whose pins have one capacitance: equal, at every end that it reports."""
    library = Library(parse(path.read_text(), "tiny.lib"))
    netlist = build(synthesize(unit.verilog(), unit.top, library, Recipe(), []), library)
    ours = analyze(netlist, library)
    wired, theirs = opensta.paths(netlist, library, [path])
    assert set(wired) == set(theirs)
    assert max(wired.values()) > max(theirs.values())
    assert len(theirs) > len(netlist.states)
    for end, seconds in theirs.items():
        assert math.isclose(ours.ends[end], seconds, abs_tol=DIGITS), end
    assert math.isclose(ours.critical, max(theirs.values()), abs_tol=DIGITS)


def test_the_record_is_of_the_standard_units() -> None:
    """Of the gates of their own record; within 2 %: OpenSTA knows each edge's capacitance."""
    kept = json.loads((RECORDS / "opensta.json").read_text())["units"]
    units = json.loads((RECORDS / "sky130.json").read_text())
    assert set(kept) == set(UNITS)
    for name, one in kept.items():
        assert one["ours_ns"] == units[name]["critical_ns"]
        assert abs(one["difference"]) < 0.02
        assert one["mean_difference_of_ends"] <= one["worst_difference_of_ends"] < 0.02


@pytest.mark.parametrize(
    ("flags", "path", "line"),
    [
        ([], "/nowhere", ("the Debian package opensta must be installed to run sta, found none; "
                          "install it with: apt-get install opensta")),
        (["--unit", "adder"], None, f"unit must be one of {'; '.join(UNITS)}, got adder"),
    ],
)  # fmt: skip
def test_refusals(flags: list[str], path: str | None, line: str) -> None:
    command = [sys.executable, "-m", "sim", "timing", "cells.lib", *flags]
    environment = dict(os.environ) if path is None else os.environ | {"PATH": path}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (2, f"python -m sim: error: {line}\n")
