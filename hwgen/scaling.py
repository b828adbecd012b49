"""Scaling: brings every sum of the array to a scaler, with its coefficient, in as many slots."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.choose import choose
from hwgen.config import HardwareConfig
from hwgen.layouts import output_layout, parameter_layout, width_of
from hwgen.placed import Placed
from hwgen.requantize import Requantizer
from hwgen.scaler import Scaler
from hwgen.sequencer import step_layout


def slot_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe one slot of an ended step: a sum of each scaler."""
    slot = width_of(config.slots - 1)
    return data.StructLayout({"step": step_layout(config), "slot": slot})


class Scaling(wiring.Component):
    """Turn the sums of ended steps into results.

    ``scalers`` rows are scaled in each of ``slots`` cycles: slot ``s`` of scaler ``m`` is row
    ``s * scalers + m`` of the tile. There are never more slots than digits, so this
    keeps up with the array whatever the group. The results of slot ``s`` leave ``7 + s`` cycles
    after ``ends``.

    Members
    -------
    ends, ended, sums, x_sum : In
        As :class:`hwgen.array.PEArray` gives them.
    coefficients, offsets, scales : In(``parameter_layout(config)``)
        One cycle after their ``*_read``.
    coefficients_read, offsets_read, scales_read : Out(1)
    valid : Out(1)
    results : Out(``output_layout(config)``)
        Valid for one cycle; nothing can stop them.
    """

    ends: Signal
    ended: data.View
    sums: data.View
    x_sum: Signal
    coefficients: data.View
    offsets: data.View
    scales: data.View
    coefficients_read: Signal
    offsets_read: Signal
    scales_read: Signal
    valid: Signal
    results: data.View

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "ends": In(1),
            "ended": In(step_layout(config)),
            "sums": In(data.ArrayLayout(signed(config.dot_bits), config.pe)),
            "x_sum": In(signed(config.dot_bits)),
            "coefficients": In(parameter_layout(config)),
            "offsets": In(parameter_layout(config)),
            "scales": In(parameter_layout(config)),
            "coefficients_read": Out(1),
            "offsets_read": Out(1),
            "scales_read": Out(1),
            "valid": Out(1),
            "results": Out(output_layout(config)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        def stage(name: str) -> tuple[Signal, data.View]:
            return Signal(name=f"{name}_valid"), Signal(
                slot_layout(config), name=name, reset_less=True
            )

        drain_valid, drain = stage("drain")
        value_valid, value = stage("value")
        factor_valid, factor = stage("factor")
        total_valid, total = stage("total")
        done_valid, done = stage("done")
        round_valid, rounding = stage("rounding")
        last_slot = Signal()
        x_value = Signal(signed(config.dot_bits), reset_less=True)
        x_group_sum = Signal(signed(config.sum_bits), reset_less=True)

        # A step that ends is drained slot by slot, beginning in the next cycle.
        m.d.comb += last_slot.eq(drain.slot == config.slots - 1)
        with m.If(self.ends):
            m.d.sync += [drain_valid.eq(1), drain.slot.eq(0), drain.step.eq(self.ended)]
        with m.Elif(drain_valid):
            m.d.sync += [drain_valid.eq(~last_slot), drain.slot.eq(drain.slot + 1)]

        m.d.sync += [
            value_valid.eq(drain_valid), value.eq(drain),
            factor_valid.eq(value_valid & value.step.last_word), factor.eq(value),
            total_valid.eq(factor_valid), total.eq(factor),
            done_valid.eq(total_valid & total.step.last_group & total.step.last_term),
            done.eq(total),
            round_valid.eq(done_valid), rounding.eq(done),
            self.valid.eq(round_valid),
        ]  # fmt: skip

        # The group's sum of activations is the same for all rows: one adder serves them.
        m.d.sync += x_value.eq(self.x_sum)
        with m.If(value_valid & (value.slot == 0) & value.step.last_term):
            m.d.sync += x_group_sum.eq(Mux(value.step.first_word, 0, x_group_sum) + x_value)

        m.d.comb += [
            self.coefficients_read.eq(value_valid & value.step.last_word),
            self.offsets_read.eq(self.coefficients_read & value.step.last_term & value.step.offset),
            self.scales_read.eq(
                total_valid & total.step.last_group & total.step.last_term & total.step.requantize
            ),
        ]

        for number in range(config.scalers):
            row_value = Signal(signed(config.dot_bits), name=f"value_{number}", reset_less=True)
            rows = range(number, config.pe, config.scalers)
            m.d.sync += row_value.eq(choose(drain.slot, [self.sums[row] for row in rows]))

            scaler = Placed(Scaler.ports(config), "scaler", f"scaler_{number}")
            requantizer = Placed(Requantizer.ports(config), "requantizer", f"requantizer_{number}")
            m.submodules[f"scaler_{number}"] = scaler
            m.submodules[f"requantizer_{number}"] = requantizer
            m.d.comb += [
                scaler.value.eq(row_value),
                scaler.sum_slot.eq(value.slot),
                scaler.sum_term.eq(value.step.term),
                scaler.sum_first.eq(value.step.first_word),
                scaler.sum_valid.eq(value_valid),
                scaler.coefficient.eq(self.coefficients[number]),
                scaler.offset.eq(self.offsets[number]),
                scaler.use_offset.eq(factor.step.last_term & factor.step.offset),
                scaler.x_sum.eq(x_group_sum),
                scaler.total_slot.eq(total.slot),
                scaler.total_first.eq(total.step.first_group & (total.step.term == 0)),
                scaler.total_valid.eq(total_valid),
                requantizer.total.eq(scaler.total),
                requantizer.scale.eq(self.scales[number]),
                requantizer.shift.eq(rounding.step.shift),
                requantizer.enable.eq(rounding.step.requantize),
                self.results["values"][number].eq(requantizer.result),
            ]
        last = rounding.step.last_tile & (rounding.slot == config.slots - 1)
        m.d.sync += self.results["last"].eq(last)

        return m
