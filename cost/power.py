"""Energy of a netlist: the library's tables and pins, times the toggles of its nets.

A net's own energy is ``C * V**2 / 2`` a toggle, ``C`` being the pins on it. Internal energy comes
from the tables of outputs at their slew and load, and of inputs (clock pins among them) at their
slew. Wires and the clock tree are in neither.
"""

from dataclasses import dataclass

import numpy as np

from cost.activity import Activity
from cost.cells import Library
from cost.netlist import Netlist, clock_net
from cost.timing import Timing
from models.checks import require


@dataclass(frozen=True)
class Energy:
    """Joules a cycle.

    Attributes
    ----------
    switching, internal : float
        Of nets other than the clock's; in cells, other than at clock pins.
    clock : float
        Of clock nets and at clock pins, clock gates included.
    by_instance : dict of str to float
        Each with the nets that it drives; ``inputs`` are nets that ports drive.
    leakage : float
        Watts.
    """

    switching: float
    internal: float
    clock: float
    by_instance: dict[str, float]
    leakage: float

    @property
    def dynamic(self) -> float:
        """All but leakage."""
        return self.switching + self.internal + self.clock


def energy(netlist: Netlist, library: Library, timing: Timing, activity: Activity) -> Energy:
    """Add up the energy of a cycle.

    Raises
    ------
    ValueError
        A cell has no tables of internal energy.
    """
    loads, toggles = netlist.loads(), activity.toggles
    net_energy = loads * library.voltage**2 / 2 * toggles
    clocks = {netlist.clock, *netlist.gate_of, *map(clock_net, netlist.states)}
    is_clock = np.isin(np.arange(netlist.nets), list(clocks))
    by_instance: dict[str, float] = {}
    internal = clock = 0.0
    driven = np.zeros(netlist.nets, bool)
    for instance in netlist.instances:
        require(instance.cell.powered or not instance.cell.inputs, f"cell {instance.cell.name}",
                "have tables of internal power", "none")  # fmt: skip
        own = 0.0
        for name, net in instance.nets.items():
            pin = instance.cell.pins[name]
            inside = pin.energy(timing.slews[net], loads[net]) * toggles[net]
            if is_clock[net]:
                clock += inside
            else:
                internal += inside
            own += inside
            if pin.function is not None or (instance.cell.gate and instance.cell.gate.out == name):
                own += net_energy[net]
                driven[net] = True
        by_instance[instance.name] = own
    by_instance["inputs"] = float(net_energy[~driven].sum())
    return Energy(
        float(net_energy[~is_clock].sum()),
        internal,
        clock + float(net_energy[is_clock].sum()),
        by_instance,
        netlist.leakage,
    )
