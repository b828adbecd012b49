"""Elements of candidates: what is synthesized of them, and what that says of their figures.

An element is measured with one weight in a word, as it works on one at a time. With cells of a
library its area and energy are; without, a row with its accumulator, for an ECP5. On a board it is
the whole engine, with its memory and link.
"""

from dataclasses import asdict, replace
from typing import Any

from cost.engine import element_area, element_energy
from explore.candidate import CIRCUIT, Candidate
from explore.space import Cells
from fpga.boards import board_of
from hwgen.config import HardwareConfig

LUT_ROWS = 4
"""Rows that are synthesized of ``lut``, which share tables; of other kinds it is one."""


def element_of(candidate: Candidate) -> HardwareConfig:
    """Return the circuit that is synthesized: one element, one weight in a word."""
    own = {name: getattr(candidate, name) for name in CIRCUIT if name != "pe"}
    config = candidate.config
    own |= {"act_signed": config.act_signed, "ternary": config.ternary}
    return HardwareConfig(pe=1, k=2 if config.signed_weights else 1, **own)


def inputs_of(stage: str, candidate: Candidate, cells: Cells) -> dict[str, Any]:
    """Return all that decides a circuit's figures, as plain data.

    Parameters
    ----------
    stage : str
        ``synthesize`` or ``route``.
    """
    if candidate.board:
        return {
            "board": candidate.board, "config": asdict(candidate.config), "clock": candidate.clock,
            "capacity": board_of(candidate.board).capacity,
        }  # fmt: skip
    config = element_of(candidate)
    if stage == "synthesize" and cells.liberty:
        return {
            "library": asdict(cells), "config": asdict(config), "clock": candidate.clock,
            "voltage": candidate.chip.technology.voltage,
        }  # fmt: skip
    rows = LUT_ROWS if config.kind == "lut" else 1
    return {"config": asdict(replace(config, pe=rows, mapping="ecp5"))}


def ratios(candidate: Candidate, answer: dict[str, Any]) -> dict[str, float]:
    """Return area and energy of a cycle that a library gave, by what the model says of them."""
    config = element_of(candidate)
    prices = candidate.chip.technology
    area, joules = element_area(config, prices).middle, element_energy(config, prices).middle
    cycle = (answer["cycle_fJ"]["all"] - answer["cycle_fJ"]["leakage"]) * 1e-15
    return {"area_mm2": answer["area_um2"] / area, "joules_per_token": cycle / joules}
