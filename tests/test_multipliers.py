"""Registers that move into multipliers of the ECP5: each cycle computes what it did before."""

import json
from pathlib import Path

import pytest

from fpga.families import FAMILIES
from fpga.multipliers import absorb
from fpga.tools import run_tool


def pins(name: str, bits: int) -> str:
    """Return the pins of a number, from its highest bit on."""
    return ", ".join(f"{name}{n}" for n in reversed(range(bits)))


MODEL = f"""
module MULT18X18D(
  {pins("A", 18)}, {pins("B", 18)}, {pins("C", 18)}, {pins("P", 36)},
  SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0);
  input {pins("A", 18)}, {pins("B", 18)}, {pins("C", 18)};
  input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB, CLK0, CE0, RST0;
  output {pins("P", 36)};
  parameter REG_INPUTA_CLK = "NONE";
  parameter REG_INPUTB_CLK = "NONE";
  parameter REG_OUTPUT_CLK = "NONE";
  wire [17:0] a = {{{pins("A", 18)}}};
  wire [17:0] b = {{{pins("B", 18)}}};
  reg [17:0] a_held = 0, b_held = 0;
  reg [35:0] p_held = 0;
  wire [17:0] a_now = REG_INPUTA_CLK == "NONE" ? a : a_held;
  wire [17:0] b_now = REG_INPUTB_CLK == "NONE" ? b : b_held;
  wire signed [18:0] a_factor = {{SIGNEDA & a_now[17], a_now}};
  wire signed [18:0] b_factor = {{SIGNEDB & b_now[17], b_now}};
  wire [35:0] p = a_factor * b_factor;
  always @(posedge CLK0) begin
    if (RST0) {{a_held, b_held, p_held}} <= 0;
    else if (CE0) {{a_held, b_held, p_held}} <= {{a, b, p}};
  end
  assign {{{pins("P", 36)}}} = REG_OUTPUT_CLK == "NONE" ? p : p_held;
endmodule
"""
"""The multiplier as Lattice's TN1267, "ECP5 sysDSP Usage Guide", has it, as far as it is used."""

PORTS = """
  input clk, input en, input signed [5:0] a, input signed [5:0] b, input [4:0] c,
  output reg signed [11:0] y, output reg signed [11:0] z, output [5:0] w"""
HELD = """
  reg signed [5:0] ra = 0, rb = 0;
  reg signed [11:0] rz = 0;
  reg idle = 0;
  initial y = 0;
  always @* z = rz;"""
CASES = {
    "both": ("ra <= a; rb <= b; y <= ra * rb;", 6 + 6 + 12, 3),
    "factor_of_two": (
        "ra <= a; rb <= b; y <= ra * rb; rz <= ra * $signed({1'b0, rc});",
        6 + 6 + 12 + 12 + 4,
        6,
    ),
    "factor_not_held": ("ra <= a; y <= ra * b;", 12, 1),
    "enabled": ("idle <= !en; if (en | idle) ra <= a; rb <= b; y <= ra * rb;", 12, 1),
    "reset": ("ra <= a; rb <= b; y <= en ? ra * rb : 0;", 12, 2),
    "read_twice": ("ra <= a; rb <= b; y <= ra * rb; rz <= ra * rb ^ $signed(c);", 12, 2),
    "read_by_a_port": ("ra <= a; rb <= b; y <= ra * rb;", 6 + 12, 3),
    "begins_with_1": ("ra <= a; rb <= b; y <= ra * rb;", 12, 1),
}
"""By name: what happens in a cycle, registers that are gone, registers of multipliers in use."""

PROOF = """
    read_verilog -DNO_INCLUDES +/ecp5/cells_sim.v; read_verilog model.v; read_verilog gold.v;
    read_json gate.json; setattr -mod -unset top gate; hierarchy; proc; flatten; opt -full;
    miter -equiv -make_assert -flatten gold gate miter; hierarchy -top miter;
    sat -tempinduct -prove-asserts -verify -seq 1 -maxsteps 6 miter
"""


def verilog(name: str) -> str:
    """Return the module of a case."""
    held = HELD.replace("rb = 0", "rb = 1") if name == "begins_with_1" else HELD
    held += "reg [4:0] rc = 0; always @(posedge clk) rc <= c;"
    port = "rb" if name == "read_by_a_port" else "{6{rc[0]}}"
    body = f"{held} assign w = {port}; always @(posedge clk) begin {CASES[name][0]} end"
    return f"module gold({PORTS}); {body} endmodule"


@pytest.mark.parametrize("name", CASES)
def test_netlists_are_equal(name: str, tmp_path: Path) -> None:
    """Proven by induction with Yosys's models of the other cells."""
    _, gone, used = CASES[name]
    (tmp_path / "gold.v").write_text(verilog(name))
    (tmp_path / "model.v").write_text(MODEL)
    synthesis = f"read_verilog gold.v; {FAMILIES['ecp5'].synthesis} -top gold; rename gold gate"
    run_tool("yosys", ["-q", "-p", f"{synthesis}; write_json gate.json"], tmp_path)
    gate = json.loads((tmp_path / "gate.json").read_text())["modules"]["gate"]
    cells, before = gate["cells"], len(gate["cells"])
    assert absorb(gate) == gone == before - len(cells)
    found = [cell["parameters"] for cell in cells.values() if cell["type"] == "MULT18X18D"]
    assert sum("REG" in key for parameters in found for key in parameters) == used
    (tmp_path / "gate.json").write_text(json.dumps({"modules": {"gate": gate}}))
    run_tool("yosys", ["-q", "-p", PROOF], tmp_path)
