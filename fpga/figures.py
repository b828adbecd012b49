"""Figures of a placed and routed board: cells, clock, and the path that limits it, by component."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from fpga.families import Family


@dataclass(frozen=True)
class Figures:
    """What placing and routing gave.

    Attributes
    ----------
    fmax : float
        MHz of the slowest clock.
    cells : dict of str to [int, int]
        Used, and there, by what they are: ``lut``, ``ff``, ``carry``, ``bram``, ``dsp``, ...
    path : list of [str, float]
        Components along the slowest path, and nanoseconds in each and on the way to the next one.
    """

    fmax: float
    cells: dict[str, list[int]]
    path: list[list[Any]] = field(default_factory=list)


def figures_of(report: dict[str, Any], family: Family) -> Figures:
    """Read the report of nextpnr."""
    used = report["utilization"]
    cells = {
        name: [used[cell]["used"], used[cell]["available"]]
        for name, cell in family.cells.items()
        if cell in used
    }
    clock, fmax = min(
        ((name, entry["achieved"]) for name, entry in report["fmax"].items()),
        key=lambda entry: entry[1],
    )
    return Figures(fmax, cells, _path(report["critical_paths"], clock))


def _path(paths: list[dict[str, Any]], clock: str) -> list[list[Any]]:
    """Return the slowest path within a clock, as components with their delays."""
    for path in paths:
        if path["from"] == path["to"] == f"posedge {clock}":
            steps = [(component(step["from"]["cell"]), step["delay"]) for step in path["path"]]
            return _merged(steps)
    return []


def _merged(steps: Iterable[tuple[str, float]]) -> list[list[Any]]:
    return [
        [name, round(sum(delay for _, delay in group), 2)]
        for name, group in groupby(steps, key=lambda step: step[0])
    ]


_CELL = re.compile(
    r"(\$|_(LUT4|L6MUX21|PFUMX|TRELLIS_FF|CCU2C|DPR16X4|MULT18X18D|SB_LUT4|SB_DFF|SB_CARRY|DFF|ALU"
    r"|MUX2|RAM16))\w*.*$"
)


def component(cell: str) -> str:
    """Return the component, and the signal in it, that a cell belongs to.

    Cells are called after the instance that they come from, the signal that they drive, and what
    they are: ``core.engine.array.pe_3.partial_TRELLIS_FF_Q_4`` is ``engine.array.pe.partial``.
    """
    name = _CELL.sub("", cell).removeprefix("core.")
    return re.sub(r"_\d+(?=\.|$)", "", name).strip("._") or "board"
