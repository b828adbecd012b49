"""Array: processing elements fed with the same activations, and the plain sum of those."""

import numpy as np
from amaranth import Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.choose import choose
from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout, operand_layout, weight_layout, width_of
from hwgen.pe import ProcessingElement
from hwgen.placed import Placed
from hwgen.sequencer import step_layout
from hwgen.tables import operands
from hwgen.weights import encode


class PEArray(wiring.Component):
    """Run steps on ``pe`` rows at once.

    The digits of the activations come one cycle after the step that fetched them, the weight word
    two. The sums are there ``6 + depth`` cycles after the step that ends them, announced one cycle
    before, and stay for ``digits`` cycles. A step is taken every cycle.

    Members
    -------
    valid : In(1)
    step : In(``step_layout(config)``)
    weights : In(``weight_layout(config)``)
    digits : In(``digits`` times ``digit_layout(config)``)
    exponent : In
        With ``exponents``: it comes with the digits, and goes with their step from there on.
    ends : Out(1)
        The sums of the step ``ended`` follow in the next cycle.
    ended : Out(``step_layout(config)``)
    sums : Out(``pe`` integers)
        Sum of the activations that each row's term selects in this word.
    x_sum : Out
        Sum of all activations in this word.
    """

    valid: Signal
    step: data.View
    weights: data.View
    digits: data.View
    exponent: Signal
    ends: Signal
    ended: data.View
    sums: data.View
    x_sum: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        ports = {
            "valid": In(1),
            "step": In(step_layout(config)),
            "weights": In(weight_layout(config)),
            "digits": In(data.ArrayLayout(digit_layout(config), config.digits)),
            "ends": Out(1),
            "ended": Out(step_layout(config)),
            "sums": Out(data.ArrayLayout(signed(config.dot_bits), config.pe)),
            "x_sum": Out(signed(config.dot_bits)),
        }
        if config.exponents:
            ports["exponent"] = In(width_of(config.exponents))
        return Signature(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        issued_valid = Signal()
        issued = Signal(step_layout(config), reset_less=True)
        read_valid = Signal()
        read = Signal(step_layout(config), reset_less=True)
        fetched_weights = Signal(weight_layout(config), reset_less=True)
        fetched_valid = Signal()
        fetched = Signal(step_layout(config), reset_less=True)
        term_load = Signal()
        held = Signal(self.digits.shape(), reset_less=True)
        chosen = Signal(digit_layout(config), reset_less=True)
        digit = Signal(operand_layout(config), reset_less=True)

        element = ProcessingElement.ports(config)
        all_lanes = Placed(element, "pe", "pe_all_lanes")
        m.submodules.pe_all_lanes = all_lanes
        rows = [Placed(element, "pe", f"pe_{number}") for number in range(config.pe)]
        for number, row in enumerate(rows):
            m.submodules[f"pe_{number}"] = row
            m.d.comb += row.weights.eq(fetched_weights[number])
            m.d.comb += self.sums[number].eq(row.sum)
        m.d.comb += all_lanes.weights.as_value().eq(all_ones(config))
        m.d.comb += self.x_sum.eq(all_lanes.sum)

        # The controls of a step wait while its products are on their way through the elements.
        added_valid, added = fetched_valid, fetched
        waits = [f"waits_{cycle}" for cycle in range(config.depth)]
        for name in ["selected", *waits, "added"]:
            valid_before, before = added_valid, added
            added_valid = Signal(name=f"{name}_valid")
            added = Signal(step_layout(config), name=name, reset_less=True)
            m.d.sync += [added_valid.eq(valid_before), added.eq(before)]
        for element in (all_lanes, *rows):
            m.d.comb += [
                element.mask.eq(fetched.mask),
                element.term_load.eq(term_load),
                element.digit.eq(digit),
                element.valid.eq(added_valid),
                element.first.eq(added.first),
                element.last.eq(added.last),
            ]

        m.d.comb += term_load.eq(fetched_valid & fetched.first)
        m.d.comb += self.ends.eq(added_valid & added.last)
        m.d.comb += self.ended.eq(added)
        m.d.sync += [
            issued_valid.eq(self.valid),
            issued.eq(self.step),
            read_valid.eq(issued_valid),
            read.eq(issued),
            fetched_weights.eq(self.weights),
            fetched_valid.eq(read_valid),
            fetched.eq(read),
        ]
        if config.exponents:
            m.d.sync += read.exponent.eq(self.exponent)
        with m.If(issued_valid):
            m.d.sync += held.eq(self.digits)
        digits = [held[number].as_value() for number in range(config.digits)]
        with m.If(read_valid):
            m.d.sync += chosen.eq(choose(read.digit, digits))
        with m.If(fetched_valid):
            m.d.sync += digit.eq(operands(m, chosen, config))

        return m


def all_ones(config: HardwareConfig) -> Const:
    """Return a row of ones, whatever the pass."""
    bits = np.tile(encode(np.ones(config.lanes, np.int8), config), config.weights)
    return Const(int("".join(map(str, bits[::-1])), 2), len(bits))
