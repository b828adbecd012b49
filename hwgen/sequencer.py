"""Sequencer: walks the loops of a layer's tiling, one step a cycle, and says what each step is."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import layer_layout, width_of


def step_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe a step: one activation digit of one term of one weight word.

    ``first`` and ``last`` are about the digits of a term, the top one first; ``last_term`` about
    the terms of a view, ``last_view`` about the views of a word; ``first_word`` and ``last_word``
    about the words of a group; ``first_group`` and ``last_group`` about the groups of a row tile;
    ``last_tile`` about the row tiles of the layer. ``mask`` has the planes of the term.
    ``exponent`` is that of the group's activations; it is there once these have been fetched. The
    rest comes from the layer.
    """
    fields = {
        "digit": width_of(config.digits - 1),
        "first": 1,
        "last": 1,
        "mask": config.weights,
        "term": width_of(config.most_terms - 1),
        "last_term": 1,
        "first_word": 1,
        "last_word": 1,
        "first_group": 1,
        "last_group": 1,
        "last_tile": 1,
        "offset": 1,
        "requantize": 1,
        "shift": 6,
    }
    if config.views > 1:
        fields |= {"view": config.view_bits, "last_view": 1}
    if config.exponents:
        fields["exponent"] = width_of(config.exponents)
    if config.link:
        fields["link"] = 1
    return data.StructLayout(fields)


def view_of(step: data.View, config: HardwareConfig) -> tuple[Value, Value]:
    """Return the number of a step's view, and whether it is the last."""
    if config.views == 1:
        return Const(0, 0), Const(1, 1)
    return step["view"], step["last_view"]


WAITS = data.StructLayout(
    dict.fromkeys(("weights", "activations", "coefficients", "offsets", "scales", "results"), 1)
)
"""What a step that cannot be issued waits for: words of each stream, or room for results."""


class Sequencer(wiring.Component):
    """Issue the steps of layer after layer, without a gap as long as everything is available.

    A step waits for what it needs: its weight and activation word; and, where it ends the sums of
    a term of a group, the coefficients and offsets, and where it ends those of a row tile, the
    row scales and room for the results, which it claims. A weight word serves all views; each has
    an activation word of its own. A requantized layer has as many views of its results: each of
    its views' last steps claims scales and room for one, and the next row tile does not end before
    all have left the scalers, ``slots`` cycles for each.

    Members
    -------
    i : In(stream of ``layer_layout(config)``)
        Layers to run; one is taken while there is none, or in the last step of the one before.
    valid : Out(1)
        There is a step in this cycle.
    step : Out(``step_layout(config)``)
    waits : Out(``WAITS``)
        What the step that is due still needs; ``valid`` is low as long as it needs anything.
    word_available : In(1), word_claim : Out(1)
        A weight word; it is claimed and read in the same cycle.
    address : Out, x_available : In(1), x_read : Out(1), x_done : Out(1)
        The activation buffer.
    *_available : In(1), *_claim : Out(1)
        Bundles of coefficients, offsets, row scales, and of room for results.
    """

    i: stream.Interface
    valid: Signal
    step: data.View
    waits: data.View
    word_available: Signal
    word_claim: Signal
    address: Signal
    x_available: Signal
    x_read: Signal
    x_done: Signal
    coefficients_available: Signal
    coefficients_claim: Signal
    offsets_available: Signal
    offsets_claim: Signal
    scales_available: Signal
    scales_claim: Signal
    room_available: Signal
    room_claim: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "i": In(stream.Signature(layer_layout(config))),
            "valid": Out(1),
            "step": Out(step_layout(config)),
            "waits": Out(WAITS),
            "word_available": In(1),
            "word_claim": Out(1),
            "address": Out(width_of(config.buffer_words - 1)),
            "x_available": In(1),
            "x_read": Out(1),
            "x_done": Out(1),
            "coefficients_available": In(1),
            "coefficients_claim": Out(1),
            "offsets_available": In(1),
            "offsets_claim": Out(1),
            "scales_available": In(1),
            "scales_claim": Out(1),
            "room_available": In(1),
            "room_claim": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        busy = Signal()
        layer = Signal(layer_layout(config), reset_less=True)
        digit = Signal(width_of(config.digits - 1))
        term = Signal(width_of(config.most_terms - 1))
        view = Signal(config.view_bits)
        word = Signal(width_of(config.buffer_words))
        group = Signal(width_of(config.buffer_words))
        row_tile = Signal(width_of(config.most_row_tiles))

        step = self.step
        group_words = Mux(step.last_group, layer.tail_words, layer.group_words)
        m.d.comb += [
            step.digit.eq(config.digits - 1 - digit),
            step.first.eq(digit == 0),
            step.last.eq(digit == config.digits - 1),
            step.mask.eq(layer.monomials[term]),
            step.term.eq(term),
            step.last_term.eq(term == layer.terms - 1),
            step.first_word.eq(word == 0),
            step.last_word.eq(word == group_words - 1),
            step.first_group.eq(group == 0),
            step.last_group.eq(group == layer.groups - 1),
            step.last_tile.eq(row_tile == layer.row_tiles - 1),
            step.offset.eq(layer.offset),
            step.requantize.eq(layer.requantize),
            step.shift.eq(layer.shift),
        ]
        if config.views > 1:
            m.d.comb += [step.view.eq(view), step.last_view.eq(view == layer.views - 1)]
        if config.link:
            m.d.comb += step.link.eq(layer.link)
        _, last_view = view_of(step, config)

        needs_x = Signal()
        needs_word = Signal()
        ends_sums = Signal()
        ends_group = Signal()
        ends_row = Signal()
        m.d.comb += [
            needs_x.eq(step.first & (term == 0)),
            needs_word.eq(needs_x & (view == 0)),
            ends_sums.eq(step.last & step.last_word),
            ends_group.eq(ends_sums & step.last_term),
            ends_row.eq(ends_group & step.last_group),
        ]

        needs: list[tuple[Value, Signal, Signal]] = [
            (needs_word, self.word_available, self.word_claim),
            (needs_x, self.x_available, self.x_read),
            (ends_sums, self.coefficients_available, self.coefficients_claim),
            (ends_group & layer.offset, self.offsets_available, self.offsets_claim),
            (ends_row & layer.requantize, self.scales_available, self.scales_claim),
            (ends_row & (last_view | layer.requantize), self.room_available, self.room_claim),
        ]
        missing = [need & ~available for need, available, _ in needs]
        if config.views > 1:
            leaving = Signal(range(config.views * config.slots))
            with m.If(leaving != 0):
                m.d.sync += leaving.eq(leaving - 1)
            with m.If(self.valid & ends_row & last_view & layer.requantize):
                m.d.sync += leaving.eq((view + 1) * config.slots - 1)
            missing[-1] = missing[-1] | (ends_row & last_view & (leaving != 0))
        m.d.comb += self.waits.as_value().eq(Cat(busy & lacks for lacks in missing))
        m.d.comb += self.valid.eq(busy & ~self.waits.as_value().any())
        m.d.comb += [claim.eq(self.valid & need) for need, _, claim in needs]

        m.d.comb += [
            self.x_done.eq(self.valid & ends_row & last_view & step.last_tile),
            self.i.ready.eq(~busy | self.x_done),
        ]
        with m.If(self.i.ready):
            m.d.sync += busy.eq(self.i.valid)
            m.d.sync += layer.eq(self.i.payload)

        loops = [  # innermost first: the counter, and whether it is at its end
            (digit, step.last),
            (term, step.last_term),
            (view, last_view),
            (word, step.last_word),
            (group, step.last_group),
            (row_tile, step.last_tile),
        ]
        turn: Value = self.valid
        for counter, at_end in loops:
            with m.If(turn):
                m.d.sync += counter.eq(Mux(at_end, 0, counter + 1))
            turn = turn & at_end

        with m.If(self.valid & step.last & step.last_term):
            m.d.sync += self.address.eq(Mux(ends_row & last_view, 0, self.address + 1))

        return m
