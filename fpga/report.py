"""Report on builds: cells, clock, slowest path, operations, and tokens a second."""

from dataclasses import asdict, dataclass
from typing import Any

from fpga.boards import BOARDS, Board
from fpga.build import Built
from fpga.families import FAMILIES
from fpga.figures import Figures
from fpga.tools import PACKAGES, tool_version
from fpga.workloads import WORKLOADS, Workload
from hwgen.config import HardwareConfig

WEIGHT_BITS = {"popcount": 1, "addsub": 2, "lut": 2}
"""Stored bits of a weight of one pass; of addsub and lut where weights are ternary."""


@dataclass(frozen=True)
class Rates:
    """What a circuit does in a second at its clock, with everything it needs at hand.

    Attributes
    ----------
    binary : float
        Binary operations: ANDs and additions of single bits, two for each weight bit and
        activation bit.
    macs : float
        Multiplications of an activation by a weight of one pass, and additions.
    """

    binary: float
    macs: float


def rates(config: HardwareConfig, clock: float) -> Rates:
    """Return the rates of a circuit at a clock in MHz."""
    macs = config.pe * config.lanes / config.digits * clock * 1e6
    return Rates(2 * macs * config.act_bits * _weight_bits(config), macs)


def _weight_bits(config: HardwareConfig) -> int:
    return WEIGHT_BITS[config.kind] if config.signed_weights else 1


@dataclass(frozen=True)
class Speed:
    """Tokens a second of a model on a board, at most, and what limits it.

    Attributes
    ----------
    tokens : float
    limit : str
        ``array`` or ``memory``; ``size`` where the weights do not fit the memory at all.
    """

    tokens: float
    limit: str


def speed(workload: Workload, board: Board, config: HardwareConfig, clock: float) -> Speed:
    """Return the speed with two stored bits a weight, streamed from the board's memory.

    Attention, norms, embedding and head are left out.
    """
    bits = workload.weights * 2
    passes = 2 // _weight_bits(config)
    array = rates(config, clock).macs / (workload.weights * passes)
    if board.memory is None or bits > 8 * board.memory.size:
        return Speed(0.0, "size")
    memory = 8 * board.memory.bytes_per_second / bits
    return Speed(min(array, memory), "array" if array < memory else "memory")


def path_text(figures: Figures) -> str:
    """Return the slowest path in a line."""
    return " > ".join(f"{name} {delay:.1f} ns" for name, delay in figures.path) or "unknown"


def line(name: str, config: HardwareConfig, built: Built) -> str:
    """Return the figures of a build in a line."""
    figures = built.seeds[built.best]
    cells = ", ".join(
        f"{used} of {there} {kind}" for kind, (used, there) in figures.cells.items() if there
    )
    speeds = ", ".join(f"{one.fmax:.1f}" for one in built.seeds.values())
    return (
        f"{name}, {config.pe} PEs of {config.kind}, {config.lanes} lanes: {cells}; "
        f"{built.fmax:.1f} MHz median ({speeds}), wanted {built.clock:g}"
    )


def record(board: str, config: HardwareConfig, built: Built) -> dict[str, Any]:
    """Return what is kept of a build."""
    best = built.seeds[built.best]
    done = rates(config, built.clock)
    tools = FAMILIES[BOARDS[board].family].tools
    return {
        "name": f"{board}, {config.pe} PEs of {config.kind}",
        "board": board,
        "config": asdict(config),
        "tools": {PACKAGES[tool]: tool_version(tool) for tool in tools},
        "clock": built.clock,
        "seeds": list(built.seeds),
        "fmax": [figures.fmax for figures in built.seeds.values()],
        "fmax_median": built.fmax,
        "best": built.best,
        "cells": best.cells,
        "path_text": path_text(best),
        "binary_gops": done.binary / 1e9,
        "gmac_per_second": done.macs / 1e9,
        "tokens_per_second": {
            workload.name: asdict(speed(workload, BOARDS[board], config, built.clock))
            for workload in WORKLOADS
        },
    }


def table(records: dict[str, dict[str, Any]]) -> str:
    """Return Markdown: a row for each record."""
    kinds = ("lut", "ff", "carry", "bram", "spram", "dsp")
    head = [
        "build", *kinds, "Fmax MHz (median)", "clock", "headroom",
        "binary GOPS", "GMAC/s", "tokens/s SmolLM2-135M", "limited by",
    ]  # fmt: skip
    lines = [_row(head), _row(["---"] * len(head))]
    for name, one in records.items():
        cells = [_cell(one["cells"].get(kind)) for kind in kinds]
        fast = one["tokens_per_second"]["SmolLM2-135M"]
        lines.append(_row([
            name, *cells, f"{one['fmax_median']:.1f}", f"{one['clock']:g}",
            f"{one['fmax_median'] / one['clock'] - 1:+.0%}",
            f"{one['binary_gops']:.1f}", f"{one['gmac_per_second']:.2f}",
            f"{fast['tokens']:.1f}", fast["limit"],
        ]))  # fmt: skip
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(count: list[int] | None) -> str:
    return f"{count[0]} ({count[0] / count[1]:.0%})" if count and count[1] else ""
