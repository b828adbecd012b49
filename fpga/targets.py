"""FPGAs that circuits alone are measured on, out of context."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.tools import run_tool


@dataclass(frozen=True)
class Target:
    """An FPGA with its tools.

    Attributes
    ----------
    title : str
    synthesis : str
        Command of Yosys; the top module is ``wrapper``.
    placer : str
    device : tuple of str
        Flags of the placer.
    lut, carry, registers : tuple of str
        Beginnings of the names of cells that count as such; ``carry`` takes its share of LUTs.
    """

    title: str
    synthesis: str
    placer: str
    device: tuple[str, ...]
    lut: tuple[str, ...]
    carry: tuple[str, ...]
    registers: tuple[str, ...]


TARGETS = {
    "ecp5": Target(
        "LFE5U-85F-6, out of context",
        "synth_ecp5 -noiopad -nowidelut -nodsp -top wrapper",
        "nextpnr-ecp5",
        ("--85k", "--package", "CABGA756", "--speed", "6"),
        ("LUT4",), ("CCU2C",), ("TRELLIS_FF",),
    ),
    "ice40": Target(
        "iCE40HX8K, out of context",
        "synth_ice40 -device hx -top wrapper",
        "nextpnr-ice40",
        ("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"),
        ("SB_LUT4",), ("SB_CARRY",), ("SB_DFF",),
    ),
}  # fmt: skip


def place(target: Target, seed: int, freq: float, folder: Path) -> float:
    """Place and route ``netlist.json``; return MHz."""
    log = run_tool(target.placer, [
        *target.device, "--freq", str(freq), "--seed", str(seed), "--timing-allow-fail",
        "--json", "netlist.json",
    ], folder)  # fmt: skip
    found = re.findall(r"Max frequency for clock\s+'[^']*':\s+([\d.]+) MHz", log)
    return float(found[-1])


def count(netlist: dict[str, Any], names: tuple[str, ...]) -> int:
    """Return how many cells of the wrapper have names that begin so."""
    cells = netlist["modules"]["wrapper"]["cells"].values()
    return sum(cell["type"].startswith(names) for cell in cells)
