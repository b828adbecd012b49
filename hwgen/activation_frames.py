"""Activation frames: the last word of each input vector is marked by counting them."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.axi_stream import word_bits, word_layout, word_layouts
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

        layout = word_layouts(self.config)["activations"]
        word_in: data.View = Signal(layout)
        active = Signal()
        shape: data.View = Signal(shape_layout(self.config), reset_less=True)
        view = Signal(self.config.view_bits)
        word = Signal(words)
        group = Signal(words)
        vector = Signal(VECTOR_BITS)
        last_group = Signal()
        last_word = Signal()
        last_view = Signal()
        last_vector = Signal()
        passes = Signal()
        ends = Signal()

        m.d.comb += [
            last_group.eq(group == shape.groups - 1),
            last_word.eq(word == Mux(last_group, shape.tail_words, shape.group_words) - 1),
            last_view.eq(view == shape.views - 1 if self.config.views > 1 else 1),
            last_vector.eq(vector == shape.vectors - 1),
            self.i.ready.eq(active & self.o.ready),
            self.o.valid.eq(active & self.i.valid),
            ends.eq(last_view & last_word & last_group),
            word_in.as_value().eq(self.i.p["bits"]),
            *(self.o.p[name].eq(word_in[name]) for name, _ in layout),
            self.o.p["last"].eq(ends),
            passes.eq(self.o.valid & self.o.ready),
            self.misplaced.eq(passes & (self.i.p["last"] != ends)),
            self.shapes.ready.eq(~active | (passes & ends & last_vector)),
        ]
        loops = [  # innermost first: the counter, and whether it is at its end
            (view, last_view),
            (word, last_word),
            (group, last_group),
            (vector, last_vector),
        ]
        turn: Value = passes
        for counter, at_end in loops:
            with m.If(turn):
                m.d.sync += counter.eq(Mux(at_end, 0, counter + 1))
            turn = turn & at_end
        with m.If(self.shapes.ready):
            m.d.sync += [active.eq(self.shapes.valid), shape.eq(self.shapes.payload)]

        return m
