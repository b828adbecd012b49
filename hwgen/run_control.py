"""Run control: when the circuit runs and is done, what it does meanwhile, and whether it moves."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.axi_stream import INPUTS
from hwgen.config import HardwareConfig
from hwgen.sequencer import WAITS

PORTS = (*INPUTS, "results")
"""Streams with a port."""

PORTS_LAYOUT = data.StructLayout(dict.fromkeys(PORTS, 1))
"""A bit for each stream with a port."""

COUNTERS = {
    "cycles": "cycles while busy",
    "steps": "cycles in which the array worked",
    **{f"waits_{name}": f"cycles in which a step lacked {name}" for name in INPUTS},
    "waits_results": "cycles in which a step lacked room for results",
    **{f"words_{name}": f"words of {name} taken" for name in INPUTS},
    "words_results": "words of results given to the port",
    "vectors": "input vectors whose last result was given to the port",
}
"""Counters of 32 bits since the last reset; past the largest number they begin again at 0."""

COUNTERS_LAYOUT = data.StructLayout(dict.fromkeys(COUNTERS, 32))


class RunControl(wiring.Component):
    """Run from a start until every layer of the queue has given its last result to its taker.

    Members
    -------
    start : In(1)
        Begin; only while not ``running``, and with something ``queued`` from the next cycle on.
    queued : In(1)
        Layers wait.
    begins, ends : In(1)
        A layer was taken for a vector; the last result of a vector left the circuit.
    offered : In(1)
        A result waits at the port.
    works : In(1), waits : In(``WAITS``)
        As the circuit has them.
    words : In(``PORTS_LAYOUT``)
        A word of this stream passed.
    moves : In(1)
        Something passed at any port.
    limit : In(32)
        Cycles without a step and without anything moving after which ``stuck`` comes, and they are
        counted anew; 0 is never. It may change at any time.
    running : Out(1)
    done : Out(1), stuck : Out(1)
        For one cycle.
    counters : Out(``COUNTERS_LAYOUT``)
    """

    start: Signal
    queued: Signal
    begins: Signal
    ends: Signal
    offered: Signal
    works: Signal
    waits: data.View
    words: data.View
    moves: Signal
    limit: Signal
    running: Signal
    done: Signal
    stuck: Signal
    counters: data.View

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports())

    @staticmethod
    def ports() -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "start": In(1),
            "queued": In(1),
            "begins": In(1),
            "ends": In(1),
            "offered": In(1),
            "works": In(1),
            "waits": In(WAITS),
            "words": In(PORTS_LAYOUT),
            "moves": In(1),
            "limit": In(32),
            "running": Out(1),
            "done": Out(1),
            "stuck": Out(1),
            "counters": Out(COUNTERS_LAYOUT),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()

        # One vector in the sequencer, and each other one holds room for a tile of results.
        in_flight = Signal(range(self.config.output_bundles + 2))
        still = Signal(32)

        counted = {
            "cycles": self.running,
            "steps": self.works,
            **{f"waits_{name}": self.waits[name] for name in PORTS},
            **{f"words_{name}": self.words[name] for name in PORTS},
            "vectors": self.ends,
        }
        for name, happens in counted.items():
            m.d.sync += self.counters[name].eq(self.counters[name] + happens)

        m.d.comb += [
            self.done.eq(self.running & ~self.queued & (in_flight == 0) & ~self.offered),
            self.stuck.eq(self.running & (still >= self.limit) & (self.limit != 0)),
        ]
        m.d.sync += in_flight.eq(in_flight + self.begins - self.ends)
        m.d.sync += still.eq(still + 1)
        with m.If(~self.running | self.works | self.moves | self.stuck):
            m.d.sync += still.eq(0)
        with m.If(self.done):
            m.d.sync += self.running.eq(0)
        with m.If(self.start):
            m.d.sync += self.running.eq(1)

        return m
