"""Fetcher: reads the words of one stream, beat by beat, as often as need be."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from fpga.gateware.parameters import BoardConfig
from hwgen.counting import next_in_ring


class Fetcher(wiring.Component):
    """Ask for beats, put words together, and offer them.

    Asks for the beats of a word once the one before has left it; a word is offered in the cycle
    after its last beat came in.

    Parameters
    ----------
    bits : int
        Of a word.

    Members
    -------
    start : In(1)
        Begin, with what the next three say then.
    first, end : In
        Beat of the first word, and the one after the last word.
    passes : In(16)
        How often all words are sent.
    stop : In(1)
        Forget everything.
    wanted : Out(1), address : Out
        A beat is asked for.
    granted : In(1)
        It will come; only while ``wanted``.
    arrived : In(1), beat : In
        It comes.
    o : Out(stream of words)
    """

    start: Signal
    first: Signal
    end: Signal
    passes: Signal
    stop: Signal
    wanted: Signal
    address: Signal
    granted: Signal
    arrived: Signal
    beat: Signal
    o: stream.Interface

    def __init__(self, board: BoardConfig, bits: int) -> None:
        self.beats = board.beats(bits)
        super().__init__(self.ports(board, bits))

    @staticmethod
    def ports(board: BoardConfig, bits: int) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "start": In(1), "stop": In(1),
            "first": In(board.address_bits), "end": In(board.address_bits), "passes": In(16),
            "wanted": Out(1), "address": Out(board.address_bits), "granted": In(1),
            "arrived": In(1), "beat": In(board.beat_bits),
            "o": Out(stream.Signature(bits)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(16)  # passes
        more = Signal()  # of them
        whole = Signal()  # all beats of this word are asked for
        asked = Signal(range(self.beats + 1))  # beats of this word
        came = Signal(range(self.beats))
        following = Signal(len(self.address))
        size = len(self.beat)
        word = Signal(self.beats * size, reset_less=True)
        # The opposite of o.valid, which has a long way to all that writes a word: what is decided
        # here reads this register near by. Being inverted, synthesis doesn't merge it with o.valid.
        vacant = Signal(init=1)
        m.d.comb += [
            self.wanted.eq(more & ~whole),
            self.o.payload.eq(word),
            following.eq(self.address + 1),
        ]
        with m.If(self.granted):
            m.d.sync += [asked.eq(asked + 1), whole.eq(asked == self.beats - 1)]
            m.d.sync += self.address.eq(following)
            with m.If(following == self.end):
                m.d.sync += [self.address.eq(self.first), left.eq(left - 1), more.eq(left != 1)]
        with m.If(self.arrived):
            m.d.sync += [
                came.eq(next_in_ring(came, self.beats)),
                word.eq(Cat(word[size:], self.beat)),
            ]
            m.d.sync += self.o.valid.eq(came == self.beats - 1)
            m.d.sync += vacant.eq(came != self.beats - 1)
        with m.If(~vacant & self.o.ready):
            m.d.sync += [asked.eq(0), whole.eq(0), self.o.valid.eq(0), vacant.eq(1)]
        with m.If(self.start):
            m.d.sync += [self.address.eq(self.first), left.eq(self.passes)]
            m.d.sync += more.eq(self.passes != 0)
        with m.If(self.stop):
            m.d.sync += [left.eq(0), more.eq(0), asked.eq(0), whole.eq(0), came.eq(0)]
            m.d.sync += [self.o.valid.eq(0), vacant.eq(1)]
        return m


class Drain(wiring.Component):
    """Write the engine's results into the memory, one after the other.

    Members
    -------
    start : In(1), first : In
        Begin, at this beat.
    i : In(stream of words)
    wanted : Out(1), address : Out, data : Out
        A beat is to be written.
    granted : In(1)
        It is; only while ``wanted``.
    """

    start: Signal
    first: Signal
    i: stream.Interface
    wanted: Signal
    address: Signal
    data: Signal
    granted: Signal

    def __init__(self, board: BoardConfig, bits: int) -> None:
        self.beats = board.beats(bits)
        super().__init__(self.ports(board, bits))

    @staticmethod
    def ports(board: BoardConfig, bits: int) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "start": In(1), "first": In(board.address_bits), "i": In(stream.Signature(bits)),
            "wanted": Out(1), "address": Out(board.address_bits), "data": Out(board.beat_bits),
            "granted": In(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        size = len(self.data)
        word = Signal(self.beats * size, reset_less=True)
        left = Signal(range(self.beats + 1))
        more = Signal()
        m.d.comb += [
            self.i.ready.eq(~more),
            self.wanted.eq(more),
            self.data.eq(word[:size]),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [word.eq(self.i.payload), left.eq(self.beats), more.eq(1)]
        with m.Elif(self.granted):
            m.d.sync += [word.eq(word[size:]), left.eq(left - 1), more.eq(left != 1)]
            m.d.sync += self.address.eq(self.address + 1)
        with m.If(self.start):
            m.d.sync += [self.address.eq(self.first), left.eq(0), more.eq(0)]
        return m
