"""Coefficient table: the coefficients of groups from the entries of a table that they name."""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from hwgen.choose import choose
from hwgen.config import HardwareConfig
from hwgen.counting import next_in_ring
from hwgen.layouts import parameter_layout, width_of
from hwgen.pipe import Pipe


class CoefficientTable(wiring.Component):
    """Look up the coefficients of every row and group, for formats that share a table of them.

    The table comes first and stays until a reset. Then for each row tile and group come ``slots``
    words of indices, and ``terms * slots`` words of coefficients leave in the order in which the
    circuit takes them: term, slot. One of them leaves each cycle; the indices of the next group
    come meanwhile.

    Parameters
    ----------
    config : HardwareConfig
    entries : int
        Most entries of a table.

    Members
    -------
    i_table : In(stream of a signed ``coef_bits`` integer and ``last``)
        Entry by entry, the terms of each.
    terms : In
        Of the layer, from 1 to ``most_terms``; as long as the table stays.
    i : In(stream of an index for each scaler)
    o : Out(stream of ``parameter_layout(config)``)
    """

    i_table: stream.Interface
    terms: Signal
    i: stream.Interface
    o: stream.Interface

    def __init__(self, config: HardwareConfig, entries: int) -> None:
        self.config = config
        self.entries = entries
        number = data.StructLayout({"value": signed(config.coef_bits), "last": 1})
        self.index_bits = width_of(entries - 1)
        indices = data.ArrayLayout(self.index_bits, config.scalers)
        super().__init__({
            "i_table": In(stream.Signature(number)),
            "terms": In(width_of(config.most_terms)),
            "i": In(stream.Signature(indices)),
            "o": Out(stream.Signature(parameter_layout(config))),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, slots = self.config, self.config.slots

        loaded, at_entry, at_term = Signal(), Signal(self.index_bits), Signal(len(self.terms))
        fill, read_bank, write_bank = Signal(2), Signal(), Signal()
        slot_in, slot, term = Signal(range(slots)), Signal(range(slots)), Signal(len(self.terms))
        take, give, whole, done = Signal(), Signal(), Signal(), Signal()
        indices = [Signal(self.i.p.shape(), name=f"indices_{n}", reset_less=True)
                   for n in range(2 * slots)]  # fmt: skip

        m.submodules.found = found = Pipe(parameter_layout(config))
        put = self.i_table.valid & ~loaded
        m.d.comb += [
            self.i_table.ready.eq(~loaded),
            self.i.ready.eq(~fill.bit_select(write_bank, 1)),
            take.eq(self.i.valid & self.i.ready),
            whole.eq(take & (slot_in == slots - 1)),
            found.i.valid.eq(loaded & fill.bit_select(read_bank, 1)),
            give.eq(found.i.valid & found.i.ready),
            done.eq(give & (slot == slots - 1) & (term == self.terms - 1)),
        ]
        with m.If(put):
            m.d.sync += [at_term.eq(at_term + 1), loaded.eq(self.i_table.p["last"])]
            with m.If(at_term == self.terms - 1):
                m.d.sync += [at_term.eq(0), at_entry.eq(at_entry + 1)]
        with m.If(take):
            m.d.sync += slot_in.eq(next_in_ring(slot_in, slots))
            for number, held in enumerate(indices):
                with m.If((slot_in == number % slots) & (write_bank == number // slots)):
                    m.d.sync += held.eq(self.i.payload)
        with m.If(give):
            m.d.sync += slot.eq(next_in_ring(slot, slots))
            with m.If(slot == slots - 1):
                m.d.sync += term.eq(term + 1)
        with m.If(done):
            m.d.sync += term.eq(0)
        for bank in range(2):
            with m.If(whole & (write_bank == bank)):
                m.d.sync += fill[bank].eq(1)
            with m.If(done & (read_bank == bank)):
                m.d.sync += fill[bank].eq(0)
        m.d.sync += [write_bank.eq(write_bank ^ whole), read_bank.eq(read_bank ^ done)]

        banks = [choose(slot, [held.as_value() for held in bank])
                 for bank in (indices[:slots], indices[slots:])]  # fmt: skip
        chosen = Signal(self.i.p.shape())
        m.d.comb += chosen.eq(choose(read_bank, banks))
        for scaler in range(config.scalers):
            table = Memory(
                shape=signed(config.coef_bits), depth=1 << (self.index_bits + len(term)), init=[]
            )
            m.submodules[f"table_{scaler}"] = table
            write, read = table.write_port(), table.read_port(domain="comb")
            m.d.comb += [
                write.addr.eq(Cat(at_term, at_entry)),
                write.data.eq(self.i_table.p["value"]),
                write.en.eq(put),
                read.addr.eq(Cat(term, chosen[scaler])),
                found.i.p[scaler].eq(read.data),
            ]
        connect(m, found.o, flipped(self.o))
        return m
