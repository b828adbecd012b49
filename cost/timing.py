"""Static timing of a netlist: arrival times and slews by the library's tables, without wires.

The clock is ideal: it arrives everywhere at once, as a step. Inputs arrive with it, at the
library's usual slew. ``tests/test_cost_synth.py`` compares with sums by hand,
:mod:`cost.opensta` with another tool.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost.cells import Library
from cost.netlist import ZERO, Instance, Netlist

EDGES = ("rise", "fall")
OPPOSITE = {"rise": "fall", "fall": "rise"}


@dataclass(frozen=True)
class Timing:
    """When signals arrive.

    Attributes
    ----------
    ends : dict of str to float
        Seconds from clock to clock that the slowest path to each end needs: a bit of an output, or
        an input of a register or clock gate, its setup included (:func:`end_of`).
    slews : float64, (nets,)
        Mean over edges, in seconds.
    delays : dict of str to float
        Of each combinational instance: mean over its arcs and edges, in seconds.
    """

    ends: dict[str, float]
    slews: NDArray[np.float64]
    delays: dict[str, float]

    @property
    def critical(self) -> float:
        """Seconds that the slowest path needs; 0 where there is none."""
        return max(self.ends.values(), default=0.0)


def end_of(name: str, part: str | int) -> str:
    """Name an end of paths: a pin of an instance, or a bit of a port."""
    return f"{name}/{part}"


def analyze(netlist: Netlist, library: Library) -> Timing:
    """Find the slowest path."""
    loads = netlist.loads()
    arrival = {edge: np.zeros(netlist.nets) for edge in EDGES}
    slews = {edge: np.full(netlist.nets, library.slew) for edge in EDGES}
    for instance in netlist.states:
        _drive(instance, loads, arrival, slews, starts=True)
    delays = {i.name: _drive(i, loads, arrival, slews, starts=False) for i in netlist.logic}
    worst = np.maximum(arrival["rise"], arrival["fall"])
    ends = {
        end_of(name, bit): float(worst[net])
        for name, nets in netlist.ports.items() if name not in netlist.inputs
        for bit, net in enumerate(nets)
    }  # fmt: skip
    for instance in [*netlist.states, *netlist.gates]:
        for name in instance.cell.inputs:
            net = instance.nets.get(name, ZERO)
            slew = max(slews["rise"][net], slews["fall"][net])
            setups = [table.at(slew, 0.0) for table in instance.cell.pins[name].setups]
            ends[end_of(instance.name, name)] = float(worst[net]) + max(setups, default=0.0)
    return Timing(ends, (slews["rise"] + slews["fall"]) / 2, delays)


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
