"""Sigma-Delta decoder by a matrix: samples of a block as exact products with its codes."""

from itertools import accumulate, cycle

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwgen.config import signed_width
from hwgen.counting import next_in_ring
from hwgen.rounding import requantized
from hwgen.tree import Node, add_up, join_plain
from hwgen.vectors import vector_layout

MATRIX_BITS = 16
"""Bits of a signed entry of the matrix."""


class Matrix(wiring.Component):
    """Make ``samples`` of each ``block`` of codes by a matrix of integers, then requantize.

    This is every filter and transform of blocks: the resampling of Sigma-Delta streams with its
    rotation, at any ratio. The matrix comes first, and stays until a reset. ``lanes`` products a
    cycle: ``samples * ceil(block / lanes)`` cycles for a block, while the next one comes; the
    first word of samples leaves :attr:`latency` cycles after its block is there. Blocks and their
    samples take whole words, with zeros in the lanes that are left.

    Parameters
    ----------
    lanes, block, samples : int
    in_bits : int
        Of a signed code.
    shift, bits : int
        Of the requantization, as :class:`models.codes.Transform` has them.

    Members
    -------
    i_matrix : In(stream of ``lanes`` signed integers of 16 bits)
        Row by row, each in whole words.
    i : In(stream of ``vector_layout(lanes, in_bits)``)
    o : Out(stream of ``vector_layout(lanes, bits)``)
    """

    i_matrix: stream.Interface
    i: stream.Interface
    o: stream.Interface

    def __init__(
        self, lanes: int, block: int, samples: int, in_bits: int, shift: int, bits: int
    ) -> None:
        self.lanes = lanes
        self.block = block
        self.samples = samples
        self.in_bits = in_bits
        self.shift = shift
        self.bits = bits
        super().__init__({
            "i_matrix": In(stream.Signature(data.ArrayLayout(signed(MATRIX_BITS), lanes))),
            "i": In(stream.Signature(vector_layout(lanes, in_bits))),
            "o": Out(stream.Signature(vector_layout(lanes, bits))),
        })

    @property
    def words(self) -> int:
        """Words of a block, and of a row of the matrix."""
        return -(-self.block // self.lanes)

    @property
    def depth(self) -> int:
        """Cycles from a step to the sum of its products."""
        return 2 + max(0, (self.lanes - 1).bit_length() - 1)

    @property
    def latency(self) -> int:
        """Cycles from the last word of a block to its first samples, if nothing is before them."""
        return min(self.lanes, self.samples) * self.words + self.depth + 3

    @property
    def waiting(self) -> int:
        """Words of samples that are made or wait to be taken: so many that no cycle is lost.

        Room is free again ``depth + 3`` cycles after a word's last step; the words that follow
        must have as many steps, also where the one that ends a block has few.
        """
        full, words = self.lanes * self.words, -(-self.samples // self.lanes)
        last = self.samples * self.words - (words - 1) * full
        steps = accumulate(cycle([last, *[full] * (words - 1)]))
        return 2 + next(n for n, total in enumerate(steps) if total >= self.depth + 3)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, bits = self.lanes, self.in_bits
        words = self.words
        entries = self.samples * words
        product_bits = MATRIX_BITS + bits
        most = self.block << (MATRIX_BITS - 1 + bits - 1)
        total_bits = signed_width(-most, most)

        # Two banks of codes: one is read while the other fills. The matrix fills once.
        full, ends = Signal(2), Signal(2)
        write_bank, read_bank, take, whole, done = (Signal() for _ in range(5))
        word_in, loaded = Signal(range(words)), Signal(range(entries + 1))
        codes = data.ArrayLayout(signed(bits), lanes)
        m.submodules.codes = held = Memory(shape=codes, depth=2 << len(word_in), init=[])
        m.submodules.rows = matrix = Memory(shape=self.i_matrix.p.shape(), depth=entries, init=[])
        write, read = held.write_port(), held.read_port()
        write_row, read_row = matrix.write_port(), matrix.read_port()
        m.d.comb += [
            self.i_matrix.ready.eq(loaded != entries),
            write_row.addr.eq(loaded),
            write_row.data.eq(self.i_matrix.p),
            write_row.en.eq(self.i_matrix.valid & self.i_matrix.ready),
            self.i.ready.eq(~full.bit_select(write_bank, 1)),
            take.eq(self.i.valid & self.i.ready),
            whole.eq(take & (word_in == words - 1)),
            write.addr.eq(Cat(word_in, write_bank)),
            write.data.eq(self.i.p["values"]),
            write.en.eq(take),
        ]
        with m.If(write_row.en):
            m.d.sync += loaded.eq(loaded + 1)
        with m.If(take):
            m.d.sync += word_in.eq(next_in_ring(word_in, words))
        for bank in range(2):
            with m.If(whole & (write_bank == bank)):
                m.d.sync += [full[bank].eq(1), ends[bank].eq(self.i.p["last"])]
            with m.If(done & (read_bank == bank)):
                m.d.sync += full[bank].eq(0)
        m.d.sync += [write_bank.eq(write_bank ^ whole), read_bank.eq(read_bank ^ done)]

        # Steps: the words of a row, the rows of a word of samples. Room for that is claimed first.
        row, word, lane = Signal(range(entries)), Signal(range(words)), Signal(range(lanes))
        room = Signal(range(self.waiting + 1), init=self.waiting)
        begins, goes, last_word, last_row, fills = (Signal() for _ in range(5))
        m.d.comb += [
            last_word.eq(word == words - 1),
            last_row.eq(row == entries - 1),
            fills.eq((lane == lanes - 1) | last_row),
            begins.eq((word == 0) & (lane == 0)),
            goes.eq(full.bit_select(read_bank, 1) & (loaded == entries) & (~begins | (room != 0))),
            done.eq(goes & last_row),
            read.addr.eq(Cat(word, read_bank)),
            read_row.addr.eq(row),
        ]
        with m.If(goes):
            m.d.sync += word.eq(next_in_ring(word, words))
            m.d.sync += row.eq(next_in_ring(row, entries))
            with m.If(last_word):
                m.d.sync += lane.eq(Mux(fills, 0, lane + 1))

        # Products, their sum, the sum over the words of a row, and its sample.
        products = []
        for number in range(lanes):
            product = Signal(signed(product_bits), name=f"product_{number}", reset_less=True)
            m.d.sync += product.eq(read.data[number] * read_row.data[number])
            end = 1 << (product_bits - 2)
            products.append(Node(product, -end, end))
        partial = add_up(m, products, 1, join_plain)
        step = Cat(goes, word == 0, goes & last_word, goes & last_word & fills,
                   goes & last_row & ends.bit_select(read_bank, 1), lane)  # fmt: skip
        then = Signal(len(step))
        m.d.comb += then.eq(self._later(m, step, self.depth))
        total = Signal(signed(total_bits), reset_less=True)
        next_total = Signal(signed(total_bits))
        m.d.comb += next_total.eq(Mux(then[1], 0, total) + partial.value)
        with m.If(then[0]):
            m.d.sync += total.eq(next_total)

        samples = Signal(data.ArrayLayout(signed(self.bits), lanes), reset_less=True)
        ended, ended_last = Signal(), Signal()
        value = requantized(next_total, self.shift, self.bits)
        with m.If(then[2]):
            for number in range(lanes):
                with m.If(then[5:] == number):
                    m.d.sync += samples[number].eq(value)
                with m.Elif(then[5:] == 0):
                    m.d.sync += samples[number].eq(0)
        m.d.sync += [ended.eq(then[3]), ended_last.eq(then[4])]
        layout = self.o.p.shape()
        m.submodules.waiting = waiting = SyncFIFOBuffered(  # takes all but one at once
            width=layout.size, depth=self.waiting + 1
        )
        given = self.o.valid & self.o.ready
        m.d.comb += [
            waiting.w_data.eq(Cat(samples.as_value(), ended_last)),
            waiting.w_en.eq(ended),
            self.o.payload.eq(waiting.r_data),
            self.o.valid.eq(waiting.r_rdy),
            waiting.r_en.eq(self.o.ready),
        ]
        m.d.sync += room.eq(room + given - (goes & begins))
        return m

    @staticmethod
    def _later(m: Module, step: Cat, depth: int) -> Signal:
        """Return what a step is, once its products are summed; without a step, nothing ends."""
        for number in range(depth):
            held = Signal(len(step), name=f"step_{number}")
            m.d.sync += held.eq(step)
            step = held
        return step
