"""Figures of a unit on a cell library: area, timing, and energy at the activity of some work."""

from dataclasses import asdict, dataclass
from typing import Any

from cost.activity import Activity, simulate
from cost.cells import Library
from cost.netlist import Netlist, build
from cost.power import Energy, energy
from cost.recipe import Recipe, full_adder, synthesize, usable
from cost.stimulus import Work
from cost.timing import Timing, analyze
from cost.units import Unit
from fpga.tools import tool_version

STEPS = 8
"""Timed simulation: steps of time in the slowest gate's delay."""

INCLUDED = "pins of the cells and inside them; no wires, no clock tree"


@dataclass(frozen=True)
class Figures:
    """What a unit costs; SI units, but square micrometers.

    Attributes
    ----------
    area, leakage, critical : float
    areas : dict of str to float
        Of clock gates, full adders, other gates and registers.
    counts : dict of str to int
        Cells by name.
    cycle : Energy
        With zero-delay activity: no glitches.
    cycle_glitches : Energy or None
        With the delays of gates.
    """

    area: float
    areas: dict[str, float]
    counts: dict[str, int]
    leakage: float
    critical: float
    cycle: Energy
    cycle_glitches: Energy | None
    cycles: int


def measure(
    unit: Unit,
    library: Library,
    recipe: Recipe,
    work: Work,
    dont_use: list[str],
    glitches: Work | None = None,
) -> Figures:
    """Synthesize a unit, run it gate by gate, check its results, and add up its energy.

    Parameters
    ----------
    glitches : Work, optional
        Run this too, with the delays of gates.

    Raises
    ------
    RuntimeError
        Yosys failed, or the gates computed something else than the sums of products.
    """
    module = synthesize(unit.verilog(), unit.top, library, recipe, dont_use)
    netlist = build(module, library)
    timing = analyze(netlist, library)
    cycle = energy(netlist, library, timing, run(unit, netlist, work))
    with_glitches = None
    if glitches is not None:
        with_glitches = energy(netlist, library, timing, run(unit, netlist, glitches, timing))
    adder = full_adder(library, usable(library, dont_use))
    return Figures(
        netlist.area, areas(netlist, adder.cell if adder else ""), netlist.counts(),
        netlist.leakage, timing.critical, cycle, with_glitches, work.codes.size,
    )  # fmt: skip


def run(unit: Unit, netlist: Netlist, work: Work, timing: Timing | None = None) -> Activity:
    """Simulate work on a unit's gates; fail unless its results are right."""
    driven = unit.drive(work)
    if timing is None:
        activity = simulate(netlist, driven.ports, driven.counted)
    else:
        step = max(timing.delays.values()) / STEPS
        activity = simulate(netlist, driven.ports, driven.counted, timing.delays, step)
    if not unit.right(work, activity, driven):
        raise RuntimeError("gates must compute the sums of products, got others")
    return activity


def areas(netlist: Netlist, adder: str) -> dict[str, float]:
    """Return the area by component."""
    full = sum(i.cell.area for i in netlist.logic if i.cell.name == adder)
    gates = sum(i.cell.area for i in netlist.logic)
    return {
        "registers": sum(i.cell.area for i in netlist.states),
        "clock gates": sum(i.cell.area for i in netlist.gates),
        "full adders": full,
        "other gates": gates - full,
    }


def record(
    unit: Unit, library: Library, recipe: Recipe, work: Work, figures: Figures, clock: float
) -> dict[str, Any]:
    """Return figures with what they depend on, to keep as JSON.

    Parameters
    ----------
    clock : float
        Hz, for the share of leakage.
    """
    leak = figures.leakage / clock
    cycle = figures.cycle
    glitches = figures.cycle_glitches

    def femto(joules: float) -> float:
        return round(float(joules) * 1e15, 4)

    return {
        **unit.describe(),
        "library": library.name,
        "voltage": library.voltage,
        "temperature": library.temperature,
        "recipe": asdict(recipe),
        "yosys": tool_version("yosys"),
        "work": work.source,
        "includes": INCLUDED,
        "area_um2": round(figures.area, 4),
        "areas_um2": {name: round(area, 4) for name, area in figures.areas.items()},
        "cells": figures.counts,
        "critical_ns": round(figures.critical * 1e9, 4),
        "leakage_nW": round(figures.leakage * 1e9, 4),
        "clock_MHz": clock / 1e6,
        "cycle_fJ": {
            "switching": femto(cycle.switching),
            "internal": femto(cycle.internal),
            "clock": femto(cycle.clock),
            "leakage": femto(leak),
            "all": femto(cycle.dynamic + leak),
            "all with glitches": femto(glitches.dynamic + leak) if glitches else None,
        },
        "macs_a_cycle": unit.macs,
        "fJ_per_mac": femto((cycle.dynamic + leak) / unit.macs),
        "fJ_per_bit_mac": femto((cycle.dynamic + leak) / unit.bit_macs),
        "um2_per_mac_a_cycle": round(figures.area / unit.macs, 4),
        **_of_layer(work, (cycle.dynamic + leak) / unit.macs),
    }


def _of_layer(work: Work, joules: float) -> dict[str, float]:
    """Return the energy of the whole layer by that of a product; nothing of random work."""
    if not work.products:
        return {}
    return {"layer_macs": work.products, "layer_nJ": round(float(joules * work.products) * 1e9, 4)}
