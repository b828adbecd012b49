"""Families of FPGAs: how each is synthesized, placed, routed and packed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga.boards import Board
from fpga.multipliers import absorb
from fpga.tools import run_tool


@dataclass(frozen=True)
class Family:
    """A family.

    Attributes
    ----------
    tools : tuple of str
        Synthesis, placing and routing, packing.
    synthesis : str
        Command of Yosys; the top module follows.
    constraints, bitstream : str
        Names of files.
    cells : dict of str to str
        What nextpnr calls what a report counts.
    """

    tools: tuple[str, str, str]
    synthesis: str
    constraints: str
    bitstream: str
    cells: dict[str, str]


FAMILIES = {
    "ecp5": Family(
        ("yosys", "nextpnr-ecp5", "ecppack"),
        "synth_ecp5 -nowidelut", "board.lpf", "board.bit",
        {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"},
    ),
    "ice40": Family(
        ("yosys", "nextpnr-ice40", "icepack"),
        # The eight cells of a tile share an enable: few registers are not worth one of their own.
        # Of the iCEBreaker at 86 %, all seeds are placed, not one of six.
        "synth_ice40 -device u -dsp -spram -dffe_min_ce_use 12", "board.pcf", "board.bin",
        {"lut": "ICESTORM_LC", "bram": "ICESTORM_RAM", "spram": "ICESTORM_SPRAM",
         "dsp": "ICESTORM_DSP"},
    ),
    "gowin": Family(
        ("yosys", "nextpnr-himbaechel-gowin", "gowin_pack"),
        "synth_gowin", "board.cst", "board.fs",
        {"lut": "LUT4", "ff": "DFF", "carry": "ALU", "bram": "BSRAM", "dsp": "DSP"},
    ),
}  # fmt: skip
"""By name; those whose tools are open."""

CALLS = 3
"""To be raised when tools are called in another way: what was built before does not count then."""

NETLIST, COUNTS, ROUTED, REPORT = "netlist.json", "counts.json", "routed", "report.json"


def synthesize(board: Board, folder: Path) -> None:
    """Write ``NETLIST`` and ``COUNTS``, Yosys's statistics, of the ``board.v`` in a folder."""
    script = f"read_verilog -sv board.v; {FAMILIES[board.family].synthesis} -top board"
    script += f"; write_json {NETLIST}; tee -q -o {COUNTS} stat -json"
    run_tool("yosys", ["-q", "-p", script], folder)
    if board.family == "ecp5":
        netlist = json.loads((folder / NETLIST).read_text())
        # Of the ULX3S, 1243 registers fewer, and no path of 10.7 ns through a multiplier.
        absorb(netlist["modules"]["board"])
        (folder / NETLIST).write_text(json.dumps(netlist))


def place(board: Board, seed: int, target: float, folder: Path) -> None:
    """Place and route the netlist in a folder; write ``ROUTED`` and ``REPORT``.

    Parameters
    ----------
    target : float
        MHz of the circuit's clock.

    Raises
    ------
    ValueError
        The circuit does not fit.
    """
    family, platform = FAMILIES[board.family], _platform(board)
    common = (
        f"--json {NETLIST} --seed {seed} --freq {target:g} --report {REPORT} --timing-allow-fail "
        "--quiet --log place.log "
    )
    if board.family == "ecp5":
        package = platform.package.replace("BG", "CABGA")
        special = (
            f"--{_ecp5_size(platform.device)} --package {package} --speed {platform.speed} "
            # Far shorter wires from memory blocks than by the default placer: 9.2 ns, not 10.2.
            f"--placer static --lpf {family.constraints} --textcfg {ROUTED}"
        )
    elif board.family == "ice40":
        size = platform.device.lower().removeprefix("ice40")
        special = (
            f"--{size} --package {platform.package.lower()} "
            # A cell without a place gives up in seconds, not in 16 minutes: other seeds find one.
            "--placer-heap-cell-placement-timeout 100 "
            f"--pcf {family.constraints} --asc {ROUTED}"
        )
    else:
        special = (
            f"--device {platform.part} --vopt family={_gowin_chip(platform)} "
            f"--vopt cst={family.constraints} --write {ROUTED}"
        )
    try:
        run_tool(family.tools[1], (common + special).split(), folder)
    except RuntimeError as error:
        lack = no_room(str(error))
        if lack is None:
            raise
        raise ValueError(
            f"circuit must fit the {board.title}, got {lack}; "
            "lower --pe or --lanes, or give other --seeds"
        ) from error


def no_room(said: str) -> str | None:
    """Return what an FPGA lacks by nextpnr's last words; None where these are of something else."""
    if found := re.search(r"no BELs remaining to implement cell type '(\w+)'", said):
        return f"more {found[1]} than there are"
    if "Unable to find legal placement" in said:
        return "one so full that no cell could be moved where it belongs"
    return None


def pack(board: Board, folder: Path) -> None:
    """Make the bitstream of a routed design."""
    family, platform = FAMILIES[board.family], _platform(board)
    if board.family == "gowin":
        options = ["-d", _gowin_chip(platform), "-o", family.bitstream, ROUTED]
    elif board.family == "ecp5":
        options = ["--compress", "--input", ROUTED, "--bit", family.bitstream]
    else:
        options = [ROUTED, family.bitstream]
    run_tool(family.tools[2], options, folder)


def _platform(board: Board) -> Any:
    return board.load()


def _gowin_chip(platform: Any) -> str:
    """Return what nextpnr calls the chip: that without the memory in its package."""
    return platform.family.replace("GW1NR", "GW1N")


def _ecp5_size(device: str) -> str:
    """Return what nextpnr calls an LFE5U-85F, LFE5UM-45F or LFE5UM5G-85F."""
    kind, size = device.lower().removesuffix("f").split("-")
    prefix = {"lfe5u": "", "lfe5um": "um-", "lfe5um5g": "um5g-"}[kind]
    return f"{prefix}{size}k"
