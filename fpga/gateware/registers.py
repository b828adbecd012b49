"""Registers: what a host sets and reads, and the run that it starts."""

from amaranth import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.wiring import In, Out, Signature

from fpga.frames import MAGIC, STREAMS, VERSION, Register
from fpga.gateware.parameters import BoardConfig

STOPPING = 8
"""Cycles for which everything is held before a run: more than a beat is under way."""


def slice_layout(board: BoardConfig) -> StructLayout:
    """Describe what a fetcher reads: from its first beat up to ``end``, so many times."""
    bits = board.address_bits
    return StructLayout({"first": bits, "end": bits, "passes": 16})


class Registers(wiring.Component):
    """Hold the registers of :class:`fpga.frames.Register`, and watch the run.

    A run goes on until ``VECTORS`` results marked last have come, and all results are written; or
    until nothing has moved for ``patience`` cycles, or ``STOP`` is written.

    Parameters
    ----------
    design : int
        64 bits by which a host knows what circuit it talks to.

    Members
    -------
    number : In(6), write : In(1), data : In(32)
    value : Out(32)
        Of register ``number``, a cycle later.
    accepted, damaged : In(1)
        Frames to count.
    starved, stalled, moved : In(1)
        The engine waits for weights; a result waits; any word passed to or from the engine.
    vector : In(1)
        A result marked last came.
    drained : In(1)
        No result waits to be written.
    start, stop : Out(1)
        Begin a run; forget everything.
    results : Out
        Beat of the first result.
    slices : Out(``slice_layout(board)`` for each stream)
    """

    number: Signal
    write: Signal
    data: Signal
    value: Signal
    accepted: Signal
    damaged: Signal
    starved: Signal
    stalled: Signal
    moved: Signal
    vector: Signal
    drained: Signal
    start: Signal
    stop: Signal
    results: Signal
    slices: View

    def __init__(self, board: BoardConfig, design: int) -> None:
        self.board = board
        self.design = design
        super().__init__(self.ports(board))

    @staticmethod
    def ports(board: BoardConfig) -> Signature:
        """Return the ports, from outside to inside."""
        events = ("accepted", "damaged", "starved", "stalled", "moved", "vector", "drained")
        return Signature({
            "number": In(6), "write": In(1), "data": In(32), "value": Out(32),
            **{name: In(1) for name in events},
            "start": Out(1), "stop": Out(1, init=1), "results": Out(board.address_bits),
            "slices": Out(ArrayLayout(slice_layout(board), len(STREAMS))),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counts = {name: Signal(32, name=name.name.lower()) for name in (
            Register.CYCLES, Register.STARVED, Register.STALLED,
            Register.ACCEPTED, Register.DAMAGED,
        )}  # fmt: skip
        run, vectors = Signal(32), Signal(16)
        busy, stuck = Signal(), Signal()
        left = Signal(16)  # vectors
        holding = Signal(range(STOPPING + 1), init=STOPPING)
        begins = Signal()  # a new run was asked for, a cycle ago
        starting = Signal()
        idle = Signal(range(self.board.patience + 1))

        # It resets all of an engine: a register, for the sake of its wires.
        m.d.sync += self.stop.eq(holding != 0)
        m.d.comb += self.start.eq(starting & (holding == 0) & ~self.stop)
        with m.If(holding != 0):
            m.d.sync += holding.eq(holding - 1)
        with m.If(self.start):
            m.d.sync += [starting.eq(0), left.eq(vectors), idle.eq(0)]
        with m.If(busy & ~starting):
            m.d.sync += [
                counts[Register.CYCLES].eq(counts[Register.CYCLES] + 1),
                counts[Register.STARVED].eq(counts[Register.STARVED] + self.starved),
                counts[Register.STALLED].eq(counts[Register.STALLED] + self.stalled),
                left.eq(left - self.vector),
                idle.eq(Mux(self.moved, 0, idle + 1)),
            ]
            with m.If((left == 0) & self.drained):
                m.d.sync += busy.eq(0)
            with m.Elif(idle == self.board.patience):
                m.d.sync += [busy.eq(0), stuck.eq(1), holding.eq(STOPPING)]
        m.d.sync += [
            counts[Register.ACCEPTED].eq(counts[Register.ACCEPTED] + self.accepted),
            counts[Register.DAMAGED].eq(counts[Register.DAMAGED] + self.damaged),
        ]

        with m.If(begins):
            m.d.sync += [begins.eq(0), busy.eq(1), stuck.eq(0), starting.eq(1)]
            m.d.sync += [count.eq(0) for count in list(counts.values())[:3]]
            m.d.sync += holding.eq(STOPPING)
        with m.If(self.write), m.Switch(self.number):
            with m.Case(Register.RUN):
                m.d.sync += [run.eq(self.data), begins.eq(self.data != run)]
            with m.Case(Register.STOP):
                m.d.sync += [busy.eq(0), starting.eq(0), holding.eq(STOPPING)]
            with m.Case(Register.VECTORS):
                m.d.sync += vectors.eq(self.data)
            with m.Case(Register.RESULTS):
                m.d.sync += self.results.eq(self.data)
            for stream in range(len(STREAMS)):
                for place, field in enumerate(("first", "end", "passes")):
                    with m.Case(Register.STREAMS + 3 * stream + place):
                        m.d.sync += self.slices[stream][field].eq(self.data)

        readable = {
            Register.MAGIC: Const(MAGIC, 32),
            Register.VERSION: Const(VERSION, 32),
            Register.DESIGN: Const(self.design & 0xFFFFFFFF, 32),
            Register.DESIGN_HIGH: Const(self.design >> 32, 32),
            Register.STATE: busy | (stuck << 1),
            Register.RUN: run,
            **counts,
        }
        with m.Switch(self.number):
            for name, value in readable.items():
                with m.Case(name):
                    m.d.sync += self.value.eq(value)
            with m.Default():
                m.d.sync += self.value.eq(0)
        return m
