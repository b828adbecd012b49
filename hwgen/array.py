"""Array: processing elements fed with the same activations, and the plain sum of those."""

from amaranth import Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.choose import choose
from hwgen.config import HardwareConfig
from hwgen.layouts import weight_layout
from hwgen.pe import PopcountPE
from hwgen.placed import Placed
from hwgen.sequencer import step_layout


class PEArray(wiring.Component):
    """Run steps on ``pe`` rows at once.

    The weight word and the activation planes come one cycle after the step that fetched them. The
    sums are there four cycles after the step that ends them, announced one cycle before, and
    stay for ``act_bits`` cycles. A step is taken every cycle.

    Members
    -------
    valid : In(1)
    step : In(``step_layout(config)``)
    weights : In(``weight_layout(config)``)
    planes : In(``act_bits`` planes of ``lanes`` bits)
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
    planes: Signal
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
        return Signature({
            "valid": In(1),
            "step": In(step_layout(config)),
            "weights": In(weight_layout(config)),
            "planes": In(config.act_bits * config.lanes),
            "ends": Out(1),
            "ended": Out(step_layout(config)),
            "sums": Out(data.ArrayLayout(signed(config.dot_bits), config.pe)),
            "x_sum": Out(signed(config.dot_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        fetched_valid = Signal()
        selected_valid = Signal()
        counted_valid = Signal()
        fetched = Signal(step_layout(config), reset_less=True)
        selected = Signal(step_layout(config), reset_less=True)
        counted = Signal(step_layout(config), reset_less=True)
        term_load = Signal()
        bits = Signal(config.lanes, reset_less=True)

        element = PopcountPE.ports(config)
        all_lanes = Placed(element, "pe", "pe_all_lanes")
        m.submodules.pe_all_lanes = all_lanes
        rows = [Placed(element, "pe", f"pe_{number}") for number in range(config.pe)]
        for number, row in enumerate(rows):
            m.submodules[f"pe_{number}"] = row
            m.d.comb += row.planes.eq(self.weights[number])
            m.d.comb += self.sums[number].eq(row.sum)
        m.d.comb += all_lanes.planes.as_value().eq(Const(-1, config.k * config.lanes))
        m.d.comb += self.x_sum.eq(all_lanes.sum)
        for element in (all_lanes, *rows):
            m.d.comb += [
                element.mask.eq(fetched.mask),
                element.term_load.eq(term_load),
                element.bits.eq(bits),
                element.valid.eq(counted_valid),
                element.first.eq(counted.first),
                element.last.eq(counted.last),
            ]

        m.d.comb += term_load.eq(fetched_valid & fetched.first)
        planes = [
            self.planes[start : start + config.lanes]
            for start in range(0, config.act_bits * config.lanes, config.lanes)
        ]
        m.d.comb += self.ends.eq(counted_valid & counted.last)
        m.d.comb += self.ended.eq(counted)
        m.d.sync += [
            fetched_valid.eq(self.valid),
            fetched.eq(self.step),
            selected_valid.eq(fetched_valid),
            selected.eq(fetched),
            counted_valid.eq(selected_valid),
            counted.eq(selected),
        ]
        with m.If(fetched_valid):
            m.d.sync += bits.eq(choose(fetched.bit, planes))

        return m
