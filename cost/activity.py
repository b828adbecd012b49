"""Gate-level simulation: many sequences at once, a bit of a word each, and the toggles of each net.

Two delay models bracket what happens between clock edges. With zero delay a net changes once a
cycle at most: no glitches. With transport delay each gate has the delay of its table at its load,
and every pulse passes: more glitches than in reality, where gates swallow pulses shorter than
their delay.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost.functions import Function, Words
from cost.netlist import ONE, Instance, Netlist, clock_net

Stimulus = Mapping[str, NDArray[np.uint64]]
"""Words of each input port: uint64, (cycles, bits of the port, words)."""


@dataclass(frozen=True)
class Activity:
    """What happened on a netlist.

    Attributes
    ----------
    cycles : int
        Simulated, over all sequences.
    toggles : float64, (nets,)
        A cycle and sequence; of clock nets 2 for each cycle in which they run.
    outputs : dict of str to uint64, (cycles, bits, words)
        Of output ports, before each edge.
    """

    cycles: int
    toggles: NDArray[np.float64]
    outputs: dict[str, NDArray[np.uint64]]


@dataclass(frozen=True)
class _Group:
    """Outputs with the same function, evaluated at once."""

    function: Function
    inputs: dict[str, NDArray[np.intp]]
    out: NDArray[np.intp]
    delay: NDArray[np.intp]

    def evaluate(self, values: Words) -> Words:
        """Return the outputs' values: (outputs, words)."""
        result = self.function.evaluate({pin: values[nets] for pin, nets in self.inputs.items()})
        return np.broadcast_to(result, (len(self.out), values.shape[-1]))


def simulate(
    netlist: Netlist,
    stimulus: Stimulus,
    warm: int = 0,
    delays: Mapping[str, float] | None = None,
    step: float = 0.0,
) -> Activity:
    """Run a netlist from a state of all zeros.

    Parameters
    ----------
    warm : int
        Cycles before toggles count.
    delays : mapping of str to float, optional
        Seconds from the inputs of each instance to its output; without it there is no delay.
    step : float
        Seconds to whose multiples, one at least, delays are rounded.
    """
    cycles, _, words = next(iter(stimulus.values())).shape
    values = np.zeros((netlist.nets, words), np.uint64)
    values[ONE] = ~np.uint64(0)
    inputs = {name: np.array(netlist.ports[name]) for name in stimulus}
    outputs = {n: np.array(nets) for n, nets in netlist.ports.items() if n not in netlist.inputs}
    seen = {n: np.zeros((cycles, len(nets), words), np.uint64) for n, nets in outputs.items()}
    logic = _Zero(netlist) if delays is None else _Timed(netlist, delays, step)
    registers = _Registers(netlist)
    toggles = np.zeros(netlist.nets, np.int64)
    clocked = np.zeros(netlist.nets, np.int64)
    held = registers.start(words)
    logic.settle(values)
    for cycle in range(cycles):
        before = values.copy()
        registers.show(values, held)
        for name, nets in inputs.items():
            values[nets] = stimulus[name][cycle]
        changed = logic.run(values, before)
        for name, nets in outputs.items():
            seen[name][cycle] = values[nets]
        runs = registers.step(values, held)
        if cycle >= warm:
            toggles += changed
            for net, enabled in runs.items():
                clocked[net] += 2 * int(np.bitwise_count(enabled).sum())
    counted = (cycles - warm) * words * 64
    toggles[netlist.clock] = 2 * counted
    return Activity(counted, (toggles + clocked) / counted, seen)


class _Zero:
    """Logic without delay."""

    def __init__(self, netlist: Netlist) -> None:
        self._groups = _grouped(netlist.logic, None)

    def settle(self, values: Words) -> None:
        """Evaluate from nothing."""
        for group in self._groups:
            values[group.out] = group.evaluate(values)

    def run(self, values: Words, before: Words) -> NDArray[np.int64]:
        """Evaluate after states and inputs changed; return how often each net toggled."""
        self.settle(values)
        return np.bitwise_count(values ^ before).sum(1, np.int64)


class _Timed(_Zero):
    """Logic with transport delays."""

    def __init__(self, netlist: Netlist, delays: Mapping[str, float], step: float) -> None:
        super().__init__(netlist)
        steps = {name: max(1, round(delay / step)) for name, delay in delays.items()}
        self._timed = _grouped(netlist.logic, steps)
        self._depth = 1 + max([1, *(steps[i.name] for i in netlist.logic)])
        self._limit = sum(steps[i.name] for i in netlist.logic)

    def run(self, values: Words, before: Words) -> NDArray[np.int64]:
        """Evaluate time step by time step until nothing changes any more.

        ``before`` are the values just before the edge; states and inputs change at time 0.
        """
        final = values.copy()
        toggles = np.bitwise_count(values ^ before).sum(1, np.int64)
        past = np.repeat(before[np.newaxis], self._depth, 0)
        now, quiet = values, 0
        for time in range(self._limit + self._depth):
            past[time % self._depth] = now
            following = now.copy()
            for group in self._timed:
                at = (time + 1 - group.delay) % self._depth
                pins = {pin: past[at, nets] for pin, nets in group.inputs.items()}
                following[group.out] = group.function.evaluate(pins)
            changed = np.bitwise_count(following ^ now).sum(1, np.int64)
            toggles += changed
            now = following
            quiet = 0 if changed.any() else quiet + 1
            if quiet >= self._depth:
                break
        self.settle(final)
        if not np.array_equal(final, now):
            raise RuntimeError("logic with delays must settle to the values without them")
        values[:] = now
        return toggles


class _Registers:
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


def _of_state(instance: Instance, pin: str) -> Function | None:
    """Return an output's function of its state, which it calls ``S``."""
    state, function = instance.cell.state, instance.cell.pins[pin].function
    if state is None or function is None:
        return None

    def evaluate(pins: Mapping[str, Words]) -> Words:
        return function.evaluate({state.names[0]: pins["S"], state.names[1]: ~pins["S"]})

    return Function(function.text, ("S",), evaluate)


def _grouped(logic: list[Instance], delays: Mapping[str, int] | None) -> list[_Group]:
    """Group outputs by level, or whatever the level where there are delays, and function."""
    groups: dict[tuple[int, str, str], list[Instance]] = {}
    for instance in logic:
        for pin in instance.cell.outputs:
            if pin in instance.nets:
                level = instance.level if delays is None else 0
                groups.setdefault((level, instance.cell.name, pin), []).append(instance)
    found = []
    for (_, _, pin), members in groups.items():
        function = members[0].cell.pins[pin].function
        if function is None:
            continue
        found.append(_Group(
            function,
            {p: np.array([i.nets.get(p, 0) for i in members]) for p in function.pins},
            np.array([i.nets[pin] for i in members]),
            np.array([1 if delays is None else delays[i.name] for i in members]),
        ))  # fmt: skip
    return found
