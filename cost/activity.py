"""Gate-level simulation: many sequences at once, a bit of a word each, and the toggles of each net.

With zero delay a net changes once a cycle at most: no glitches. With delays each gate has that of
its table at its load, and swallows pulses that are shorter (inertial delay, as simulators of gates
have it): real gates damp pulses of about their delay, so this is an estimate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cost.functions import Function, Words
from cost.netlist import ONE, Instance, Netlist
from cost.states import Memories, Registers

Ports = Mapping[str, Words]
"""Words of ports in a cycle: uint64, (bits of the port, words)."""

Stimulus = Mapping[str, NDArray[np.uint64]]
"""Words of each input port: uint64, (cycles, bits of the port, words)."""

Feed = Callable[[int, Ports], Ports]
"""From a cycle's number and the outputs of the cycle before (none in the first) to its inputs."""


@dataclass(frozen=True)
class Activity:
    """What happened on a netlist.

    Attributes
    ----------
    cycles : int
        Counted, over all sequences.
    toggles : float64, (nets,)
        A cycle and sequence; of clock nets 2 for each cycle in which they run.
    outputs : dict of str to uint64, (cycles, bits, words)
        Of output ports, before each edge.
    reads, writes : dict of str to float
        Of each memory, words a cycle.
    """

    cycles: int
    toggles: NDArray[np.float64]
    outputs: dict[str, NDArray[np.uint64]]
    reads: dict[str, float]
    writes: dict[str, float]


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
    counted: range | None = None,
    delays: Mapping[str, float] | None = None,
    step: float = 0.0,
) -> Activity:
    """Run a netlist from a state of all zeros on inputs that are known beforehand.

    Parameters
    ----------
    counted, delays, step
        As for :func:`run`.
    """
    cycles = len(next(iter(stimulus.values())))

    def feed(cycle: int, seen: Ports) -> Ports:
        return {name: values[cycle] for name, values in stimulus.items()}

    return run(netlist, feed, range(cycles) if counted is None else counted, cycles, delays, step)


def run(
    netlist: Netlist,
    feed: Feed,
    counted: range,
    cycles: int,
    delays: Mapping[str, float] | None = None,
    step: float = 0.0,
) -> Activity:
    """Run a netlist from a state of all zeros.

    Parameters
    ----------
    counted : range
        Cycles whose toggles count.
    delays : mapping of str to float, optional
        Seconds from the inputs of each instance to its output; without it there is no delay.
    step : float
        Seconds to whose multiples, one at least, delays are rounded.
    """
    now: Ports = feed(0, {})
    words = next(iter(now.values())).shape[-1]
    values = np.zeros((netlist.nets, words), np.uint64)
    values[ONE] = ~np.uint64(0)
    outputs = {n: np.array(nets) for n, nets in netlist.ports.items() if n not in netlist.inputs}
    seen = {n: np.zeros((cycles, len(nets), words), np.uint64) for n, nets in outputs.items()}
    logic = _Zero(netlist) if delays is None else _Timed(netlist, delays, step)
    registers, memories = Registers(netlist), Memories(netlist, words)
    toggles = np.zeros(netlist.nets, np.int64)
    clocked = np.zeros(netlist.nets, np.int64)
    held = registers.start(words)
    logic.settle(values)
    for cycle in range(cycles):
        before = values.copy()
        registers.show(values, held)
        memories.show(values)
        for name, given in now.items():
            values[netlist.ports[name]] = given
        changed = logic.run(values, before)
        for name, nets in outputs.items():
            seen[name][cycle] = values[nets]
        memories.step(values, cycle in counted)
        runs = registers.step(values, held)
        if cycle in counted:
            toggles += changed
            for net, enabled in runs.items():
                clocked[net] += 2 * int(np.bitwise_count(enabled).sum())
        if cycle + 1 < cycles:
            now = feed(cycle + 1, {name: port[cycle] for name, port in seen.items()})
    samples = len(counted) * words * 64
    toggles[netlist.clock] = 2 * samples
    reads, writes = (
        {name: count / len(counted) for name, count in counts.items()}
        for counts in (memories.reads, memories.writes)
    )
    return Activity(samples, (toggles + clocked) / samples, seen, reads, writes)


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
    """Logic with inertial delays: an output takes a value that has been due for its delay."""

    def __init__(self, netlist: Netlist, delays: Mapping[str, float], step: float) -> None:
        super().__init__(netlist)
        steps = {name: max(1, round(delay / step)) for name, delay in delays.items()}
        self._timed = _grouped(netlist.logic, steps)
        self._depth = max([1, *(steps[i.name] for i in netlist.logic)])
        self._limit = sum(steps[i.name] for i in netlist.logic)

    def run(self, values: Words, before: Words) -> NDArray[np.int64]:
        """Evaluate time step by time step until nothing changes any more.

        ``before`` are the values just before the edge; states and inputs change at time 0.
        """
        final = values.copy()
        toggles = np.bitwise_count(values ^ before).sum(1, np.int64)
        due = [np.repeat(before[group.out][None], self._depth, 0) for group in self._timed]
        now, quiet = values, 0
        for time in range(self._limit + self._depth):
            following = now.copy()
            for group, past in zip(self._timed, due, strict=True):
                past[time % self._depth] = group.evaluate(now)
                following[group.out] = _steady(past, time, group.delay, now[group.out])
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


def _steady(past: Words, time: int, delay: NDArray[np.intp], now: Words) -> Words:
    """Return values that have been due for as many steps as the delays, elsewhere those of now."""
    ones = zeros = past[time % len(past)]
    for back in range(1, int(delay.max())):
        value = past[(time - back) % len(past)]
        within = (delay > back)[:, None]
        ones = np.where(within, ones & value, ones)
        zeros = np.where(within, zeros | value, zeros)
    return ones | now & zeros


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
