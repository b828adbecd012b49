"""Pipe: one register of a stream, to cut what is combinational between two units."""

from amaranth import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Pipe(wiring.Component):
    """Offer a word one cycle after it came; a word a cycle.

    Members
    -------
    i : In(stream), o : Out(stream)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, layout: object) -> None:
        super().__init__({"i": In(stream.Signature(layout)), "o": Out(stream.Signature(layout))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.i.ready.eq(~self.o.valid | self.o.ready)
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid)
            m.d.sync += self.o.payload.eq(self.i.payload)
        return m
