"""Sweep: units of many configurations, measured to fit a model of cells and clock to."""

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

from fpga.qor import synthesize
from fpga.targets import TARGETS, count, place
from fpga.tools import PACKAGES, tool_version
from hwgen.config import HardwareConfig
from models.files import whole_file

FREQ = 250.0
"""MHz that placing aims at."""

SEED = 1


def points() -> Iterator[tuple[str, HardwareConfig]]:
    """Yield FPGAs and configurations, cheap ones first.

    All kinds; lanes, PEs, planes and activation bits around what boards have.
    """
    shapes = [
        (lanes, pe, act) for lanes, pe, act in product((8, 16, 32, 48), (1, 2, 4), (4, 8))
        if lanes * pe <= 64
    ]  # fmt: skip
    for (lanes, pe, act), (kind, k), target in product(
        shapes, (("popcount", 1), ("popcount", 2), ("addsub", 2), ("lut", 2)), TARGETS
    ):
        mapping = "ecp5" if target == "ecp5" else "plain"
        yield (
            target,
            HardwareConfig(
                kind=kind, k=k, lanes=lanes, pe=pe, act_bits=act, stage_every=1, mapping=mapping
            ),
        )


def name_of(target: str, config: HardwareConfig) -> str:
    """Return what a point is called in the records."""
    shape = f"{config.pe} PEs of {config.lanes} lanes, {config.act_bits} bits"
    return f"{target}, {config.kind}, k={config.k}, {shape}"


def sweep(
    path: Path, limit: int | None, progress: Callable[[str], object] = lambda name: None
) -> dict[str, dict[str, Any]]:
    """Measure what a file does not have yet; each figure is kept as soon as it is there.

    Parameters
    ----------
    limit : int or None
        Most points to measure now.
    """
    kept: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    done = 0
    for target, config in points():
        name = name_of(target, config)
        source = _source(target, config)
        if kept.get(name, {}).get("source") == source:
            continue
        if limit is not None and done >= limit:
            break
        progress(name)
        kept[name] = _measure(target, config) | {"source": source}
        with whole_file(path) as part:
            part.write_text(json.dumps(kept, indent=1) + "\n")
        done += 1
    return kept


def _measure(name: str, config: HardwareConfig) -> dict[str, Any]:
    target = TARGETS[name]
    with tempfile.TemporaryDirectory(prefix="planesmith-") as folder_name:
        folder = Path(folder_name)
        wrapper = synthesize(config, target.synthesis, folder)
        netlist = json.loads((folder / "netlist.json").read_text())
        fmax = place(target, SEED, FREQ, folder)
    carries = count(netlist, target.carry)
    luts = count(netlist, target.lut) + (2 * carries if name == "ecp5" else 0)
    return {
        "target": name,
        "config": asdict(config),
        "lut": luts - wrapper.lut4,
        "carry": carries,
        "ff": count(netlist, target.registers) - wrapper.registers,
        "fmax": fmax,
        "tools": {PACKAGES[tool]: tool_version(tool) for tool in ("yosys", target.placer)},
    }


def _source(name: str, config: HardwareConfig) -> str:
    target = TARGETS[name]
    tools = [tool_version(tool) for tool in ("yosys", target.placer)]
    parts = [asdict(config), asdict(target), tools, FREQ, SEED]
    return sha256(repr(parts).encode()).hexdigest()[:20]
