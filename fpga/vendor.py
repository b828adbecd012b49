"""Vivado project: Tcl, constraints and sources, for boards whose tools are the vendor's."""

import json
import tempfile
from pathlib import Path
from typing import Any

from fpga.boards import Board
from fpga.capacity import check_fit, needs
from fpga.description import FILE
from fpga.design import Design
from fpga.tools import run_tool
from models.files import whole_set

TCL = """\
# Makes board.bit: vivado -mode batch -source build.tcl
set_param general.maxThreads 4
read_verilog -sv board.v
read_xdc board.xdc
synth_design -top board -part {part}
opt_design
place_design
phys_opt_design
route_design
report_utilization -file utilization.rpt
report_timing_summary -file timing.rpt
if {{[get_property SLACK [get_timing_paths]] < 0}} {{
  puts stderr "timing must be met, see timing.rpt"
  exit 2
}}
write_bitstream -force board.bit
"""


def write_project(board: Board, design: Design, folder: Path) -> dict[str, float]:
    """Write a project, after a synthesis by Yosys that shows that it fits.

    Returns
    -------
    dict of str to float
        What the circuit takes by Yosys' count, by kind.

    Raises
    ------
    ValueError
        It does not fit.
    """
    found = _count(board, design)
    with whole_set(folder) as work:
        (work / "board.v").write_text(design.verilog)
        (work / "board.xdc").write_text(design.constraints)
        (work / "build.tcl").write_text(tcl(board))
        design.description.write(work / FILE)
    return found


def tcl(board: Board) -> str:
    """Return the script that makes the bitstream."""
    platform: Any = board.load()
    return TCL.format(part=f"{platform.device}{platform.package}-{platform.speed}")


def _count(board: Board, design: Design) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        work = Path(name)
        (work / "board.v").write_text(design.verilog)
        script = "read_verilog -sv board.v; synth_xilinx -family xc7 -flatten -top board"
        run_tool("yosys", ["-q", "-p", f"{script}; tee -q -o stat.json stat -json"], work)
        stat = json.loads((work / "stat.json").read_text())
    check_fit(board, design.description.config, stat)
    return needs(board.family, stat)
