"""Gatherer: adds up the sums of a row's words to sums of groups, and holds those that are whole."""

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import width_of


class Gatherer(wiring.Component):
    """Add up words to groups, several of them in turn; a word a cycle.

    Members
    -------
    value : In(signed ``dot_bits``), valid : In(1)
        A word's sum.
    number : In
        Which group it belongs to: term and view.
    first : In(1)
        It begins the group.
    last : In(1)
        It ends it. Without a word: what was added up is forgotten, as it must be after a reset.
    group_sum : Out(signed ``sum_bits``)
        The latest that ended: from the cycle after that on.
    """

    value: Signal
    valid: Signal
    number: Signal
    first: Signal
    last: Signal
    group_sum: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "value": In(signed(config.dot_bits)),
            "valid": In(1),
            "number": In(width_of(config.most_terms - 1) + config.view_bits),
            "first": In(1),
            "last": In(1),
            "group_sum": Out(signed(config.sum_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        total = Signal(signed(config.sum_bits))
        held = Signal(signed(config.sum_bits), reset_less=True)

        if config.most_terms * config.views == 1:
            so_far = Signal(signed(config.sum_bits), reset_less=True)
            before: Value = so_far
            with m.If(self.valid):
                m.d.sync += so_far.eq(total)
            with m.If(self.last):  # A reset of the register: no logic.
                m.d.sync += so_far.eq(0)
        else:
            m.submodules.sums = sums = Memory(
                shape=signed(config.sum_bits), depth=1 << len(self.number), init=[]
            )
            read, write = sums.read_port(domain="comb"), sums.write_port()
            before = Mux(self.first, 0, read.data)
            m.d.comb += [
                read.addr.eq(self.number), write.addr.eq(self.number),
                write.data.eq(total), write.en.eq(self.valid),
            ]  # fmt: skip
        m.d.comb += [total.eq(before + self.value), self.group_sum.eq(held)]
        with m.If(self.last):
            m.d.sync += held.eq(total)

        return m
