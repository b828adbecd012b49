"""Netlist of library cells: what drives what, in the order of evaluation."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cost.cells import Cell, Library
from models.checks import require

MEMORY = "$mem_v2"
"""Yosys' cell of a memory."""

ZERO, ONE = 0, 1
"""Numbers of the constant nets; Yosys numbers others from 2 on."""


@dataclass(frozen=True)
class Instance:
    """A cell of the netlist and the net of each pin.

    Attributes
    ----------
    name : str
    cell : Cell
    nets : dict of str to int
    level : int
        Of combinational cells: 1 more than the highest of those that drive it; 0 of others.
    """

    name: str
    cell: Cell
    nets: dict[str, int]
    level: int = 0


@dataclass(frozen=True)
class Memory:
    """A block of static memory: a port to write, and one to read that holds what it read.

    Attributes
    ----------
    name : str
    size, width : int
        Words, and their bits.
    read_enable, read_address, read_data : list of int
        Nets; of the enable one.
    write_enable, write_address, write_data : list of int
        Nets; of the enable one for each bit.
    transparent : bool
        A word that is read while it is written is the new one.
    """

    name: str
    size: int
    width: int
    read_enable: list[int]
    read_address: list[int]
    read_data: list[int]
    write_enable: list[int]
    write_address: list[int]
    write_data: list[int]
    transparent: bool


@dataclass(frozen=True)
class Netlist:
    """A mapped module.

    Attributes
    ----------
    ports : dict of str to list of int
        Nets of inputs and outputs, least significant bit first.
    inputs : set of str
        Which of the ports are inputs.
    logic, states, gates : list of Instance
        Combinational cells by level; flip-flops; clock gates.
    nets : int
        How many there are, constants among them.
    clock : int
        Net of the port ``clk``.
    memories : list of Memory
    """

    ports: dict[str, list[int]]
    inputs: set[str]
    logic: list[Instance]
    states: list[Instance]
    gates: list[Instance]
    nets: int
    clock: int
    gate_of: dict[int, Instance] = field(default_factory=dict)
    memories: list[Memory] = field(default_factory=list)

    @property
    def instances(self) -> list[Instance]:
        """All cells."""
        return [*self.logic, *self.states, *self.gates]

    @property
    def area(self) -> float:
        """Of all cells, in the library's unit."""
        return sum(instance.cell.area for instance in self.instances)

    @property
    def leakage(self) -> float:
        """Of all cells, in watts."""
        return sum(instance.cell.leakage for instance in self.instances)

    def counts(self) -> dict[str, int]:
        """Return how often each cell is used, by name."""
        names = sorted(instance.cell.name for instance in self.instances)
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def loads(self) -> np.ndarray:
        """Return the capacitance of the pins on each net: float64, (nets,), farads; no wires."""
        loads = np.zeros(self.nets)
        for instance in self.instances:
            for name, net in instance.nets.items():
                loads[net] += instance.cell.pins[name].capacitance
        return loads


def build(module: dict[str, Any], library: Library, clock: str = "clk") -> Netlist:
    """Read a module of Yosys' JSON whose cells are all of a library.

    Raises
    ------
    ValueError
        It has a latch, a loop, or a clock that is neither the port's nor a clock gate's.
    """
    ports = {name: list(map(_net, port["bits"])) for name, port in module["ports"].items()}
    inputs = {name for name, port in module["ports"].items() if port["direction"] == "input"}
    logic: list[Instance] = []
    states: list[Instance] = []
    gates: list[Instance] = []
    memories: list[Memory] = []
    for name, one in module["cells"].items():
        if one["type"] == MEMORY:
            memories.append(_memory(name, one))
            continue
        cell = library.cell(one["type"])
        nets = {pin: _net(bits[0]) for pin, bits in one["connections"].items() if bits}
        kind = states if cell.state else gates if cell.gate else logic
        kind.append(Instance(name, cell, nets))
    used = {net for i in [*logic, *states, *gates] for net in i.nets.values()}
    used |= {net for memory in memories for net in memory.read_data}
    nets = 1 + max([ONE, *used, *(net for port in ports.values() for net in port)])
    root = ports[clock][0]
    gate_of = {}
    for instance in gates:
        gate = instance.cell.gate
        if gate is not None:
            gate_of[instance.nets[gate.out]] = instance
    for instance in states:
        net = clock_net(instance)
        require(net == root or net in gate_of, f"clock of {instance.name}",
                "be the port's or a clock gate's", f"net {net}")  # fmt: skip
    return Netlist(ports, inputs, _levels(logic), states, gates, nets, root, gate_of, memories)


def _memory(name: str, cell: dict[str, Any]) -> Memory:
    """Read a memory of one port to write and one to read, at the edges of the same clock."""
    number = {key: int(cell["parameters"][key], 2) for key in ("SIZE", "WIDTH", "RD_PORTS",
              "WR_PORTS", "RD_CLK_ENABLE", "RD_TRANSPARENCY_MASK")}  # fmt: skip
    plain = (1, 1, 1)
    keys = ("RD_PORTS", "WR_PORTS", "RD_CLK_ENABLE")
    have = tuple(number[key] for key in keys)
    require(have == plain, f"memory {name}", f"have {plain} as {', '.join(keys)}", have)
    pins = ("RD_EN", "RD_ADDR", "RD_DATA", "WR_EN", "WR_ADDR", "WR_DATA")
    enable, address, read, *write = ([_net(b) for b in cell["connections"][pin]] for pin in pins)
    transparent = bool(number["RD_TRANSPARENCY_MASK"])
    return Memory(
        name, number["SIZE"], number["WIDTH"], enable, address, read, write[0], write[1], write[2],
        transparent,
    )  # fmt: skip


def clock_net(instance: Instance) -> int:
    """Return the net of a flip-flop's clock."""
    state = instance.cell.state
    if state is None or state.clock.text.startswith(("!", "(!")):
        raise ValueError(f"cell {instance.cell.name} must take its input at a rising edge")
    return instance.nets[state.clock.pins[0]]


def _net(bit: int | str) -> int:
    """Return the number of a net; what is undefined counts as 0."""
    return bit if isinstance(bit, int) else int(bit == "1")


def _levels(logic: list[Instance]) -> list[Instance]:
    """Return combinational cells with their levels, lowest first."""
    driver = {
        i.nets[pin]: n for n, i in enumerate(logic) for pin in i.cell.outputs if pin in i.nets
    }
    level = [0] * len(logic)
    waiting = [0] * len(logic)
    feeds: list[list[int]] = [[] for _ in logic]
    for number, instance in enumerate(logic):
        for pin in instance.cell.inputs:
            source = driver.get(instance.nets.get(pin, ZERO))
            if source is not None:
                feeds[source].append(number)
                waiting[number] += 1
    ready = [number for number, count in enumerate(waiting) if not count]
    for number in ready:
        level[number] += 1
        for later in feeds[number]:
            level[later] = max(level[later], level[number])
            waiting[later] -= 1
            if not waiting[later]:
                ready.append(later)
    require(len(ready) == len(logic), "netlist", "have no loop of gates",
            f"{len(logic) - len(ready)} gates in one")  # fmt: skip
    leveled = [Instance(i.name, i.cell, i.nets, at) for i, at in zip(logic, level, strict=True)]
    return sorted(leveled, key=lambda i: i.level)
