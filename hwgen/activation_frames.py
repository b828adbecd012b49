"""Activation frames: the last word of each input vector is marked by counting them."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.axi_stream import word_bits, word_layout
from hwgen.config import HardwareConfig
from hwgen.layer_queue import VECTOR_BITS, shape_layout
from hwgen.layouts import activation_layout, width_of


class ActivationFrames(wiring.Component):
    """Pass the words of as many vectors as a shape has, then take the next shape.

    Words wait until there is a shape. The mark of a vector's end follows from the shape alone, so
    that a vector can neither be too long nor too short for the circuit. Words pass without
    latency, one a cycle, across vectors and shapes.

    Members
    -------
    shapes : In(stream of ``shape_layout(config)``)
    i : In(stream of ``word_layout`` of an activation word)
    o : Out(stream of ``activation_layout(config)``)
    misplaced : Out(1)
        The word that passes in this cycle is marked last and should not be, or the other way round.
    """

    shapes: stream.Interface
    i: stream.Interface
    o: stream.Interface
    misplaced: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        bits = word_bits(config)["activations"]
        return Signature({
            "shapes": In(stream.Signature(shape_layout(config))),
            "i": In(stream.Signature(word_layout(bits))),
            "o": Out(stream.Signature(activation_layout(config))),
            "misplaced": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = width_of(self.config.buffer_words)

        active = Signal()
        shape: data.View = Signal(shape_layout(self.config), reset_less=True)
        word = Signal(words)
        group = Signal(words)
        vector = Signal(VECTOR_BITS)
        last_group = Signal()
        last_word = Signal()
        last_vector = Signal()
        passes = Signal()

        m.d.comb += [
            last_group.eq(group == shape.groups - 1),
            last_word.eq(word == Mux(last_group, shape.tail_words, shape.group_words) - 1),
            last_vector.eq(vector == shape.vectors - 1),
            self.i.ready.eq(active & self.o.ready),
            self.o.valid.eq(active & self.i.valid),
            self.o.p["values"].eq(self.i.p["bits"]),
            self.o.p["last"].eq(last_word & last_group),
            passes.eq(self.o.valid & self.o.ready),
            self.misplaced.eq(passes & (self.i.p["last"] != self.o.p["last"])),
            self.shapes.ready.eq(~active | (passes & last_word & last_group & last_vector)),
        ]
        with m.If(passes):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
            with m.If(last_word):
                m.d.sync += group.eq(Mux(last_group, 0, group + 1))
                with m.If(last_group):
                    m.d.sync += vector.eq(Mux(last_vector, 0, vector + 1))
        with m.If(self.shapes.ready):
            m.d.sync += [active.eq(self.shapes.valid), shape.eq(self.shapes.payload)]

        return m
