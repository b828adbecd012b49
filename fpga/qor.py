"""Quality of results: what a unit costs on a Lattice ECP5-85k, and how fast its clock can be.

Yosys ``synth_ecp5 -noiopad -nowidelut -nodsp``, then nextpnr for LFE5U-85F, CABGA756, speed grade
6, out of context: in a wrapper whose own cost is taken off. A LUT4 is logic, a carry (two for each
CCU2C) or distributed memory (four for each DPR16X4).
"""

import json
import re
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fpga.tools import PACKAGES, run_tool, tool_version
from fpga.unit import unit_verilog
from fpga.wrapper import Port, Wrapper, wrap
from hwgen.config import HardwareConfig

CORE = "unit"
DEVICE = ("--85k", "--package", "CABGA756", "--speed", "6")
TOOLS = ("yosys", "nextpnr-ecp5")
SYNTHESIS = "synth_ecp5 -noiopad -nowidelut -nodsp -top wrapper"


@dataclass(frozen=True)
class Quality:
    """What placing and routing a unit gave.

    Attributes
    ----------
    lut4, carry, registers : int
        Of the unit; ``carry`` is the part of ``lut4`` in carry cells.
    fmax : list of float
        MHz after routing, one for each seed.
    """

    lut4: int
    carry: int
    registers: int
    fmax: list[float]


def measure(
    config: HardwareConfig,
    seeds: list[int],
    target: float,
    progress: Callable[[str], object] = lambda stage: None,
) -> Quality:
    """Synthesize, place and route the unit of a configuration: ``config.pe`` rows.

    Parameters
    ----------
    target : float
        MHz that placing and routing aim at.

    Raises
    ------
    FileNotFoundError
        A tool is not installed.
    RuntimeError
        A tool failed.
    """
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        progress("synthesis")
        wrapper = synthesize(config, SYNTHESIS, folder)
        fmax, log = [], ""
        for seed in seeds:
            progress(f"seed {seed}")
            log = place(seed, target, folder)
            found = re.findall(r"Max frequency for clock\s+'[^']*':\s+([\d.]+) MHz", log)
            fmax.append(float(found[-1]))
    return Quality(
        lut4=_count(log, r"Total LUT4s:\s+(\d+)/") - wrapper.lut4,
        carry=_count(log, r"carry LUTs:\s+(\d+)/"),
        registers=_count(log, r"Total DFFs:\s+(\d+)/") - wrapper.registers,
        fmax=fmax,
    )


def synthesize(config: HardwareConfig, synthesis: str, folder: Path) -> Wrapper:
    """Write ``netlist.json`` of the unit of a configuration in its wrapper, which is returned.

    Parameters
    ----------
    synthesis : str
        Command of Yosys; the top module is ``wrapper``.
    """
    return synthesize_core(unit_verilog(config), CORE, synthesis, folder)


def synthesize_core(
    text: str, core: str, synthesis: str, folder: Path, clock: str = "clk"
) -> Wrapper:
    """Write ``netlist.json`` of a module of a Verilog text in its wrapper, which is returned."""
    (folder / "core.v").write_text(text)
    ports = f"{_read('core.v')}; hierarchy -top {core}; proc; write_json ports.json"
    run_tool("yosys", ["-q", "-p", ports], folder)
    modules = json.loads((folder / "ports.json").read_text())["modules"]
    wrapper = wrap(core, _ports(modules[core], clock), clock)
    (folder / "wrapper.v").write_text(wrapper.text)
    netlist = f"{_read('core.v wrapper.v')}; {synthesis}; write_json netlist.json"
    run_tool("yosys", ["-q", "-p", netlist], folder)
    return wrapper


def place(seed: int, target: float, folder: Path, *more: str) -> str:
    """Place and route ``netlist.json``; return what the tool prints.

    Parameters
    ----------
    target : float
        MHz to aim at.
    more : words of the command
    """
    return run_tool("nextpnr-ecp5", [
        *DEVICE, "--freq", str(target), "--seed", str(seed), "--timing-allow-fail",
        "--json", "netlist.json", *more,
    ], folder)  # fmt: skip


def record(config: HardwareConfig, quality: Quality) -> dict[str, Any]:
    """Return figures with what they depend on, to keep as JSON."""
    rate = config.pe * config.lanes / config.digits
    return {
        "config": asdict(config),
        "device": "LFE5U-85F-6, out of context",
        "tools": {PACKAGES[tool]: tool_version(tool) for tool in TOOLS},
        **asdict(quality),
        "fmax_median": statistics.median(quality.fmax),
        "mac_per_cycle": rate,
        "lut4_per_mac_per_cycle": round(quality.lut4 / rate, 3),
    }


def source_of(config: HardwareConfig, seeds: list[int], target: float) -> str:
    """Return a digest of everything that decides the figures."""
    tools = [tool_version(tool) for tool in TOOLS]
    parts = [unit_verilog(config), DEVICE, SYNTHESIS, tools, seeds, target]
    return sha256(repr(parts).encode()).hexdigest()[:20]


def _read(files: str) -> str:
    """Return Yosys' commands to read files; the flag SYNTHESIS is set by Yosys."""
    return "; ".join(f"read_verilog -sv {file}" for file in files.split())


def _ports(module: dict[str, Any], clock: str) -> list[Port]:
    """Return the ports of the core, other than its clock."""
    return [
        Port(name, len(port["bits"]), port["direction"] == "output")
        for name, port in module["ports"].items()
        if name != clock
    ]


def _count(log: str, pattern: str) -> int:
    found = re.search(pattern, log)
    if found is None:
        raise RuntimeError(f"nextpnr must report {pattern.split(':')[0]}, got none")
    return int(found[1])
