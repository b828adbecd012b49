"""Processing element: dot product of a binary term with integer activations, digit by digit."""

from functools import reduce

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout


def add_up(values: list[Value]) -> Value:
    """Add values by a balanced tree of adders; of bits, this counts the ones."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    return add_up(values[:half]) + add_up(values[half:])


class ProcessingElement(wiring.Component):
    """Sum the activations whose term bit is set, one digit of each a cycle, top digit first.

    Adds the digits of the lanes whose term bit is set to the sum so far, shifted by a digit. With
    digits of one bit that is a popcount, taken away where the bit is the sign.

    ``digit`` comes one cycle, and ``valid``, ``first`` and ``last`` two cycles after the
    ``term_load`` that they belong to. The sum follows ``last`` by one cycle and stays until the
    next one; a new digit is taken every cycle.

    Members
    -------
    planes : In(``k`` planes of ``lanes`` bits)
        The weight word.
    mask : In(``k``)
        Planes of the term: its bit is the AND of them.
    term_load : In(1)
        Take a new term from ``planes`` and ``mask``.
    digit : In(``digit_layout(config)``)
        One digit of each activation.
    valid, first, last : In(1)
        There is a digit; it begins the sum (and holds the sign); it ends the sum.
    sum : Out(signed ``dot_bits``)
        It cannot overflow.
    """

    planes: data.View
    mask: Signal
    term_load: Signal
    digit: data.View
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
            "digit": In(digit_layout(config)),
            "valid": In(1),
            "first": In(1),
            "last": In(1),
            "sum": Out(signed(config.dot_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        layout = digit_layout(config)
        low, high = config.digit_range

        term = Signal(config.lanes, reset_less=True)
        chosen = Signal(layout.size)
        chosen_digits = data.View(layout, chosen)
        partial = Signal(range(config.lanes * low, config.lanes * high + 1), reset_less=True)
        dot = Signal(signed(config.dot_bits), reset_less=True)
        dot_next = Signal(signed(config.dot_bits))
        dot_held = Signal(signed(config.dot_bits), reset_less=True)

        planes = [
            self.planes[plane] | ~self.mask[plane].replicate(config.lanes)
            for plane in range(config.k)
        ]
        if config.digit == 1:
            top = -partial if config.act_signed else partial
            m.d.comb += chosen.eq(term & self.digit.as_value())
        else:
            top = partial
            for lane in range(config.lanes):
                # Simulates nearly twice as fast as one AND with each term bit repeated.
                m.d.comb += chosen_digits[lane].eq(Mux(term[lane], self.digit[lane], 0))
        if config.digits == 1:
            m.d.comb += dot_next.eq(top)
        else:
            m.d.comb += dot_next.eq(Mux(self.first, top, (dot << config.digit) + partial))
        m.d.comb += self.sum.eq(dot_held)

        with m.If(self.term_load):
            m.d.sync += term.eq(reduce(lambda a, b: a & b, planes))
        m.d.sync += partial.eq(add_up(list(chosen_digits)))
        with m.If(self.valid):
            m.d.sync += dot.eq(dot_next)
            with m.If(self.last):
                m.d.sync += dot_held.eq(dot_next)

        return m
