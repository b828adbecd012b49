"""Processing element: bit-serial dot product of a binary term with integer activations."""

from functools import reduce

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import width_of


def count_ones(bits: list[Value]) -> Value:
    """Count the ones among bits by a balanced tree of adders."""
    if len(bits) == 1:
        return bits[0]
    half = len(bits) // 2
    return count_ones(bits[:half]) + count_ones(bits[half:])


class PopcountPE(wiring.Component):
    """Sum the activations whose term bit is set, one activation bit a cycle, top bit first.

    Counts the lanes in which both the term and the activation bit are set, then doubles and adds.
    ``bits`` come one cycle, and ``valid``, ``first`` and ``last`` two cycles after the
    ``term_load`` that they belong to. The sum follows ``last`` by one cycle and stays until the
    next one; a new bit is taken every cycle.

    Members
    -------
    planes : In(``k`` planes of ``lanes`` bits)
        The weight word.
    mask : In(``k``)
        Planes of the term: its bit is the AND of them.
    term_load : In(1)
        Take a new term from ``planes`` and ``mask``.
    bits : In(``lanes``)
        One bit of each activation.
    valid, first, last : In(1)
        There is a bit; it begins the sum (and is the sign bit); it ends the sum.
    sum : Out(signed ``dot_bits``)
        It cannot overflow.
    """

    planes: data.View
    mask: Signal
    term_load: Signal
    bits: Signal
    valid: Signal
    first: Signal
    last: Signal
    sum: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "planes": In(data.ArrayLayout(config.lanes, config.k)),
            "mask": In(config.k),
            "term_load": In(1),
            "bits": In(config.lanes),
            "valid": In(1),
            "first": In(1),
            "last": In(1),
            "sum": Out(signed(config.dot_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        term = Signal(config.lanes, reset_less=True)
        chosen = Signal(config.lanes)
        count = Signal(width_of(config.lanes), reset_less=True)
        dot = Signal(signed(config.dot_bits), reset_less=True)
        dot_next = Signal(signed(config.dot_bits))
        dot_held = Signal(signed(config.dot_bits), reset_less=True)

        planes = [
            self.planes[plane] | ~self.mask[plane].replicate(config.lanes)
            for plane in range(config.k)
        ]
        sign_weighted = -count if config.act_signed else count
        m.d.comb += dot_next.eq(Mux(self.first, sign_weighted, (dot << 1) + count))
        m.d.comb += chosen.eq(term & self.bits)
        m.d.comb += self.sum.eq(dot_held)

        with m.If(self.term_load):
            m.d.sync += term.eq(reduce(lambda a, b: a & b, planes))
        m.d.sync += count.eq(count_ones(list(chosen)))
        with m.If(self.valid):
            m.d.sync += dot.eq(dot_next)
            with m.If(self.last):
                m.d.sync += dot_held.eq(dot_next)

        return m
