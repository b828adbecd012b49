"""Sigma-Delta upsampler by repetition: each block of codes held for more samples than it has."""

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwgen.choose import choose
from hwgen.counting import next_in_ring
from hwgen.rounding import requantized
from hwgen.vectors import vector_layout


class Repeat(wiring.Component):
    """Make ``samples`` of each ``block`` of codes: sample ``n`` is code ``n * block // samples``.

    Any ratio will do, below 1 as well. Blocks and their samples take whole words, with zeros in
    the lanes that are left. Two blocks are held: one leaves while the next one comes. A word of
    samples leaves each cycle; the first, in the cycle after its block is there.

    Parameters
    ----------
    lanes, block, samples : int
    in_bits, bits : int
        Of a signed code and a sample, which saturates.

    Members
    -------
    i : In(stream of ``vector_layout(lanes, in_bits)``)
    o : Out(stream of ``vector_layout(lanes, bits)``)
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, lanes: int, block: int, samples: int, in_bits: int, bits: int) -> None:
        self.lanes = lanes
        self.block = block
        self.samples = samples
        self.in_bits = in_bits
        self.bits = bits
        super().__init__({
            "i": In(stream.Signature(vector_layout(lanes, in_bits))),
            "o": Out(stream.Signature(vector_layout(lanes, bits))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, words_in = self.lanes, -(-self.block // self.lanes)
        words_out = -(-self.samples // lanes)
        layout = data.ArrayLayout(signed(self.in_bits), words_in * lanes)
        banks = [Signal(layout, name=f"bank_{bank}", reset_less=True) for bank in range(2)]
        full, ends = Signal(2), Signal(2)
        write_bank, read_bank = Signal(), Signal()
        word_in, word_out = Signal(range(words_in)), Signal(range(words_out))
        take, give, whole, done = Signal(), Signal(), Signal(), Signal()

        m.d.comb += [
            self.i.ready.eq(~full.bit_select(write_bank, 1)),
            take.eq(self.i.valid & self.i.ready),
            whole.eq(take & (word_in == words_in - 1)),
            self.o.valid.eq(full.bit_select(read_bank, 1)),
            give.eq(self.o.valid & self.o.ready),
            done.eq(give & (word_out == words_out - 1)),
            self.o.p["last"].eq(ends.bit_select(read_bank, 1) & (word_out == words_out - 1)),
        ]
        for bank, codes in enumerate(banks):
            for word in range(words_in):
                with m.If(take & (write_bank == bank) & (word_in == word)):
                    for lane in range(lanes):
                        m.d.sync += codes[word * lanes + lane].eq(self.i.p["values"][lane])
            with m.If(whole & (write_bank == bank)):
                m.d.sync += [full[bank].eq(1), ends[bank].eq(self.i.p["last"])]
            with m.If(done & (read_bank == bank)):
                m.d.sync += full[bank].eq(0)
        for lane in range(lanes):
            sources = [self._source(banks, read_bank, word * lanes + lane)
                       for word in range(words_out)]  # fmt: skip
            value = requantized(choose(word_out, sources), 0, self.bits)
            m.d.comb += self.o.p["values"][lane].eq(value)

        with m.If(take):
            m.d.sync += word_in.eq(next_in_ring(word_in, words_in))
        with m.If(give):
            m.d.sync += word_out.eq(next_in_ring(word_out, words_out))
        m.d.sync += [write_bank.eq(write_bank ^ whole), read_bank.eq(read_bank ^ done)]
        return m

    def _source(self, banks: list[data.View], bank: Value, sample: int) -> Value:
        """Return the code of a sample, from the bank that is read; 0 past the last sample."""
        if sample >= self.samples:
            return Const(0, signed(self.in_bits))
        place = sample * self.block // self.samples
        return Mux(bank, banks[1][place], banks[0][place])
