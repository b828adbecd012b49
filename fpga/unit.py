"""Unit: rows of a circuit alone, to measure: their processing elements and an accumulator each."""

from amaranth import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwgen.config import HardwareConfig
from hwgen.emit import emit_parts
from hwgen.layouts import digit_layout, operand_layout, weight_layout
from hwgen.pe import ProcessingElement
from hwgen.placed import Placed
from hwgen.tables import operands

ACCUMULATOR_BITS = 32
"""Bits of a row's accumulator: what published units of this kind have."""


class Unit(wiring.Component):
    """Do what the array does for ``pe`` rows, and add up the sums of words.

    Members
    -------
    weights : In(``weight_layout(config)``), mask, term_load, valid, first, last : In
        As :class:`hwgen.pe.ProcessingElement` has them.
    digit : In(``digit_layout(config)``)
        One digit of each activation, a cycle before the elements get it, or lut's tables of it.
    add, clear : In(1)
        Add the elements' sums to the accumulators; set these to 0.
    totals : Out(``pe`` integers)
    """

    weights: data.View
    mask: Signal
    term_load: Signal
    digit: data.View
    valid: Signal
    first: Signal
    last: Signal
    add: Signal
    clear: Signal
    totals: data.View

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        controls = ("term_load", "valid", "first", "last", "add", "clear")
        super().__init__({
            "weights": In(weight_layout(config)),
            "mask": In(config.weights),
            "digit": In(digit_layout(config)),
            **{name: In(1) for name in controls},
            "totals": Out(data.ArrayLayout(signed(ACCUMULATOR_BITS), config.pe)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        operand = Signal(operand_layout(config), reset_less=True)
        m.d.sync += operand.eq(operands(m, self.digit, config))
        for number in range(config.pe):
            row = Placed(ProcessingElement.ports(config), "pe", f"pe_{number}")
            m.submodules[f"pe_{number}"] = row
            m.d.comb += [
                row.weights.eq(self.weights[number]),
                row.mask.eq(self.mask),
                row.term_load.eq(self.term_load),
                row.digit.eq(operand),
                row.valid.eq(self.valid),
                row.first.eq(self.first),
                row.last.eq(self.last),
            ]
            total = Signal(signed(ACCUMULATOR_BITS), name=f"total_{number}", reset_less=True)
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(self.add):
                m.d.sync += total.eq(total + row.sum)
            m.d.comb += self.totals[number].eq(total)
        return m


def unit_verilog(config: HardwareConfig) -> str:
    """Return the Verilog text of a unit; its top module is ``unit``."""
    parts: dict[str, wiring.Component] = {"pe": ProcessingElement(config), "unit": Unit(config)}
    return "\n".join(emit_parts(parts, config).values())
