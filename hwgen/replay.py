"""Replay: brings the totals of an ended row tile to the requantizers once for each view."""

from amaranth import Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import width_of


def result_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe which totals become results in a cycle, and how.

    ``again`` where they are those that were kept of the slot; ``last`` for the last results of the
    layer.
    """
    fields = {
        "slot": width_of(config.slots - 1),
        "again": 1,
        "last": 1,
        "requantize": 1,
        "shift": 6,
    }
    return data.StructLayout(fields | ({"link": 1} if config.link else {}))


class Replay(wiring.Component):
    """Pass a tile's slots on as they end, then again for each further view.

    A slot is passed on in the cycle in which it comes; those of further views follow the tile's
    last one in order: view, slot. No other tile may end meanwhile.

    Members
    -------
    i_valid, i : In
        A slot of a tile; ``last`` in its last slot if the tile is the last.
    views : In
        Views of the tile's results, but one.
    o_valid, o : Out
    """

    i_valid: Signal
    i: data.View
    views: Signal
    o_valid: Signal
    o: data.View

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "i_valid": In(1),
            "i": In(result_layout(config)),
            "views": In(config.view_bits),
            "o_valid": Out(1),
            "o": Out(result_layout(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        again = Signal()
        kept = Signal(result_layout(config), reset_less=True)
        left = Signal(config.view_bits, reset_less=True)
        ends: Value = kept.slot == config.slots - 1
        begins = self.i_valid & (self.i.slot == config.slots - 1) & (self.views != 0)

        m.d.comb += [self.o_valid.eq(self.i_valid | again), self.o.eq(self.i)]
        with m.If(again):
            m.d.comb += [self.o.eq(kept), self.o.last.eq(kept.last & ends & (left == 1))]
        with m.Elif(self.views != 0):
            m.d.comb += self.o.last.eq(0)

        with m.If(begins):
            m.d.sync += [again.eq(1), kept.eq(self.i), left.eq(self.views)]
            m.d.sync += [kept.slot.eq(0), kept.again.eq(Const(1))]
        with m.Elif(again):
            m.d.sync += kept.slot.eq(kept.slot + 1)
            with m.If(ends):
                m.d.sync += [kept.slot.eq(0), left.eq(left - 1), again.eq(left != 1)]

        return m
