"""Output buffer: has room for every result that the pipeline will bring."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.counting import counted, next_in_ring
from hwgen.layouts import output_layout
from hwgen.memories import word_memory


class OutputBuffer(wiring.Component):
    """Take results that cannot wait, and offer them on a stream.

    Room is claimed for the results of a whole row tile before they are computed; it is free again
    when their last word has been taken. A word is offered three cycles after it came in, or as soon
    as those before it have been taken; one can come and one go each cycle.

    Members
    -------
    available : Out(1)
        There is room for a row tile.
    claim : In(1)
        Claim it; only while ``available``.
    valid : In(1), results : In(``output_layout(config)``)
    o : Out(stream of ``output_layout(config)``)
    """

    available: Signal
    claim: Signal
    valid: Signal
    results: data.View
    o: stream.Interface

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "available": Out(1),
            "claim": In(1),
            "valid": In(1),
            "results": In(output_layout(config)),
            "o": Out(stream.Signature(output_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        slots, bundles = self.config.slots, self.config.output_bundles

        depth = slots * bundles
        slot = Signal(range(slots))
        write_at = Signal(range(depth))
        read_at = Signal(range(depth))
        read_out = Signal()
        held = Signal(len(self.results.as_value()), reset_less=True)
        there = Signal()
        fetch = Signal()
        moves = Signal()
        give = Signal()
        freed = Signal()

        write, read = word_memory(m, len(self.results.as_value()), depth)
        waiting = counted(m, "waiting", depth, self.valid, fetch)
        m.d.comb += [
            self.available.eq(counted(m, "room", bundles, freed, self.claim, start=bundles)),
            write.addr.eq(write_at),
            write.data.eq(self.results),
            write.en.eq(self.valid),
            moves.eq(read_out & (~there | give)),
            fetch.eq(waiting & (~read_out | moves)),
            read.addr.eq(read_at),
            read.en.eq(fetch),
            self.o.payload.eq(held),
            self.o.valid.eq(there),
            give.eq(there & self.o.ready),
            freed.eq(give & (slot == slots - 1)),
        ]
        m.d.sync += [
            read_out.eq(fetch | (read_out & ~moves)),
            there.eq(moves | (there & ~give)),
        ]
        with m.If(moves):
            m.d.sync += held.eq(read.data)
        with m.If(self.valid):
            m.d.sync += write_at.eq(next_in_ring(write_at, depth))
        with m.If(fetch):
            m.d.sync += read_at.eq(next_in_ring(read_at, depth))
        with m.If(give):
            m.d.sync += slot.eq(next_in_ring(slot, slots))

        return m
