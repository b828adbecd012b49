"""Processing element: dot product of a row's weights with integer activations, digit by digit."""

from functools import reduce

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen import ecp5_tree
from hwgen.choose import choose
from hwgen.config import HardwareConfig
from hwgen.layouts import operand_layout
from hwgen.patterns import entry_range
from hwgen.tree import Node, add_up, delay, join_plain, register
from hwgen.weights import row_layout


class ProcessingElement(wiring.Component):
    """Add up the products of activations and weights, one digit of each a cycle, top digit first.

    Adds the products of the lanes' digits and weights to the sum so far, shifted by a digit. With
    digits and weights of one bit that is a popcount, taken away where the bit is the sign.

    ``digit`` comes one cycle, and ``valid``, ``first`` and ``last`` ``2 + depth`` cycles after the
    ``term_load`` that they belong to. The sum follows ``last`` by one cycle and stays until the
    next one; a new digit is taken every cycle.

    Members
    -------
    weights : In(``row_layout(config)``)
        The row's part of the weight word.
    mask : In(``weights``)
        Of popcount: planes of the term, whose bit is the AND of them. Of others: the one weight of
        the word that the pass is about.
    term_load : In(1)
        Take new weights from ``weights`` and ``mask``.
    digit : In(``operand_layout(config)``)
        One digit of each activation, or lut's tables of them.
    valid, first, last : In(1)
        There is a digit; it begins the sum (and holds the sign); it ends the sum.
    sum : Out(signed ``dot_bits``)
        It cannot overflow.
    """

    weights: data.View
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
            "weights": In(row_layout(config)),
            "mask": In(config.weights),
            "term_load": In(1),
            "digit": In(operand_layout(config)),
            "valid": In(1),
            "first": In(1),
            "last": In(1),
            "sum": Out(signed(config.dot_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        plain = config.mapping == "plain"

        term = self._term(m)
        spare: Value = Const(0, 1)
        if config.counts:
            partial, spare = self._counted(m, term)
        else:
            join = join_plain if plain else ecp5_tree.join
            nodes = self._products(m, term)
            partial = register(m, "partial", add_up(m, nodes, config.stage_every, join))
        accumulate = self._accumulate_plain if plain else self._accumulate_mapped
        accumulate(m, partial, spare)

        return m

    def _term(self, m: Module) -> data.View:
        """Hold the weights of the pass."""
        config = self.config
        element = self.weights.shape().elem_shape
        layout = element if isinstance(element, data.Layout) else data.ArrayLayout(1, element)
        term = Signal(layout, reset_less=True)
        words = [self.weights[number] for number in range(config.weights)]
        bits = [word.as_value() if isinstance(word, data.View) else word for word in words]
        masks = [self.mask[number].replicate(len(bits[0])) for number in range(config.weights)]
        if len(bits) == 1:
            chosen = bits[0]
        elif config.kind == "popcount":
            planes = [word | ~mask for word, mask in zip(bits, masks, strict=True)]
            chosen = reduce(lambda a, b: a & b, planes)
        else:
            products = [word & mask for word, mask in zip(bits, masks, strict=True)]
            chosen = reduce(lambda a, b: a | b, products)
        with m.If(self.term_load):
            m.d.sync += term.as_value().eq(chosen)
        return term

    def _products(self, m: Module, term: data.View) -> list[Node]:
        """Return what the tree adds up: products of the weights with digits, or sums of a table."""
        config = self.config
        negate = term["negate"] if config.signed_weights else None
        if config.kind == "lut":
            nodes = []
            for group in range(config.table_groups):
                sums = [
                    self.digit[group][entry] for entry in range(self.digit[group].shape().length)
                ]
                chosen = choose(term["codes"][group], [Const(0, sums[0].shape()), *sums])
                sign = None if negate is None else negate[group]
                node = Node(chosen, *entry_range(config), sign)
                nodes.append(register(m, f"group_{group}", node))
            return nodes
        some = term["some"] if config.signed_weights else term.as_value()
        if config.mapping == "ecp5":
            return [self._gated(m, lane, some, negate) for lane in range(config.lanes)]
        low, high = config.digit_range
        layout = operand_layout(config)
        chosen = Signal(layout.size)
        products = data.View(layout, chosen)
        if config.digit == 1:
            m.d.comb += chosen.eq(some & self.digit.as_value())
        else:
            for lane in range(config.lanes):
                # Simulates nearly twice as fast as one AND with each weight repeated.
                m.d.comb += products[lane].eq(Mux(some[lane], self.digit[lane], 0))
        signs = [None] * config.lanes if negate is None else list(negate)
        return [Node(products[lane], low, high, signs[lane]) for lane in range(config.lanes)]

    def _gated(self, m: Module, lane: int, some: Value, negate: Value | None) -> Node:
        """Register a product: by the register's reset on the left of a pair, later on the right."""
        name, right = f"lane_{lane}", bool(lane % 2)
        value = self.digit[lane] if right else Mux(some[lane], self.digit[lane], 0)
        sign = None if negate is None else negate[lane]
        node = register(m, name, Node(value, *self.config.digit_range, sign))
        gate = delay(m, f"{name}_some", some[lane]) if right else None
        return Node(node.value, node.low, node.high, node.negate, gate)

    def _counted(self, m: Module, term: data.View) -> tuple[Node, Value]:
        """Count lanes in carry cells; the first one is left for the carry of the accumulation."""
        config = self.config
        lanes = list(zip(term.as_value(), self.digit.as_value(), strict=True))
        counter = ecp5_tree.Counter(m, config.levels, config.stage_every)
        count = Node(counter.count(lanes[1:]), 0, config.lanes - 1)
        weight, bit = (
            delay(m, f"{name}_spare", value, config.depth)
            for name, value in zip(("weight", "bit"), lanes[0], strict=True)
        )
        return register(m, "partial", count), delay(m, "spare", weight & bit)

    def _accumulate_plain(self, m: Module, partial: Node, spare: Value) -> None:
        """Add a partial sum to the shifted sum so far."""
        config = self.config
        dot = Signal(signed(config.dot_bits), reset_less=True)
        dot_next = Signal(signed(config.dot_bits))
        dot_held = Signal(signed(config.dot_bits), reset_less=True)
        value = partial.value
        if partial.negate is not None:
            value = Mux(partial.negate, -value, value)
        top = -value if self._subtracts_first else value
        if config.digits == 1:
            m.d.comb += dot_next.eq(top)
        else:
            m.d.comb += dot_next.eq(Mux(self.first, top, (dot << config.digit) + value))
        m.d.comb += self.sum.eq(dot_held)
        with m.If(self.valid):
            m.d.sync += dot.eq(dot_next)
            with m.If(self.last):
                m.d.sync += dot_held.eq(dot_next)

    def _accumulate_mapped(self, m: Module, partial: Node, spare: Value) -> None:
        """Do the same in carry cells: the sum so far is cleared after the last digit instead."""
        config = self.config
        dot = Signal(signed(config.dot_bits))
        dot_next: Value = partial.value
        dot_held = Signal(signed(config.dot_bits), reset_less=True)
        negate: Value = Const(0, 1) if partial.negate is None else partial.negate
        if self._subtracts_first:
            negate = negate ^ self.first
        if config.digits > 1 or config.counts:
            carry = negate ^ spare
            dot_next = ecp5_tree.shifted_sum(
                m, "dot", dot, config.digit, partial.value, negate, carry
            )
        elif partial.negate is not None:
            dot_next = ecp5_tree.signed_sum(m, "dot", partial.value, negate, config.dot_bits)
        m.d.comb += self.sum.eq(dot_held)
        with m.If(self.valid):
            m.d.sync += dot.eq(Mux(self.last, 0, dot_next))
            with m.If(self.last):
                m.d.sync += dot_held.eq(dot_next)

    @property
    def _subtracts_first(self) -> bool:
        """Digits are single bits, of which the first is the sign."""
        return self.config.digit == 1 and self.config.act_signed
