"""What a synthesized circuit needs of a board, before any time is spent on placing it."""

from typing import Any

from fpga.boards import Board
from hwgen.config import HardwareConfig

COST = {
    "ecp5": {
        "lut": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        "bram": {"DP16KD": 1, "PDPW16KD": 1},
        "dsp": {"MULT18X18D": 1},
    },
    "ice40": {
        "lut": {"SB_LUT4": 1},
        "bram": {"SB_RAM40_4K": 1},
        "spram": {"SB_SPRAM256KA": 1},
        "dsp": {"SB_MAC16": 1},
    },
    "gowin": {
        "lut": {"LUT1": 1, "LUT2": 1, "LUT3": 1, "LUT4": 1, "ALU": 1, "RAM16SDP4": 6},
        "bram": {"SP": 1, "SDPB": 1, "DPB": 1, "SDPX9B": 1, "SPX9": 1, "DPX9B": 1},
        "dsp": {"MULT18X18": 1, "MULT9X9": 1},
    },
    "xilinx": {
        "lut": {**{f"LUT{n}": 1 for n in range(1, 7)}, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2},
        "bram": {"RAMB36E1": 1, "RAMB18E1": 0.5},
        "dsp": {"DSP48E1": 1},
    },
}
"""What a cell takes of what an FPGA has."""


def needs(family: str, stat: dict[str, Any]) -> dict[str, float]:
    """Return what a circuit takes, by kind.

    Parameters
    ----------
    stat : dict
        As Yosys' ``stat -json`` writes it.
    """
    cells = stat["design"]["num_cells_by_type"]
    return {
        kind: sum(price * cells.get(cell, 0) for cell, price in prices.items())
        for kind, prices in COST[family].items()
    }


def check_fit(board: Board, config: HardwareConfig, stat: dict[str, Any]) -> None:
    """Raise ``ValueError`` where a circuit is too large; say by how much, and what would do.

    ``stat`` is as for :func:`needs`.
    """
    for kind, need in needs(board.family, stat).items():
        have = board.capacity[kind]
        if need > have:
            fewer = int(config.pe * have / need)
            hint = f"with about {fewer} PEs it would" if fewer else "with fewer lanes it may"
            raise ValueError(
                f"circuit must fit the {board.title}, got {need:g} {kind} of {have} "
                f"({need - have:g} too many); {hint}"
            )
