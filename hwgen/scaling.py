"""Scaling: brings every sum of the array to a scaler, with its coefficient, in as many slots."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from hwgen.choose import choose
from hwgen.config import HardwareConfig
from hwgen.gatherer import Gatherer
from hwgen.layouts import output_layout, parameter_layout, width_of
from hwgen.placed import Placed
from hwgen.replay import Replay, result_layout
from hwgen.requantize import Requantizer
from hwgen.scaler import Scaler
from hwgen.sequencer import step_layout, view_of
from hwgen.tree import delay


def slot_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe one slot of an ended step: a sum of each scaler."""
    slot = width_of(config.slots - 1)
    return data.StructLayout({"step": step_layout(config), "slot": slot})


class Scaling(wiring.Component):
    """Turn the sums of ended steps into results.

    ``scalers`` rows are scaled in each of ``slots`` cycles: slot ``s`` of scaler ``m`` is row
    ``s * scalers + m`` of the tile. With no more slots than digits, this keeps up with the array
    whatever the group, and scalers add up words to groups. With more, each row gathers its groups,
    and no step may end one within ``slots`` cycles of another. The results of slot ``s`` leave
    ``8 + requantize_cycles + s`` cycles after ``ends``, one later with ``exponents``, one later
    where rows gather; those of further views follow, view by view.

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
        held_valid, held = stage("held")
        factor_valid, factor = stage("factor")
        product_valid, product = stage("product")
        summed_valid, summed = stage("summed")
        grown_valid, grown = stage("grown") if config.exponents else (summed_valid, summed)
        total_valid, total = stage("total")
        last_slot = Signal()
        ends_row = Signal()
        ends, ended, sums = self.ends, self.ended, [self.sums[row] for row in range(config.pe)]
        x_group_sums: list[Value] = []
        if config.gathers:
            ends, ended, sums, x_group_sums = self._gathered(m)

        # A step that ends is drained slot by slot, beginning in the next cycle.
        m.d.comb += last_slot.eq(drain.slot == config.slots - 1)
        with m.If(ends):
            m.d.sync += [drain_valid.eq(1), drain.slot.eq(0), drain.step.eq(ended)]
        with m.Elif(drain_valid):
            m.d.sync += [drain_valid.eq(~last_slot), drain.slot.eq(drain.slot + 1)]

        m.d.sync += [
            value_valid.eq(drain_valid), value.eq(drain),
            held_valid.eq(value_valid & value.step.last_word), held.eq(value),
            factor_valid.eq(held_valid), factor.eq(held),
            product_valid.eq(factor_valid), product.eq(factor),
            summed_valid.eq(product_valid), summed.eq(product),
            total_valid.eq(grown_valid), total.eq(grown),
        ]  # fmt: skip
        if config.exponents:
            m.d.sync += [grown_valid.eq(summed_valid), grown.eq(summed)]

        drain_view, _ = view_of(drain.step, config)
        grown_view, _ = view_of(grown.step, config)
        total_view, last_view = view_of(total.step, config)
        if config.gathers:
            x_group_sum = delay(m, "x_sum_held", choose(drain_view, x_group_sums), 3)
        else:
            x_group_sum = self._x_group_sum(m, drain_valid, drain, value)
        m.d.comb += [
            ends_row.eq(total_valid & total.step.last_group & total.step.last_term & last_view),
            self.coefficients_read.eq(drain_valid & drain.step.last_word),
            self.offsets_read.eq(self.coefficients_read & drain.step.last_term & drain.step.offset),
        ]
        done_valid, done = self._results(m, ends_row, total, total_view)
        left = delay(m, "leaving", done, config.requantize_cycles)
        valid: Value = done_valid
        for cycle in range(config.requantize_cycles):
            held = Signal(name=f"leaving_valid_{cycle}")
            m.d.sync += held.eq(valid)
            valid = held
        m.d.comb += [self.valid.eq(valid), self.results["last"].eq(left.last)]
        if config.link:
            m.d.comb += self.results["link"].eq(left.link)

        for number in range(config.scalers):
            rows = range(number, config.pe, config.scalers)
            row_value = delay(m, f"value_{number}", choose(drain.slot, [sums[row] for row in rows]))

            scaler = Placed(Scaler.ports(config), "scaler", f"scaler_{number}")
            requantizer = Placed(Requantizer.ports(config), "requantizer", f"requantizer_{number}")
            m.submodules[f"scaler_{number}"] = scaler
            m.submodules[f"requantizer_{number}"] = requantizer
            m.d.comb += [
                scaler.value.eq(row_value),
                scaler.coefficient.eq(self.coefficients[number]),
                scaler.offset.eq(self.offsets[number]),
                scaler.use_offset.eq(value.step.last_term & value.step.offset),
                scaler.x_sum.eq(x_group_sum),
                scaler.total_slot.eq(grown.slot),
                scaler.total_first.eq(
                    grown.step.first_group & (grown.step.term == 0) & (grown_view == 0)
                ),
                scaler.total_valid.eq(grown_valid),
                requantizer.total.eq(self._kept(m, number, scaler.total, done_valid, done)),
                requantizer.scale.eq(self.scales[number]),
                requantizer.shift.eq(done.shift),
                requantizer.enable.eq(done.requantize),
                self.results["values"][number].eq(requantizer.result),
            ]
            if not config.gathers:
                m.d.comb += [
                    scaler.sum_slot.eq(drain.slot),
                    scaler.sum_term.eq(Cat(drain.step.term, drain_view)),
                    scaler.sum_first.eq(drain.step.first_word),
                    scaler.sum_valid.eq(drain_valid),
                ]
            if config.exponents:
                m.d.comb += scaler.exponent.eq(grown.step.exponent)

        return m

    def _gathered(self, m: Module) -> tuple[Value, data.View, list[Value], list[Value]]:
        """Add up words to groups, a row at a time, and sums of activations a view at a time.

        Return whether a group ended, the step that ended it, and what follows in the next cycle:
        the rows' group sums, and each view's sum of activations.
        """
        config = self.config
        summed_valid, ends_group = Signal(), Signal()
        forgets = Signal(init=1)  # after a group, and after a reset
        summed = Signal(step_layout(config), reset_less=True)
        ends = self.ends & self.ended.last_word
        m.d.sync += [
            summed_valid.eq(self.ends), summed.eq(self.ended),
            ends_group.eq(ends), forgets.eq(ends),
        ]  # fmt: skip
        view, _ = view_of(summed, config)
        found: list[Value] = []
        several = config.most_terms * config.views > 1
        places = [(f"row_{row}", self.sums[row], Const(1)) for row in range(config.pe)]
        places += [(f"x_{number}", self.x_sum,
                    summed.last_term & (view == number) if several else Const(1))
                   for number in range(config.views)]  # fmt: skip
        for name, value, chosen in places:
            gatherer = Placed(Gatherer.ports(config), "gatherer", f"gatherer_{name}")
            m.submodules[f"gatherer_{name}"] = gatherer
            m.d.comb += [
                gatherer.value.eq(value),
                gatherer.valid.eq(summed_valid & chosen),
                gatherer.number.eq(Cat(summed.term, view)),
                gatherer.first.eq(summed.first_word),
                gatherer.last.eq(forgets & chosen),
            ]
            found.append(gatherer.group_sum)
        return ends_group, summed, found[: config.pe], found[config.pe :]

    def _x_group_sum(
        self, m: Module, drain_valid: Signal, drain: data.View, value: data.View
    ) -> Value:
        """Add up the group's sum of activations, for all rows: an adder a view serves them.

        Two cycles before it is due: registers lie between the adder and all multipliers.
        """
        config = self.config
        view, _ = view_of(drain.step, config)
        found = []
        for number in range(config.views):
            x_group_sum = Signal(
                signed(config.sum_bits), name=f"x_group_sum_{number}", reset_less=True
            )
            ends_view = drain_valid & (drain.slot == 0) & drain.step.last_term & (view == number)
            with m.If(ends_view):
                before = Mux(drain.step.first_word, 0, x_group_sum)
                m.d.sync += x_group_sum.eq(before + self.x_sum)
            found.append(x_group_sum)
        value_view, _ = view_of(value.step, config)
        return delay(m, "x_sum_held", choose(value_view, found), 2)

    def _results(
        self, m: Module, ends_row: Signal, total: data.View, view: Value
    ) -> tuple[Signal, data.View]:
        """Return which totals are there to become results; read the scales that they meet."""
        config = self.config
        ended = Signal(result_layout(config))
        done_valid = Signal()
        done = Signal(result_layout(config), reset_less=True)
        m.d.comb += [
            ended.slot.eq(total.slot),
            ended.last.eq(total.step.last_tile & (total.slot == config.slots - 1)),
            ended.requantize.eq(total.step.requantize),
            ended.shift.eq(total.step.shift),
        ]
        if config.link:
            m.d.comb += ended.link.eq(total.step.link)
        valid: Value = ends_row
        which = ended
        if config.views > 1:
            m.submodules.replay = replay = Replay(config)
            m.d.comb += [
                replay.i_valid.eq(ends_row),
                replay.i.eq(ended),
                replay.views.eq(Mux(total.step.requantize, view, 0)),
            ]
            valid, which = replay.o_valid, replay.o
        m.d.comb += self.scales_read.eq(valid & which.requantize)
        m.d.sync += [done_valid.eq(valid), done.eq(which)]
        return done_valid, done

    def _kept(
        self, m: Module, number: int, total: Value, done_valid: Signal, done: data.View
    ) -> Value:
        """Return the total of a slot, from where it is kept if it is needed again."""
        config = self.config
        if config.views == 1:
            return total
        kept = Memory(shape=signed(config.acc_bits), depth=1 << len(done.slot), init=[])
        m.submodules[f"kept_{number}"] = kept
        read, write = kept.read_port(domain="comb"), kept.write_port()
        m.d.comb += [
            read.addr.eq(done.slot),
            write.addr.eq(done.slot),
            write.data.eq(total),
            write.en.eq(done_valid & ~done.again),
        ]
        return Mux(done.again, read.data, total)
