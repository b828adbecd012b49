"""Layer queue: descriptors wait here until the circuit takes them, once for each input vector."""

from amaranth import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import layer_layout, width_of

VECTOR_BITS = 16
"""Bits of the number of input vectors of a layer."""


def descriptor_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe a layer with the number of its input vectors."""
    return data.StructLayout({"vectors": VECTOR_BITS, "layer": layer_layout(config)})


def shape_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe how many words the input vectors of a layer have, and how many vectors come."""
    words = width_of(config.buffer_words)
    fields: dict[str, int] = {"groups": words, "group_words": words, "tail_words": words}
    if config.views > 1:
        fields["views"] = width_of(config.views)
    return data.StructLayout({**fields, "vectors": VECTOR_BITS})


def layer_limits(config: HardwareConfig) -> dict[str, tuple[int, int]]:
    """Smallest and largest value of the descriptor's fields that may not be all their width has.

    Outside of them, the sequencer would count past an end that never comes.
    """
    words = config.buffer_words
    return {
        "vectors": (1, (1 << VECTOR_BITS) - 1),
        "row_tiles": (1, config.most_row_tiles),
        "groups": (1, words),
        "group_words": (1, words),
        "tail_words": (1, words),
        "terms": (1, config.most_terms),
        **({"views": (1, config.views)} if config.views > 1 else {}),
        "requantize": (0, min(1, config.requantize_bits)),
    }


class LayerQueue(wiring.Component):
    """Hold descriptors; offer each layer as often as it has input vectors, and its shape once.

    The next layer is offered as soon as the one before has been taken for its last vector, and its
    shape has been taken: while the circuit works, the vectors of the next layer can come in. A
    descriptor is offered two cycles after it was pushed.

    Members
    -------
    descriptor : In(``descriptor_layout(config)``)
    fits : Out(1)
        The circuit can run the descriptor that was there one cycle before, and is still there.
    push : In(1)
        Queue it; only while ``fits`` and not ``full``.
    full : Out(1), level : Out
        Layers that wait, the one that is offered among them.
    run : In(1)
        Offer layers; may fall only while nothing waits.
    o : Out(stream of ``layer_layout(config)``)
    shapes : Out(stream of ``shape_layout(config)``)
    """

    descriptor: data.View
    fits: Signal
    push: Signal
    full: Signal
    level: Signal
    run: Signal
    o: stream.Interface
    shapes: stream.Interface

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "descriptor": In(descriptor_layout(config)),
            "fits": Out(1),
            "push": In(1),
            "full": Out(1),
            "level": Out(width_of(config.layer_queue)),
            "run": In(1),
            "o": Out(stream.Signature(layer_layout(config))),
            "shapes": Out(stream.Signature(shape_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layout = descriptor_layout(self.config)

        m.submodules.waiting = waiting = SyncFIFOBuffered(
            width=layout.size, depth=self.config.layer_queue
        )
        first = data.View(layout, waiting.r_data)
        vector = Signal(VECTOR_BITS)
        issued = Signal()
        shaped = Signal()
        issue = Signal()
        shape = Signal()

        m.d.comb += [
            waiting.w_data.eq(self.descriptor),
            waiting.w_en.eq(self.push),
            self.full.eq(~waiting.w_rdy),
            self.level.eq(waiting.level),
            self.o.valid.eq(self.run & waiting.r_rdy & ~issued),
            self.o.payload.eq(first.layer),
            self.shapes.valid.eq(self.run & waiting.r_rdy & ~shaped),
            issue.eq(self.o.valid & self.o.ready & (vector == first.vectors - 1)),
            shape.eq(self.shapes.valid & self.shapes.ready),
            waiting.r_en.eq((issued | issue) & (shaped | shape)),
            self.shapes.p.vectors.eq(first.vectors),
        ]
        for name, _ in self.shapes.p.shape():
            if name != "vectors":
                m.d.comb += self.shapes.p[name].eq(first.layer[name])
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += vector.eq(vector + 1)
        m.d.sync += [issued.eq(issued | issue), shaped.eq(shaped | shape)]
        with m.If(waiting.r_en):
            m.d.sync += [issued.eq(0), shaped.eq(0), vector.eq(0)]

        m.d.sync += self.fits.eq(Cat(self._within_limits()).all())
        return m

    def _within_limits(self) -> list[Value]:
        """Return what must be 1 for the descriptor to be one that the circuit can run."""
        layer = self.descriptor.layer
        words = (layer.groups - 1) * layer.group_words + layer.tail_words
        words *= layer.views if self.config.views > 1 else 1
        holds: list[Value] = [words <= self.config.buffer_words]
        for name, (low, high) in layer_limits(self.config).items():
            value = self.descriptor.vectors if name == "vectors" else layer[name]
            holds += [value >= low] if low else []
            holds += [value <= high] if high < (1 << len(value)) - 1 else []
        return holds
