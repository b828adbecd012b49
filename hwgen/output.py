"""Output buffer: has room for every result that the pipeline will bring."""

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.counting import next_in_ring
from hwgen.layouts import output_layout


class OutputBuffer(wiring.Component):
    """Take results that cannot wait, and offer them on a stream.

    Room is claimed for the results of a whole row tile before they are computed; it is free again
    when their last word has been taken. A word is offered two cycles after it came in, or as soon
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

        room = Signal(range(bundles + 1), init=bundles)
        slot = Signal(range(slots))
        give = Signal()
        freed = Signal()

        width = len(self.results.as_value())
        m.submodules.words = words = SyncFIFOBuffered(width=width, depth=slots * bundles)
        m.d.comb += [
            self.available.eq(room != 0),
            words.w_data.eq(self.results),
            words.w_en.eq(self.valid),
            self.o.payload.eq(words.r_data),
            self.o.valid.eq(words.r_rdy),
            words.r_en.eq(self.o.ready),
            give.eq(self.o.valid & self.o.ready),
            freed.eq(give & (slot == slots - 1)),
        ]
        m.d.sync += room.eq(room + freed - self.claim)
        with m.If(give):
            m.d.sync += slot.eq(next_in_ring(slot, slots))

        return m
