"""Link: requantized results of a chain's first stage as activations of its second."""

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.counting import next_in_ring
from hwgen.layouts import activation_layout, output_layout, width_of


class Link(wiring.Component):
    """Hold the codes of one token's middle and give them on, word by word, view by view.

    Results come in the circuit's order: row tile, view, slot; activations leave in its order:
    word, view. A word leaves as soon as the row tile with its last row has come, one each cycle at
    most, two cycles after that at the earliest; the next token's results wait until all have left.
    Rows past the last are codes of 0, as padding must be: their coefficients and scales are 0.

    Parameters
    ----------
    config : HardwareConfig
        As :meth:`HardwareConfig.check_link` wants it; the second stage's groups take whole words
        or are whole rows.

    Members
    -------
    i : In(stream of ``output_layout(config)``)
        The last word of a token's results is marked.
    views : In
        Of the results; as long as the layers stay.
    words : In
        Of the second stage's activations, for each view: at most as the results fill.
    o : Out(stream of ``activation_layout(config)``)
    """

    i: stream.Interface
    views: Signal
    words: Signal
    o: stream.Interface

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "i": In(stream.Signature(output_layout(config))),
            "views": In(width_of(config.views)),
            "words": In(width_of(config.buffer_words)),
            "o": Out(stream.Signature(activation_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        parts = config.lanes // config.scalers  # of a word: one result word each
        views, most = config.views, config.buffer_words

        # Where results go: parts of words follow each other by slots and tiles, in each view.
        slot, view_in = Signal(range(config.slots)), Signal(range(views))
        tile_part, part = Signal(range(parts)), Signal(range(parts))
        tile_word, word_in = Signal(range(most + 1)), Signal(range(most + 1))
        come, whole = Signal(range(most + 1)), Signal()  # words of all views
        filled, tail = Signal(range(most + 1)), Signal(range(parts))  # words, and parts of one more
        take, ends_view, ends_tile = Signal(), Signal(), Signal()
        next_part, next_word = Signal(range(parts)), Signal(range(most + 1))
        m.d.comb += [
            self.i.ready.eq(~whole),
            take.eq(self.i.valid & self.i.ready),
            ends_view.eq(take & (slot == config.slots - 1)),
            ends_tile.eq(ends_view & (view_in == self.views - 1)),
            next_part.eq(next_in_ring(part, parts)),
            next_word.eq(word_in + (part == parts - 1)),
        ]
        with m.If(take):
            m.d.sync += [
                slot.eq(next_in_ring(slot, config.slots)),
                part.eq(next_part), word_in.eq(next_word),
            ]  # fmt: skip
        with m.If(ends_view):
            m.d.sync += [view_in.eq(view_in + 1), part.eq(tile_part), word_in.eq(tile_word)]
        with m.If(ends_tile):
            m.d.sync += [
                view_in.eq(0), part.eq(next_part), word_in.eq(next_word),
                tile_part.eq(next_part), tile_word.eq(next_word), come.eq(next_word),
            ]  # fmt: skip
            with m.If(self.i.p["last"]):
                m.d.sync += [whole.eq(1), come.eq(self.words)]
                m.d.sync += [filled.eq(next_word), tail.eq(next_part)]

        # A memory for each part, so that a whole word is read at once; then one word waits.
        word, view = Signal(range(most + 1)), Signal(range(views))
        read, last, done = Signal(), Signal(), Signal()
        there = Signal()
        m.d.comb += [
            read.eq((word < come) & (word < self.words) & (~there | self.o.ready)),
            last.eq((word == self.words - 1) & (view == self.views - 1)),
            done.eq(read & last),
            self.o.valid.eq(there),
        ]
        for number in range(parts):
            bits = config.scalers * config.act_bits
            held = Memory(shape=bits, depth=1 << len(Cat(view, word)), init=[])
            m.submodules[f"codes_{number}"] = held
            write, fetch = held.write_port(), held.read_port()
            codes = [value[: config.act_bits] for value in self.i.p["values"]]
            m.d.comb += [
                write.addr.eq(Cat(view_in, word_in)),
                write.data.eq(Cat(*codes)),
                write.en.eq(take & (part == number)),
                fetch.addr.eq(Cat(view, word)),
                fetch.en.eq(read),
            ]
            blank = Signal(name=f"blank_{number}")
            with m.If(read):
                unfilled = (tail <= number) if number < parts - 1 else Const(1)
                m.d.sync += blank.eq(whole & (word == filled) & unfilled)
            for place in range(config.scalers):
                code = fetch.data.word_select(place, config.act_bits)
                lane = number * config.scalers + place
                m.d.comb += self.o.p["values"][lane].eq(Mux(blank, 0, code))

        marked = Signal()
        m.d.comb += self.o.p["last"].eq(marked)
        with m.If(~there | self.o.ready):
            m.d.sync += [there.eq(read), marked.eq(last)]
        with m.If(read):
            m.d.sync += view.eq(view + 1)
            with m.If(view == self.views - 1):
                m.d.sync += [view.eq(0), word.eq(word + 1)]
        with m.If(done):
            m.d.sync += [word.eq(0), come.eq(0), whole.eq(0)]
            for counter in (part, word_in, tile_part, tile_word):
                m.d.sync += counter.eq(0)
        return m
