"""Synthesis recipe: Verilog to cells of a library, by Yosys and ABC.

Adders become the library's full-adder cells, or where it has none, full adders of its gates: sums
of many operands first become one tree of such. Registers with enables become clock-gated ones,
where it has a clock gate.
"""

import json
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import permutations
from pathlib import Path
from typing import Any

from cost.cells import Cell, Library
from cost.liberty import thinned, write
from cost.netlist import MEMORY
from fpga.tools import run_tool

MAJORITY, PARITY = 0b11101000, 0b10010110
"""Truth tables of a full adder's carry and sum."""

XOR, AND_OR_INVERT = 0b0110, 0b0000_0111_0111_0111
"""Truth tables of gates that one can be made of, the latter of two pairs of inputs."""


@dataclass(frozen=True)
class Recipe:
    """How to synthesize.

    Attributes
    ----------
    full_adders : bool
        Use the library's full-adder cell, or its gates as one.
    clock_gates : int
        Registers that share an enable become gated from so many bits on; 0 for never.
    booth : bool
        Multipliers are radix-4 Booth-coded; otherwise they join the tree of adders as plain rows.
    period : float
        Seconds that ABC sizes gates for; full adders are not among them.
    """

    full_adders: bool = True
    clock_gates: int = 4
    booth: bool = False
    period: float = 10e-9


@dataclass(frozen=True)
class Adder:
    """A full-adder cell: its name and pins, and which of its outputs are inverted."""

    cell: str
    inputs: tuple[str, ...]
    carry: str
    sum: str
    carry_inverted: bool
    sum_inverted: bool


def full_adder(library: Library, cells: set[str]) -> Adder | None:
    """Return the smallest full adder of a library, found by what its outputs compute."""
    found: list[tuple[float, Adder]] = []
    for name in cells.intersection(library.of_shape(3, 2)):
        cell = library.cell(name)
        adder = _adder(cell)
        if adder is not None:
            found.append((cell.area, adder))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _adder(cell: Cell) -> Adder | None:
    tables = {}
    for name in cell.outputs:
        function = cell.pins[name].function
        if function is not None and set(function.pins) == set(cell.inputs):
            tables[function.truth(tuple(cell.inputs))] = name
    carry = next((t for t in (MAJORITY, MAJORITY ^ 255) if t in tables), None)
    total = next((t for t in (PARITY, PARITY ^ 255) if t in tables), None)
    if carry is None or total is None:
        return None
    return Adder(cell.name, tuple(cell.inputs), tables[carry], tables[total],
                 carry != MAJORITY, total != PARITY)  # fmt: skip


def _gate(library: Library, cells: set[str], inputs: int, table: int) -> tuple[str, str] | None:
    """Return the smallest gate with a truth table: its name, and its pins as a format, out last."""
    found: list[tuple[float, str, str]] = []
    for name in cells.intersection(library.of_shape(inputs, 1)):
        cell = library.cell(name)
        function = cell.pins[cell.outputs[0]].function if cell.outputs else None
        if function is None or set(function.pins) != set(cell.inputs):
            continue
        order = next((p for p in permutations(cell.inputs) if function.truth(p) == table), None)
        if order is not None:
            pins = ", ".join(f".{pin}({{}})" for pin in (*order, cell.outputs[0]))
            found.append((cell.area, name, pins))
    return min(found)[1:] if found else None


def usable(library: Library, dont_use: list[str]) -> set[str]:
    """Return the cells to build from: those with an area, and not marked or named as not to use."""
    return {
        name
        for name, group in library.groups.items()
        if group.get("dont_use") != "true" and float(group.get("area", "0")) > 0
        and not any(fnmatchcase(name, pattern) for pattern in dont_use)
    }  # fmt: skip


TECHMAP = """
(* techmap_celltype = "$fa" *)
module map_fa(A, B, C, X, Y);
  parameter WIDTH = 1;
  input [WIDTH-1:0] A, B, C;
  output [WIDTH-1:0] X, Y;
  genvar i;
  generate for (i = 0; i < WIDTH; i = i + 1)
    planesmith_fa fa(.a(A[i]), .b(B[i]), .c(C[i]), .co(X[i]), .s(Y[i]));
  endgenerate
endmodule

(* techmap_celltype = "$alu" *)
module map_alu(A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  input CI, BI;
  output [Y_WIDTH-1:0] X, Y, CO;
  wire [Y_WIDTH-1:0] left, right;
  generate
    if (A_WIDTH == 0) assign left = 0;
    else if (A_SIGNED) assign left = $signed(A);
    else assign left = A;
    if (B_WIDTH == 0) assign right = 0;
    else if (B_SIGNED) assign right = $signed(B);
    else assign right = B;
  endgenerate
  wire [Y_WIDTH-1:0] other = right ^ {Y_WIDTH{BI}};
  wire [Y_WIDTH:0] chain;
  assign chain[0] = CI;
  assign CO = chain[Y_WIDTH:1];
  assign X = left ^ other;
  genvar i;
  generate for (i = 0; i < Y_WIDTH; i = i + 1)
    planesmith_fa fa(.a(left[i]), .b(other[i]), .c(chain[i]), .co(chain[i+1]), .s(Y[i]));
  endgenerate
endmodule
"""
"""Yosys' adders to full adders; a carry ripples: small, and with the least switched capacitance."""

CELLS = """
module planesmith_fa(a, b, c, co, s);
  parameter _TECHMAP_CONSTMSK_a_ = 0;
  parameter _TECHMAP_CONSTMSK_b_ = 0;
  parameter _TECHMAP_CONSTMSK_c_ = 0;
  input a, b, c;
  output co, s;
  generate if (_TECHMAP_CONSTMSK_a_ || _TECHMAP_CONSTMSK_b_ || _TECHMAP_CONSTMSK_c_) begin
    assign s = a ^ b ^ c;
    assign co = (a & b) | (c & (a ^ b));
  end else begin
    wire carry, sum;
    CELL
    assign co = CARRY;
    assign s = SUM;
  end endgenerate
endmodule
"""
"""Full adders to the library's cells, or with constant inputs to any gates."""


REGISTERS = "-cell $_SDFFE_PP?P_ x -cell $_SDFF_PP?_ x -cell $_DFFE_PP_ x -cell $_DFF_P_ x"

RESETS = """
module \\$_SDFFE_PP0P_ (input D, C, R, E, output Q);
  \\$_DFFE_PP_ register(.D(D & ~R), .C(C), .E(E | R), .Q(Q));
endmodule

module \\$_SDFFE_PP1P_ (input D, C, R, E, output Q);
  \\$_DFFE_PP_ register(.D(D | R), .C(C), .E(E | R), .Q(Q));
endmodule
"""
"""Synchronous resets of registers with enables; Yosys would give up the enable, and its gate."""


def adder_cells(library: Library, cells: set[str]) -> str:
    """Return :data:`CELLS` for a library: of its full adder, else of gates; empty without these."""
    adder = full_adder(library, cells)
    if adder is not None:
        a, b, c = adder.inputs
        pins = f".{a}(a), .{b}(b), .{c}(c), .{adder.carry}(carry), .{adder.sum}(sum)"
        text = CELLS.replace("CARRY", "~carry" if adder.carry_inverted else "carry")
        text = text.replace("SUM", "~sum" if adder.sum_inverted else "sum")
        return text.replace("CELL", f"{adder.cell} cell({pins});")
    xor, invert = _gate(library, cells, 2, XOR), _gate(library, cells, 4, AND_OR_INVERT)
    if xor is None or invert is None:
        return ""
    gates = [
        (xor, ("a", "b", "half")), (xor, ("half", "c", "sum")),
        (invert, ("a", "b", "half", "c", "carry")),
    ]  # fmt: skip
    lines = ["wire half;"]
    for number, ((name, pins), nets) in enumerate(gates):
        lines.append(f"{name} gate_{number}({pins.format(*nets)});")
    text = CELLS.replace("CARRY", "~carry").replace("SUM", "sum")
    return text.replace("CELL", "\n    ".join(lines))


def script(recipe: Recipe, top: str, adders: bool, parts: bool = False) -> str:
    """Return the commands of Yosys; see :func:`synthesize`. With ``adders`` these become cells."""
    lines = [
        "read_verilog -sv design.v",
        f"hierarchy -check -top {top}",
        "proc",
        "" if parts else "flatten",
        "opt -full",
        "wreduce",
        "peepopt",
        "opt_clean",
        "booth" if recipe.booth else "",
        "alumacc",
        "maccmap",
        "opt -fast",
        "memory -nomap",
        "opt -fast -full",
        f"memory_map {HELD if parts else ''}",
    ]
    if adders:
        lines += [
            "techmap -map adders.v",
            "techmap",
            "opt -fast",
            "techmap -map cells.v",
            "simplemap",
        ]
    else:
        lines += ["techmap"]
    lines += ["opt -fast", "simplemap", f"dfflegalize {REGISTERS}"]
    lines += ["techmap -map resets.v", "simplemap", "opt"]
    if recipe.clock_gates:
        lines += [f"clockgate -min_net_size {recipe.clock_gates} -liberty library.lib"]
    lines += [
        "dfflegalize -cell $_DFF_P_ x",
        "opt_clean",
        "dfflibmap -liberty library.lib",
        "opt -fast",
        f"abc -liberty library.lib -D {round(recipe.period * 1e12)}",
        "opt_clean -purge",
        "setundef -zero",
        "hilomap -singleton",
        "flatten -noscopeinfo" if parts else "",
        "write_json netlist.json",
    ]
    return "\n".join(line for line in lines if line) + "\n"


HELD = f"t:{MEMORY} r:RD_CLK_ENABLE<1 %i scaler/t:{MEMORY} %u"
"""Memories that become registers: those that are read without a clock, and scalers' few words."""


def synthesize(
    verilog: str,
    top: str,
    library: Library,
    recipe: Recipe,
    dont_use: list[str],
    parts: bool = False,
) -> dict[str, Any]:
    """Map a design to the cells of a library.

    Parameters
    ----------
    parts : bool
        Map each module on its own, and keep memories that are read by a clock: blocks of static
        memory. Names of cells then begin with those of the instances that they are in.

    Returns
    -------
    dict
        The top module of Yosys' JSON netlist.

    Raises
    ------
    RuntimeError
        Yosys failed, or left cells that the library does not have.
    FileNotFoundError
        Yosys is not installed.
    """
    cells = usable(library, dont_use)
    adders = adder_cells(library, cells) if recipe.full_adders else ""
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(verilog)
        (folder / "library.lib").write_text(write(thinned(library.group, cells)))
        (folder / "adders.v").write_text(TECHMAP)
        (folder / "resets.v").write_text(RESETS)
        (folder / "cells.v").write_text(adders)
        (folder / "synthesis.ys").write_text(script(recipe, top, bool(adders), parts))
        run_tool("yosys", ["-q", "-s", "synthesis.ys"], folder)
        module = json.loads((folder / "netlist.json").read_text())["modules"][top]
    kept = {MEMORY} if parts else set[str]()
    foreign = sorted({cell["type"] for cell in module["cells"].values()} - cells - kept)
    if foreign:
        raise RuntimeError(
            f"yosys must map to cells of library {library.name}, got {', '.join(foreign)}"
        )
    return module
