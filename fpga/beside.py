"""Units beside the engine on a Lattice ECP5-85k, by the flow of :mod:`fpga.engine`."""

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from fpga.engine import SYNTHESIS, placed, synthesized
from fpga.qor import DEVICE, TOOLS, synthesize_core
from fpga.tools import PACKAGES, tool_version
from hwgen.config import HardwareConfig
from hwgen.units import UnitConfig, unit_verilog

CONFIG = HardwareConfig(stage_every=1, mapping="ecp5")
"""The circuit that the units serve: the default one but for its adders."""
UNIT = UnitConfig()


def measure(
    name: str, seeds: list[int], target: float, progress: Callable[[str], object]
) -> dict[str, Any]:
    """Synthesize, place and route a unit; return figures with what they depend on.

    Parameters
    ----------
    name : str
        As :data:`hwgen.units.UNITS` has it.
    target : float
        MHz that placing and routing aim at.

    Raises
    ------
    FileNotFoundError
        A tool is not installed.
    RuntimeError
        A tool failed.
    """
    text = unit_verilog(name, CONFIG, UNIT)
    fmax, path = [], []
    with tempfile.TemporaryDirectory(prefix="planesmith-") as temporary:
        folder = Path(temporary)
        progress("synthesis")
        cost = synthesized(lambda: synthesize_core(text, name, SYNTHESIS, folder), folder)
        for seed in seeds:
            progress(f"seed {seed}")
            reached, path = placed(seed, target, folder)
            fmax.append(reached)
    return {
        "config": asdict(CONFIG),
        "unit": asdict(UNIT),
        "device": "LFE5U-85F-6, out of context",
        "tools": {PACKAGES[tool]: tool_version(tool) for tool in TOOLS},
        **asdict(cost),
        "fmax": fmax,
        "fmax_median": statistics.median(fmax),
        "path": path,
    }


def source_of(name: str, seeds: list[int], target: float) -> str:
    """Return a digest of everything that decides the figures."""
    tools = [tool_version(tool) for tool in TOOLS]
    parts = [unit_verilog(name, CONFIG, UNIT), DEVICE, SYNTHESIS, tools, seeds, target]
    return sha256(repr(parts).encode()).hexdigest()[:20]
