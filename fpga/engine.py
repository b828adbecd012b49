"""Whole engines on a Lattice ECP5-85k: what they cost beyond their processing elements.

The flow is that of :mod:`fpga.qor`, but for multipliers, which may be those of the FPGA. Components
are synthesized one by one, without what becomes simpler across them; the engine in one piece.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fpga.families import FAMILIES
from fpga.figures import figures_of
from fpga.qor import TOOLS, place, synthesize, synthesize_core
from fpga.tools import PACKAGES, run_tool, tool_version
from fpga.wrapper import Wrapper
from hwgen.config import HardwareConfig
from hwgen.emit import emit_parts, verilog
from hwgen.pe import ProcessingElement

SYNTHESIS = "synth_ecp5 -noiopad -nowidelut -top wrapper"
COMPONENTS = "synth_ecp5 -noiopad -nowidelut -noflatten"
ELEMENT = "pe"


@dataclass(frozen=True)
class Cost:
    """What cells come to.

    Attributes
    ----------
    lut4 : int
        Logic, carry (two for each CCU2C) and distributed memory (four for each DPR16X4).
    registers, blocks, multipliers : int
        Registers, memory blocks (DP16KD), MULT18X18D.
    """

    lut4: int
    registers: int
    blocks: int
    multipliers: int


@dataclass(frozen=True)
class Engine:
    """What an engine costs.

    Attributes
    ----------
    whole, element : Cost
        The engine in one piece; one processing element alone.
    row_lut4 : int
        LUT4 of a processing element with an accumulator of 32 bits, as :mod:`fpga.qor` has it.
    components : dict of str to (int, Cost)
        Modules: how many there are of each, and what all of them cost.
    fmax, element_fmax : list of float
        MHz after routing, one for each seed.
    path : list of str
        Components along the slowest path of the last seed.
    """

    whole: Cost
    element: Cost
    row_lut4: int
    components: dict[str, tuple[int, Cost]]
    fmax: list[float]
    element_fmax: list[float]
    path: list[str]


def measure(
    config: HardwareConfig,
    seeds: list[int],
    target: float,
    progress: Callable[[str], object] = lambda stage: None,
) -> Engine:
    """Synthesize an engine and one of its processing elements; place and route them for each seed.

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
    element = emit_parts({ELEMENT: ProcessingElement(config)}, config)
    alone = "\n".join(element.values())
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        progress("processing element")
        row = synthesized(lambda: synthesize(replace(config, pe=1), SYNTHESIS, folder), folder)
        one = synthesized(lambda: synthesize_core(alone, ELEMENT, SYNTHESIS, folder), folder)
        element_fmax = [placed(seed, target, folder)[0] for seed in seeds]
        progress("components")
        text = verilog(config)
        (folder / "engine.v").write_text(text)
        components = _components(config.top, folder)
        progress("engine")
        clock = "aclk" if config.bus == "axi" else "clk"
        whole = synthesized(
            lambda: synthesize_core(text, config.top, SYNTHESIS, folder, clock), folder
        )
        fmax, path = [], []
        for seed in seeds:
            progress(f"seed {seed}")
            reached, path = placed(seed, target, folder)
            fmax.append(reached)
    return Engine(whole, one, row.lut4, components, fmax, element_fmax, path)


def record(config: HardwareConfig, engine: Engine) -> dict[str, Any]:
    """Return figures with what they depend on, to keep as JSON.

    ``overhead`` is the share that the engine's LUT4 are above those of its processing elements;
    ``overhead_rows`` the same, where these have an accumulator of 32 bits each.
    """
    lut4, pe = engine.whole.lut4, config.pe
    return {
        "config": asdict(config),
        "device": "LFE5U-85F-6, out of context",
        "tools": {PACKAGES[tool]: tool_version(tool) for tool in TOOLS},
        "engine": asdict(engine.whole),
        "element": asdict(engine.element),
        "row_lut4": engine.row_lut4,
        "overhead": round(lut4 / (pe * engine.element.lut4) - 1, 3),
        "overhead_rows": round(lut4 / (pe * engine.row_lut4) - 1, 3),
        "fmax": engine.fmax,
        "element_fmax": engine.element_fmax,
        "path": engine.path,
        "components": {
            name: {"count": count, **asdict(cost)}
            for name, (count, cost) in engine.components.items()
        },
    }


def synthesized(synthesis: Callable[[], Wrapper], folder: Path) -> Cost:
    """Return what a core costs without its wrapper, whose netlist is then in the folder."""
    wrapper = synthesis()
    found = _cost(_modules(folder, "netlist.json")["wrapper"])
    return replace(
        found, lut4=found.lut4 - wrapper.lut4, registers=found.registers - wrapper.registers
    )


def _components(top: str, folder: Path) -> dict[str, tuple[int, Cost]]:
    """Synthesize modules on their own; return each with how many there are, the largest first."""
    script = f"read_verilog -sv engine.v; {COMPONENTS} -top {top}; write_json components.json"
    run_tool("yosys", ["-q", "-p", script], folder)
    modules = _modules(folder, "components.json")
    counts: Counter[str] = Counter()

    def visit(name: str) -> None:
        counts[name] += 1
        for cell in modules[name]["cells"].values():
            if cell["type"] in modules and not _is_cell(modules[cell["type"]]):
                visit(cell["type"])

    visit(top)
    found = {}
    for name, count in counts.items():
        one = _cost(modules[name])
        found[name] = count, Cost(*(count * part for part in asdict(one).values()))
    return dict(sorted(found.items(), key=lambda entry: -entry[1][1].lut4))


def _is_cell(module: dict[str, Any]) -> bool:
    """Whether a module is one of the technology's."""
    return any(name in module["attributes"] for name in ("blackbox", "whitebox"))


def _modules(folder: Path, name: str) -> dict[str, Any]:
    return json.loads((folder / name).read_text())["modules"]


def _cost(module: dict[str, Any]) -> Cost:
    cells = Counter(cell["type"] for cell in module["cells"].values())
    return Cost(
        lut4=cells["LUT4"] + 2 * cells["CCU2C"] + 4 * cells["TRELLIS_DPR16X4"],
        registers=cells["TRELLIS_FF"],
        blocks=cells["DP16KD"],
        multipliers=cells["MULT18X18D"],
    )


def placed(seed: int, target: float, folder: Path) -> tuple[float, list[str]]:
    """Place and route the folder's netlist; return MHz, and components along the slowest path."""
    place(seed, target, folder, "--report", "report.json")
    figures = figures_of(json.loads((folder / "report.json").read_text()), FAMILIES["ecp5"])
    return round(figures.fmax, 2), [str(name) for name, _ in figures.path]
