"""Sequencer: walks the loops of a layer's tiling, one step a cycle, and says what each step is."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import layer_layout, width_of
from hwgen.loops import Limit, Loop


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

    A step waits for what it needs: its weight word; the first time that it is read, its activation
    word; and, where it ends the sums of a term of a group, the coefficients and offsets, and where
    it ends those of a row tile, the row scales and room for the results, which it claims. A weight
    word serves all views; each has an activation word of its own. A requantized layer has as many
    views of its results: each of its views' last steps claims scales and room for one, and the next
    row tile does not end before all have left the scalers, ``slots`` cycles for each. Where there
    are more slots than digits, no sums end before those before them have left.

    The loops are walked one step ahead: what a step is and needs is in registers when it is due.

    Members
    -------
    i : In(stream of ``layer_layout(config)``)
        Layers to run. The first step of one can be issued three cycles later.
    valid : Out(1)
        There is a step in this cycle.
    step : Out(``step_layout(config)``)
    waits : Out(``WAITS``)
        What the step that is due still needs; ``valid`` is low as long as it needs anything.
        Scalers that are still at work count as room for results.
    word_available : In(1), word_claim : Out(1)
        A weight word.
    address : Out, x_available : In(1), x_claim : Out(1), x_read : Out(1), x_done : Out(1)
        The activation buffer. Words are claimed in the first row tile.
    *_available : In(1), *_claim : Out(1)
        Bundles of coefficients, offsets, row scales, and of room for results.
    begins : Out(1), views, link_words : Out
        With ``link``: this is the first step of a layer whose results stay inside, and what the
        layer says of them.
    """

    i: stream.Interface
    valid: Signal
    step: data.View
    waits: data.View
    word_available: Signal
    word_claim: Signal
    address: Signal
    x_available: Signal
    x_claim: Signal
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
    begins: Signal
    views: Signal
    link_words: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        ports = {
            "i": In(stream.Signature(layer_layout(config))),
            "valid": Out(1),
            "step": Out(step_layout(config)),
            "waits": Out(WAITS),
            "word_available": In(1),
            "word_claim": Out(1),
            "address": Out(width_of(config.buffer_words - 1)),
            "x_available": In(1),
            "x_claim": Out(1),
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
        }
        if config.link:
            ports |= {
                "begins": Out(1),
                "views": Out(width_of(config.views)),
                "link_words": Out(width_of(config.buffer_words)),
            }
        return Signature(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        waiting = Signal()
        next_layer = Signal(layer_layout(config), reset_less=True)
        take = Signal()
        walking = Signal()
        layer = Signal(layer_layout(config), reset_less=True)
        advance = Signal()
        due = Signal()

        digit = Signal(range(config.digits), init=config.digits - 1)
        term = Signal(width_of(config.most_terms - 1))
        view = Signal(config.view_bits)
        word_address = Signal(len(self.address))

        # The loops, innermost first; each turns when those inside it are at their end.
        terms, words, groups, tiles = (
            Loop(m, name, bits)
            for name, bits in (
                ("term", width_of(config.most_terms)),
                ("word", width_of(config.buffer_words)),
                ("group", width_of(config.buffer_words)),
                ("row_tile", width_of(config.most_row_tiles)),
            )
        )
        loops = [terms, words, groups, tiles]
        limits = {
            name: Limit.kept(m, name, next_layer[name], take)
            for name in ("terms", "groups", "group_words", "tail_words")
        }
        next_limits = {name: Limit.of(next_layer[name]) for name in ("row_tiles", *limits)}
        last_group_next = Mux(groups.last, limits["groups"].once, groups.near)
        word_limit = limits["tail_words"].where(last_group_next, limits["group_words"])
        first_limit = next_limits["tail_words"].where(
            next_limits["groups"].once, next_limits["group_words"]
        )
        turning = [
            (terms, limits["terms"], next_limits["terms"]),
            (words, word_limit, first_limit),
            (groups, limits["groups"], next_limits["groups"]),
            (tiles, next_limits["row_tiles"], next_limits["row_tiles"]),
        ]
        last_view: Value = Const(1, 1)
        first_view: Value = Const(1, 1)
        if config.views > 1:
            views = Loop(m, "view", width_of(config.views))
            kept = Limit.kept(m, "views", next_layer["views"], take)
            turning.insert(1, (views, kept, Limit.of(next_layer["views"])))
            loops.insert(1, views)
            first_view, last_view = views.first, views.last

        last_digit = digit == 0
        turn: Value = last_digit
        for loop, limit, start in turning:
            loop.count(advance & turn, limit, take, start)
            turn = turn & loop.last
        ends_layer = Signal()
        m.d.comb += ends_layer.eq(turn)
        with m.If(advance):
            m.d.sync += digit.eq(Mux(last_digit, config.digits - 1, digit - 1))
            with m.If(last_digit):
                m.d.sync += term.eq(Mux(terms.last, 0, term + 1))
                with m.If(terms.last):
                    if config.views > 1:
                        m.d.sync += view.eq(Mux(last_view, 0, view + 1))
                    ends = last_view & words.last & groups.last
                    m.d.sync += word_address.eq(Mux(ends, 0, word_address + 1))

        m.d.comb += [
            advance.eq(walking & (~due | self.valid)),
            take.eq(waiting & (~walking | (advance & ends_layer))),
            self.i.ready.eq(~waiting | take),
        ]
        with m.If(self.i.ready):
            m.d.sync += waiting.eq(self.i.valid)
            m.d.sync += next_layer.eq(self.i.payload)
        with m.If(take):
            m.d.sync += [walking.eq(1), layer.eq(next_layer)]
        with m.Elif(advance & ends_layer):
            m.d.sync += walking.eq(0)
        with m.If(~due | self.valid):
            m.d.sync += due.eq(walking)

        step = Signal(step_layout(config))
        m.d.comb += [
            step.digit.eq(digit),
            step.first.eq(digit == config.digits - 1),
            step.last.eq(last_digit),
            step.mask.eq(layer.monomials[term]),
            step.term.eq(term),
            step.last_term.eq(terms.last),
            step.first_word.eq(words.first),
            step.last_word.eq(words.last),
            step.first_group.eq(groups.first),
            step.last_group.eq(groups.last),
            step.last_tile.eq(tiles.last),
            step.offset.eq(layer.offset),
            step.requantize.eq(layer.requantize),
            step.shift.eq(layer.shift),
        ]
        if config.views > 1:
            m.d.comb += [step.view.eq(view), step.last_view.eq(last_view)]
        if config.link:
            m.d.comb += step.link.eq(layer.link)

        reads_x = step.first & terms.first
        ends_sums = last_digit & words.last
        ends_group = ends_sums & terms.last
        ends_row = ends_group & groups.last
        needs = {
            "word": reads_x & first_view,
            "x": reads_x & tiles.first,
            "coefficients": ends_sums,
            "offsets": ends_group & layer.offset,
            "scales": ends_row & layer.requantize,
            "room": ends_row & (last_view | layer.requantize),
        }
        more = {"x_read": reads_x, "x_done": ends_layer, "ends_tile": ends_row & last_view}
        flags = {
            name: self._held(m, f"due_{name}", value, advance)
            for name, value in (needs | more).items()
        }
        with m.If(advance):
            m.d.sync += [self.step.eq(step), self.address.eq(word_address)]

        missing = {name: flags[name] & ~getattr(self, f"{name}_available") for name in needs}
        if config.slots > config.digits:
            ends = flags["coefficients"]
            leaving = self._pause(m, "ended", self.valid & ends, config.slots - 1, config.slots)
            missing["room"] |= ends & leaving
        if config.views > 1:
            count = self._held(m, "due_leaving", (view + 1) * config.slots - 1, advance)
            ends = flags["ends_tile"]
            replays = self.valid & ends & self.step.requantize
            most = config.views * config.slots
            missing["room"] |= ends & self._pause(m, "leaving", replays, count, most)
        m.d.comb += [
            self.waits.as_value().eq(Cat(due & lacks for lacks in missing.values())),
            self.valid.eq(due & ~Cat(missing.values()).any()),
            self.x_read.eq(self.valid & flags["x_read"]),
            self.x_done.eq(self.valid & flags["x_done"]),
            *(getattr(self, f"{name}_claim").eq(self.valid & flags[name]) for name in needs),
        ]
        if config.link:
            first = Cat(loop.first for loop in loops).all() & step.first & layer.link
            m.d.comb += self.begins.eq(self.valid & self._held(m, "due_begins", first, advance))
            with m.If(advance):
                m.d.sync += self.link_words.eq(layer.link_words)
                m.d.sync += self.views.eq(layer.views if config.views > 1 else 1)

        return m

    @staticmethod
    def _held(m: Module, name: str, value: Value, when: Value) -> Signal:
        """Return a register that takes a value."""
        held = Signal(value.shape(), name=name, reset_less=True)
        with m.If(when):
            m.d.sync += held.eq(value)
        return held

    @staticmethod
    def _pause(m: Module, name: str, begins: Value, cycles: Value | int, most: int) -> Signal:
        """Return whether fewer cycles than ``cycles`` have passed between ``begins`` and now."""
        left = Signal(range(most), name=f"{name}_left", reset_less=True)
        lasts = Signal(name=f"{name}_lasts")
        with m.If(begins):
            m.d.sync += [left.eq(cycles), lasts.eq(Value.cast(cycles) != 0)]
        with m.Elif(lasts):
            m.d.sync += [left.eq(left - 1), lasts.eq(left != 1)]
        return lasts
