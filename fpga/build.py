"""Build: from a design to a bitstream, for several seeds, each step done once."""

import json
import shutil
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from fpga.boards import Board
from fpga.capacity import check_fit
from fpga.description import FILE
from fpga.design import Design
from fpga.families import CALLS, COUNTS, FAMILIES, NETLIST, REPORT, pack, place, synthesize
from fpga.figures import Figures, figures_of
from fpga.tools import tool_version
from models.files import alone_in, whole_set

RESULT = "build.json"
REFUSED = "refused.txt"
"""Why a seed has no place: it is not tried again."""


@dataclass(frozen=True)
class Built:
    """What a design became.

    Attributes
    ----------
    folder : Path
        Has a folder ``source``, and one for each seed.
    clock : float
        MHz that the design wants.
    seeds : dict of int to Figures
    best : int
        Seed of the bitstream: the fastest.
    """

    folder: Path
    clock: float
    seeds: dict[int, Figures]
    best: int

    @property
    def fmax(self) -> float:
        """MHz of the median seed."""
        return statistics.median(figures.fmax for figures in self.seeds.values())

    @property
    def met(self) -> bool:
        """Whether the bitstream keeps its timing."""
        return self.seeds[self.best].fmax >= self.clock


def build(
    board: Board,
    design: Design,
    seeds: list[int],
    cache: Path,
    progress: Callable[[str], object] = lambda stage: None,
) -> Built:
    """Synthesize, place, route and pack a design; what was done before is taken as it is.

    Parameters
    ----------
    cache : Path
        Takes a folder for each design and set of tools.
    progress : callable
        Told each step that is done now.

    Raises
    ------
    FileNotFoundError
        A tool is not installed.
    ValueError
        The design does not fit the board; by placing, with none of the seeds.
    RuntimeError
        A tool failed.
    """
    family = FAMILIES[board.family]
    folder = cache / _digest(board, design)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        sources = folder / "source"
        if not (sources / NETLIST).exists():
            progress("synthesis")
            with whole_set(sources) as work:
                (work / "board.v").write_text(design.verilog)
                (work / family.constraints).write_text(design.constraints)
                design.description.write(work / FILE)
                synthesize(board, work)
        check_fit(board, design.description.config, json.loads((sources / COUNTS).read_text()))
        found, refused = {}, []
        for seed in seeds:
            place_folder = folder / f"seed_{seed}"
            if not place_folder.exists():
                progress(f"seed {seed}")
                with whole_set(place_folder) as work:
                    for name in (NETLIST, family.constraints):
                        (work / name).write_bytes((sources / name).read_bytes())
                    try:
                        place(board, seed, design.description.clock, work)
                        pack(board, work)
                    except ValueError as error:
                        (work / REFUSED).write_text(str(error))
                    (work / NETLIST).unlink()
            if (place_folder / REFUSED).exists():
                refused.append((place_folder / REFUSED).read_text())
                progress(f"seed {seed}: {refused[-1]}")
                continue
            report = json.loads((place_folder / REPORT).read_text())
            found[seed] = figures_of(report, family)
        if not found:
            raise ValueError(refused[0])
        best = max(found, key=lambda seed: found[seed].fmax)
    return Built(folder, design.description.clock, found, best)


def deliver(built: Built, board: Board, record: dict[str, Any], folder: Path) -> None:
    """Put sources, description, figures and the bitstream of the best seed into a folder.

    Parameters
    ----------
    record : dict
        Figures to keep as ``build.json``.
    """
    family = FAMILIES[board.family]
    sources, place_folder = built.folder / "source", built.folder / f"seed_{built.best}"
    with whole_set(folder) as part:
        for name in ("board.v", family.constraints, FILE):
            shutil.copy(sources / name, part)
        shutil.copy(place_folder / family.bitstream, part)
        (part / RESULT).write_text(json.dumps(record, indent=1) + "\n")


def _digest(board: Board, design: Design) -> str:
    """Return what depends on everything that decides the result, but for the seed."""
    family = FAMILIES[board.family]
    parts = [
        design.verilog, design.constraints, family.synthesis, board.platform, CALLS,
        [(tool, tool_version(tool)) for tool in family.tools],
    ]  # fmt: skip
    return sha256(repr(parts).encode()).hexdigest()[:20]
