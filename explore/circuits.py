"""Synthesis of an element on a library, or of rows for an ECP5, where they can be routed too."""

import json
import tempfile
from functools import cache
from hashlib import file_digest
from pathlib import Path
from typing import Any

from cost.cells import Library
from cost.liberty import read
from cost.recipe import Recipe
from cost.stimulus import random_work
from cost.synth import measure, record
from cost.units import Element
from fpga import qor
from fpga.boards import board_of
from fpga.build import build
from fpga.capacity import needs
from fpga.design import design_of
from fpga.families import FAMILIES, Family
from fpga.tools import PACKAGES, run_tool, tool_version
from hwgen.config import HardwareConfig
from models.checks import require
from models.files import alone_in
from models.kept import code_digest

CODE = ("cost", "fpga", "hwgen", "models/kept.py")
WORDS = 8
XILINX = "synth_xilinx -family xc7 -flatten"
SEED, AIM = 1, 250.0
"""Of placing; MHz that it aims at."""


def question_of(stage: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Return what decides the answer: inputs but for their places, versions, code.

    Raises
    ------
    OSError
        A tool is not installed, or a file is not there.
    """
    names = ["yosys"] if stage == "synthesize" else ["yosys", "nextpnr-ecp5"]
    if "board" in inputs and stage == "route":
        names = [*family_of(inputs["board"]).tools]
    tools = {PACKAGES[name]: tool_version(name) for name in names}
    library = inputs.get("library")
    if library:
        contents = [_content(Path(file)) for file in library["liberty"]]
        inputs = inputs | {"library": [*contents, *library["dont_use"]]}
    return {"stage": stage, **inputs, "tools": tools, "code": code_digest(*CODE)}


@cache
def prime(*tools: str) -> None:
    """Let each tool compile itself into its cache before several processes ask it to at once."""
    lock = Path(tempfile.gettempdir()) / "planesmith-tools"
    lock.mkdir(exist_ok=True)
    with alone_in(lock):
        for tool in tools:
            run_tool(tool, ["--version"], lock)


def synthesize(inputs: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Synthesize an element on a library, or rows for an ECP5."""
    prime("yosys")
    config = HardwareConfig(**inputs["config"])
    if "board" in inputs:
        return _on_board(config, inputs)
    if "library" in inputs:
        return _on_library(config, inputs)
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        wrapper = qor.synthesize(config, qor.SYNTHESIS, folder)
        cells = json.loads((folder / "netlist.json").read_text())["modules"]["wrapper"]["cells"]
    kinds: dict[str, int] = {}
    for cell in cells.values():
        kinds[cell["type"]] = kinds.get(cell["type"], 0) + 1
    luts = needs("ecp5", {"design": {"num_cells_by_type": kinds}})["lut"] - wrapper.lut4
    return {"luts": luts / config.pe, "rows": config.pe, "by": _by("yosys")}


def route(inputs: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Place and route rows on an ECP5, alone; or the whole of a board."""
    config = HardwareConfig(**inputs["config"])
    if "board" in inputs:
        return _routed(config, inputs, scratch)
    prime("yosys", "nextpnr-ecp5")
    found = qor.measure(config, [SEED], AIM)
    return {"luts": found.lut4 / config.pe, "rows": config.pe, "fmax": found.fmax[0],
            "by": _by("yosys", "nextpnr-ecp5")}  # fmt: skip


def _on_board(config: HardwareConfig, inputs: dict[str, Any]) -> dict[str, Any]:
    """Synthesize a board's design; what it takes and has, and whether it fits."""
    board = board_of(inputs["board"])
    design = design_of(inputs["board"], board, config, inputs["clock"])
    synthesis = FAMILIES[board.family].synthesis if board.family in FAMILIES else XILINX
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        (folder / "board.v").write_text(design.verilog)
        script = f"read_verilog -sv board.v; {synthesis} -top board; tee -q -o stat.json stat -json"
        run_tool("yosys", ["-q", "-p", script], folder)
        found = needs(board.family, json.loads((folder / "stat.json").read_text()))
    too_many = [
        f"{need:g} {kind} of {inputs['capacity'][kind]}"
        for kind, need in found.items() if need > inputs["capacity"][kind]
    ]  # fmt: skip
    out = f"takes {', '.join(too_many)}" if too_many else ""
    return {"luts": found["lut"], "needs": found, "out": out, "by": _by("yosys")}


def _routed(config: HardwareConfig, inputs: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Make a board's bitstream; its cells and clock, and whether that is met."""
    board, family = board_of(inputs["board"]), family_of(inputs["board"])
    prime(*family.tools[:2])
    design = design_of(inputs["board"], board, config, inputs["clock"])
    built = build(board, design, [SEED], scratch / "boards")
    figures = built.seeds[SEED]
    out = "" if built.met else f"comes to {figures.fmax:.1f} of {built.clock:g} MHz"
    return {"luts": figures.cells["lut"][0], "fmax": figures.fmax, "out": out,
            "by": _by(*family.tools[:2])}  # fmt: skip


def family_of(name: str) -> Family:
    """Return the family of a board; ``ValueError`` where its tools are the vendor's."""
    board = board_of(name)
    rule = f"be one of open tools ({', '.join(FAMILIES)}) to route"
    require(board.family in FAMILIES, f"family of board {name}", rule, board.family)
    return FAMILIES[board.family]


def _on_library(config: HardwareConfig, inputs: dict[str, Any]) -> dict[str, Any]:
    library = _library(tuple(inputs["library"]["liberty"]))
    voltage, clock = inputs["voltage"], inputs["clock"] * 1e6
    rule = f"be the technology's {voltage:g} V"
    require(library.voltage == voltage, f"voltage of library {library.name}", rule, library.voltage)
    unit, low = Element(config), -int(config.signed_weights)
    work = random_work(64, WORDS * config.lanes, (low, 1), config.code_range, seed=SEED)
    recipe = Recipe(period=1 / clock)
    done = measure(unit, library, recipe, work, inputs["library"]["dont_use"])
    return record(unit, library, recipe, work, done, clock)


@cache
def _library(files: tuple[str, ...]) -> Library:
    require(len(files) > 0, "library", "have a Liberty file", "none")
    return Library(read([Path(file) for file in files]))


def _by(*tools: str) -> str:
    return ", ".join(f"{PACKAGES[tool]} {tool_version(tool)}" for tool in tools)


@cache
def _content(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()
