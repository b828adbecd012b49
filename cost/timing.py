"""Static timing of a netlist: arrival times and slews by the library's tables, without wires.

The clock is ideal: it arrives everywhere at once, as a step. Inputs arrive with it, at the
library's usual slew. ``tests/test_cost_timing.py`` compares with sums by hand.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost.cells import Library
from cost.netlist import Instance, Netlist

EDGES = ("rise", "fall")
OPPOSITE = {"rise": "fall", "fall": "rise"}


@dataclass(frozen=True)
class Timing:
    """When signals arrive.

    Attributes
    ----------
    critical : float
        Seconds from clock to clock that the slowest path needs, setup included.
    slews : float64, (nets,)
        Mean over edges, in seconds.
    delays : dict of str to float
        Of each combinational instance: mean over its arcs and edges, in seconds.
    """

    critical: float
    slews: NDArray[np.float64]
    delays: dict[str, float]


def analyze(netlist: Netlist, library: Library) -> Timing:
    """Find the slowest path."""
    loads = netlist.loads()
    arrival = {edge: np.zeros(netlist.nets) for edge in EDGES}
    slews = {edge: np.full(netlist.nets, library.slew) for edge in EDGES}
    for instance in netlist.states:
        _drive(instance, loads, arrival, slews, starts=True)
    delays = {i.name: _drive(i, loads, arrival, slews, starts=False) for i in netlist.logic}
    worst = np.maximum(arrival["rise"], arrival["fall"])
    critical = max(
        (float(worst[net]) for nets in netlist.ports.values() for net in nets), default=0
    )
    for instance in netlist.states:
        for name, net in instance.nets.items():
            setups = instance.cell.pins[name].setups
            slew = max(slews["rise"][net], slews["fall"][net])
            setup = max((table.at(slew, 0.0) for table in setups), default=0.0)
            critical = max(critical, float(worst[net]) + setup)
    return Timing(critical, (slews["rise"] + slews["fall"]) / 2, delays)


def _drive(
    instance: Instance,
    loads: NDArray[np.float64],
    arrival: dict[str, NDArray[np.float64]],
    slews: dict[str, NDArray[np.float64]],
    starts: bool,
) -> float:
    """Set arrival and slew of an instance's outputs; return the mean delay of its arcs.

    With ``starts`` its outputs follow the edge of an ideal clock.
    """
    delays = []
    for pin in instance.cell.outputs:
        if pin not in instance.nets:
            continue
        net = instance.nets[pin]
        for arc in instance.cell.pins[pin].arcs:
            if starts != (arc.kind == "rising_edge"):
                continue
            source = instance.nets.get(arc.related)
            for edge, table in arc.delays.items():
                for before in ("rise",) if starts else _causes(edge, arc.sense):
                    slew = 0.0 if starts or source is None else float(slews[before][source])
                    at = 0.0 if starts or source is None else float(arrival[before][source])
                    delay = table.at(slew, loads[net])
                    delays.append(delay)
                    if at + delay > arrival[edge][net]:
                        arrival[edge][net] = at + delay
                        slews[edge][net] = arc.slews[edge].at(slew, loads[net])
    return sum(delays) / len(delays) if delays else 0.0


def _causes(edge: str, sense: str) -> tuple[str, ...]:
    """Return the edges of an input that can cause an edge of an output."""
    if sense == "positive_unate":
        return (edge,)
    return (OPPOSITE[edge],) if sense == "negative_unate" else EDGES
