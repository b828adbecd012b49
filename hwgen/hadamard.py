"""Hadamard unit: the fast Walsh-Hadamard transform of blocks of codes, and its requantization."""

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature, connect, flipped

from hwgen.counting import next_in_ring
from hwgen.pipe import Pipe
from hwgen.rounding import requantized
from hwgen.vectors import vector_layout
from models.checks import require


class Hadamard(wiring.Component):
    """Transform blocks of codes in Sylvester order, after a sign for each column of a block.

    ``log2(block)`` levels of butterflies: those of columns in one word first, then those of words,
    each with a memory of as many words as its partners are apart. Every level adds a bit, so the
    transform is exact until it is requantized. A word a cycle; the first of a block leaves
    ``log2(block) + 2`` cycles and ``block / lanes - 1`` words after it came.

    Parameters
    ----------
    lanes : int
        A power of two.
    block : int
        A power of two; blocks follow each other without padding.
    in_bits : int
        Of a signed code.
    shift, bits : int
        Of the requantization, as :class:`models.codes.Transform` has them.

    Members
    -------
    i : In(stream of ``vector_layout(lanes, in_bits)``)
        Whole blocks.
    negate : In(block)
        Columns of a block whose codes are negated first; it may change between vectors.
    o : Out(stream of ``vector_layout(lanes, bits)``)
    """

    i: stream.Interface
    negate: Signal
    o: stream.Interface

    def __init__(self, lanes: int, block: int, in_bits: int, shift: int, bits: int) -> None:
        self.lanes = lanes
        self.block = block
        self.in_bits = in_bits
        self.shift = shift
        self.bits = bits
        super().__init__({
            "i": In(stream.Signature(vector_layout(lanes, in_bits))),
            "negate": In(block),
            "o": Out(stream.Signature(vector_layout(lanes, bits))),
        })

    @staticmethod
    def check(lanes: int, block: int) -> None:
        """Raise ``ValueError`` unless there is such a unit."""
        for name, value in (("lanes", lanes), ("block", block)):
            rule = "be a power of two for a Hadamard unit"
            require(value >= 1 and value & (value - 1) == 0, name, rule, value)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.in_bits + 1  # minus the smallest code
        signs = Pipe(vector_layout(self.lanes, width))
        m.submodules.signs = signs
        self._apply_signs(m, signs)
        source = signs.o
        distance = 1
        while distance < self.block:
            if distance < self.lanes:
                level: wiring.Component = Within(self.lanes, width, distance)
            else:
                level = Across(self.lanes, width, distance // self.lanes)
            m.submodules[f"level_{distance}"] = level
            width += 1
            pipe = Pipe(vector_layout(self.lanes, width))
            m.submodules[f"pipe_{distance}"] = pipe
            connect(m, source, level.i)
            connect(m, level.o, pipe.i)
            source = pipe.o
            distance *= 2
        rounded = Pipe(vector_layout(self.lanes, self.bits))
        m.submodules.rounded = rounded
        m.d.comb += [
            rounded.i.valid.eq(source.valid),
            source.ready.eq(rounded.i.ready),
            rounded.i.p["last"].eq(source.p["last"]),
        ]
        for lane in range(self.lanes):
            value = requantized(source.p["values"][lane], self.shift, self.bits)
            m.d.comb += rounded.i.p["values"][lane].eq(value)
        connect(m, rounded.o, flipped(self.o))
        return m

    def _apply_signs(self, m: Module, signs: Pipe) -> None:
        words = max(1, self.block // self.lanes)
        word = Signal(range(words))
        m.d.comb += [
            signs.i.valid.eq(self.i.valid),
            self.i.ready.eq(signs.i.ready),
            signs.i.p["last"].eq(self.i.p["last"]),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += word.eq(next_in_ring(word, words))
        part = self.negate.word_select(word, self.lanes) if words > 1 else self.negate
        for lane in range(self.lanes):
            value = self.i.p["values"][lane]
            negated = Mux(part[lane % self.block], -value, value)
            m.d.comb += signs.i.p["values"][lane].eq(negated)


class Within(wiring.Component):
    """Level of butterflies between lanes of a word; combinational.

    Members
    -------
    i, o : streams of ``vector_layout``
        Integers of ``bits``, and of one more.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, lanes: int, bits: int, distance: int) -> None:
        self.lanes = lanes
        self.distance = distance
        super().__init__(_level(lanes, bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.p["last"].eq(self.i.p["last"]),
        ]
        values = self.i.p["values"]
        for lane in range(self.lanes):
            partner = values[lane ^ self.distance]
            upper = lane & self.distance
            result: Value = partner - values[lane] if upper else values[lane] + partner
            m.d.comb += self.o.p["values"][lane].eq(result)
        return m


class Across(wiring.Component):
    """Level of butterflies between words ``distance`` apart.

    The first half of a block is stored. With each word of the second half, the sum leaves and the
    difference takes the other's place; differences leave while the next block is stored, or with
    nothing behind them. Combinational where sums leave, and a word a cycle.

    Members
    -------
    i, o : streams of ``vector_layout``
        Integers of ``bits``, and of one more.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, lanes: int, bits: int, distance: int) -> None:
        self.lanes = lanes
        self.distance = distance
        super().__init__(_level(lanes, bits))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        end = self.distance - 1
        layout = self.o.p.shape()["values"].shape
        place = Signal(range(self.distance))
        second = Signal()  # half of a block
        leaving = Signal(range(self.distance))
        leaves = Signal()  # differences do
        ends = Signal()  # they are the vector's last
        take = Signal()

        m.submodules.words = words = Memory(shape=layout, depth=self.distance, init=[])
        read, write = words.read_port(domain="comb"), words.write_port()
        stored = read.data
        freed = ~leaves | (leaving > place) | ((leaving == place) & self.o.ready)
        m.d.comb += [
            self.i.ready.eq(Mux(second, self.o.ready, freed)),
            self.o.valid.eq(Mux(second, self.i.valid, leaves)),
            self.o.p["last"].eq(~second & ends & (leaving == end)),
            take.eq(self.i.valid & self.i.ready),
            read.addr.eq(Mux(second, place, leaving)),
            write.addr.eq(place),
            write.en.eq(take),
        ]
        for lane in range(self.lanes):
            value = self.i.p["values"][lane]
            total = Mux(second, stored[lane] + value, stored[lane])
            m.d.comb += self.o.p["values"][lane].eq(total)
            m.d.comb += write.data[lane].eq(Mux(second, stored[lane] - value, value))

        with m.If(~second & leaves & self.o.ready):
            m.d.sync += leaving.eq(next_in_ring(leaving, self.distance))
            with m.If(leaving == end):
                m.d.sync += leaves.eq(0)
        with m.If(take):
            m.d.sync += place.eq(next_in_ring(place, self.distance))
            with m.If(place == end):
                m.d.sync += second.eq(~second)
                with m.If(second):
                    m.d.sync += [leaves.eq(1), ends.eq(self.i.p["last"])]
        return m


def _level(lanes: int, bits: int) -> Signature:
    return Signature({
        "i": In(stream.Signature(vector_layout(lanes, bits))),
        "o": Out(stream.Signature(vector_layout(lanes, bits + 1))),
    })
