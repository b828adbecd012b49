"""States of a netlist that is run: flip-flops, with clocks that gates may stop, and memories."""

from collections.abc import Mapping

import numpy as np

from cost.functions import Function, Words
from cost.netlist import Instance, Netlist, clock_net


class Registers:
    """Flip-flops, with clocks that gates may stop."""

    def __init__(self, netlist: Netlist) -> None:
        self._netlist = netlist
        self._outputs = [
            (number, i.nets[pin], function.truth(("S",)) == 1)
            for number, i in enumerate(netlist.states)
            for pin in i.cell.outputs
            if pin in i.nets and (function := _of_state(i, pin))
        ]

    def start(self, words: int) -> Words:
        """Return states of zero."""
        return np.zeros((len(self._netlist.states), words), np.uint64)

    def show(self, values: Words, held: Words) -> None:
        """Put states on the nets that they drive."""
        for number, net, inverted in self._outputs:
            values[net] = ~held[number] if inverted else held[number]

    def step(self, values: Words, held: Words) -> dict[int, Words]:
        """Take the next states; return in which sequences the clock of each gate runs."""
        runs = {}
        for net, instance in self._netlist.gate_of.items():
            gate = instance.cell.gate
            if gate is not None:
                runs[net] = values[instance.nets[gate.enable]].copy()
        after = held.copy()
        for number, instance in enumerate(self._netlist.states):
            state = instance.cell.state
            if state is None:
                continue
            pins = {pin: values[net] for pin, net in instance.nets.items()}
            pins |= {state.names[0]: held[number], state.names[1]: ~held[number]}
            value = state.next.evaluate(pins)
            if state.preset is not None:
                value = value | state.preset.evaluate(pins)
            if state.clear is not None:
                value = value & ~state.clear.evaluate(pins)
            enabled = runs.get(clock_net(instance))
            after[number] = value if enabled is None else value & enabled | held[number] & ~enabled
        held[:] = after
        return runs


class Memories:
    """Blocks of static memory; addresses and enables are the same in all sequences."""

    def __init__(self, netlist: Netlist, words: int) -> None:
        self._memories = netlist.memories
        self._held = [np.zeros((m.size, m.width, words), np.uint64) for m in netlist.memories]
        self._read = [np.zeros((m.width, words), np.uint64) for m in netlist.memories]
        self.reads = {m.name: 0 for m in netlist.memories}
        self.writes = {m.name: 0 for m in netlist.memories}

    def show(self, values: Words) -> None:
        """Put what was read on its nets."""
        for memory, read in zip(self._memories, self._read, strict=True):
            values[memory.read_data] = read

    def step(self, values: Words, counted: bool) -> None:
        """Read and write a word of each, if their controls say so."""
        for number, memory in enumerate(self._memories):
            held, read = self._held[number], _number(values, memory.read_enable)
            if read and not memory.transparent:
                self._read[number] = held[_number(values, memory.read_address)].copy()
            if _number(values, memory.write_enable[:1]):
                held[_number(values, memory.write_address)] = values[memory.write_data]
                self.writes[memory.name] += counted
            if read and memory.transparent:
                self._read[number] = held[_number(values, memory.read_address)].copy()
            self.reads[memory.name] += counted and read


def _number(values: Words, nets: list[int]) -> int:
    """Read a number that is the same in all sequences."""
    bits = values[nets]
    first = bits[:, :1] & np.uint64(1)
    same = np.where(first == 1, ~np.uint64(0), np.uint64(0)) == bits
    if not same.all():
        raise RuntimeError("controls of a memory must be the same in all sequences, they differ")
    return sum(int(bit) << place for place, bit in enumerate(first[:, 0]))


def _of_state(instance: Instance, pin: str) -> Function | None:
    """Return an output's function of its state, which it calls ``S``."""
    state, function = instance.cell.state, instance.cell.pins[pin].function
    if state is None or function is None:
        return None

    def evaluate(pins: Mapping[str, Words]) -> Words:
        return function.evaluate({state.names[0]: pins["S"], state.names[1]: ~pins["S"]})

    return Function(function.text, ("S",), evaluate)
