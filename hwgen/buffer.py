"""Parameter buffer: words wait here until the pipeline, having claimed them, reads them."""

from amaranth import Module, Shape, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.counting import counted, next_in_ring
from hwgen.memories import word_memory


class ParameterBuffer(wiring.Component):
    """Hold words in order; hand them out in bundles.

    Whoever wants words claims a bundle while one is available, and reads its words in the same
    cycle or at any later time. ``word`` follows ``read`` by one cycle and stays until the next. A
    bundle whose last word came in can be claimed in the next cycle; one word can come and one go
    each cycle.

    Members
    -------
    i : In(stream of words)
    available : Out(1)
        A whole bundle waits that nobody claimed.
    claim : In(1)
        Claim a bundle; only while ``available``.
    read : In(1)
        Fetch the next claimed word.
    word : Out(word)
    """

    i: stream.Interface
    available: Signal
    claim: Signal
    read: Signal
    word: data.View

    def __init__(self, layout: data.Layout, bundle: int, bundles: int) -> None:
        self.bundle = bundle
        self.bundles = bundles
        super().__init__(self.ports(layout))

    @staticmethod
    def ports(layout: data.Layout) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "i": In(stream.Signature(layout)),
            "available": Out(1),
            "claim": In(1),
            "read": In(1),
            "word": Out(layout),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depth = self.bundle * self.bundles

        in_bundle = Signal(range(self.bundle))
        write_at = Signal(range(depth))
        read_at = Signal(range(depth))
        take = Signal()
        whole = Signal()

        width = Shape.cast(self.word.shape()).width
        write, read = word_memory(m, width, depth)

        m.d.comb += [
            self.i.ready.eq(counted(m, "room", depth, self.read, take, start=depth)),
            take.eq(self.i.valid & self.i.ready),
            whole.eq(take & (in_bundle == self.bundle - 1)),
            self.available.eq(counted(m, "unclaimed", self.bundles, whole, self.claim)),
            write.addr.eq(write_at),
            write.data.eq(self.i.payload),
            write.en.eq(take),
            read.addr.eq(read_at),
            read.en.eq(self.read),
            self.word.as_value().eq(read.data),
        ]

        with m.If(take):
            m.d.sync += write_at.eq(next_in_ring(write_at, depth))
            m.d.sync += in_bundle.eq(next_in_ring(in_bundle, self.bundle))
        with m.If(self.read):
            m.d.sync += read_at.eq(next_in_ring(read_at, depth))

        return m
