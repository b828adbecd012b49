"""Adders of a processing element in ECP5 carry cells: sums and differences, counts, accumulation.

What it gains over plain sums is in ``docs/circuits.md``: a difference or a gated operand costs
nothing beside a sum, and two half cells count three lanes' ones, their weights ANDed.
"""

from amaranth import Cat, Const, Module, Value

from hwgen import ecp5
from hwgen.ecp5 import Chain
from hwgen.tree import Node, delay


def join(m: Module, name: str, pairs: list[tuple[Node, Node]]) -> list[Node]:
    """Add pairs, or subtract the right from the left; the right ones may be gated.

    Half a cell for each bit of a sum, and one for the carry in of a difference.
    """
    chains: list[Chain] = []
    nodes = []
    for left, right in pairs:
        low, high = left.plus(right)
        width = ecp5.width_of(low, high)
        signs = right.negate is not None
        if not chains or not signs or len(chains[-1].halves) + width >= ecp5.LONGEST:
            chains.append(Chain())
        chain = chains[-1]
        gate = Const(1, 1) if right.gate is None else right.gate
        negate = Const(1, 1)
        if right.negate is not None:
            negate = right.negate
            chain.feed(negate)
        table = ecp5.ADD_SUB if signs else ecp5.ADD
        operands = zip(
            ecp5.extended(left.value, width), ecp5.extended(right.value, width), strict=True
        )
        bits = [chain.half(table, a, b, negate, gate) for a, b in operands]
        nodes.append(Node(ecp5.number(bits, low), low, high, left.negate))
    for index, chain in enumerate(chains):
        ecp5.place(m, f"{name}_{index}", chain)
    return nodes


def signed_sum(m: Module, name: str, value: Value, negate: Value, width: int) -> Value:
    """Return a number, or minus it: two's complement, ``width`` bits."""
    chain = Chain()
    chain.feed(negate)
    bits = [chain.half(ecp5.SIGN, Const(1, 1), b, negate) for b in ecp5.extended(value, width)]
    ecp5.place(m, name, chain)
    return ecp5.number(bits, -1)


def shifted_sum(
    m: Module, name: str, total: Value, shift: int, value: Value, negate: Value, carry: Value
) -> Value:
    """Return ``(total << shift) + (value ^ negate) + carry``, as wide as ``total``."""
    chain = Chain()
    chain.feed(carry)
    bits = []
    for place, b in enumerate(ecp5.extended(value, len(total))):
        if place < shift:
            bits.append(chain.half(ecp5.SIGN, Const(1, 1), b, negate))
        else:
            bits.append(chain.half(ecp5.ADD_SUB, total[place - shift], b, negate))
    ecp5.place(m, name, chain)
    return ecp5.number(bits, -1)


class Counter:
    """Counts the lanes whose bit and weight are both 1: three of them in two half cells.

    A tree of counts of ``2**n - 1`` lanes: each level adds two counts, with one more lane as the
    carry in. Registers are between levels, as :func:`hwgen.tree.add_up` has them.
    """

    def __init__(self, m: Module, levels: int, every: int) -> None:
        self.m = m
        self.levels = levels
        self.every = every
        self.chains: dict[int, list[Chain]] = {level: [] for level in range(1, levels + 1)}

    def count(self, lanes: list[tuple[Value, Value]]) -> Value:
        """Return how many of the pairs are both 1; at most ``2**(levels + 1) - 1`` pairs."""
        bits = self._count(lanes, self.levels, "count")
        for level, chains in self.chains.items():
            for index, chain in enumerate(chains):
                ecp5.place(self.m, f"count_{level}_{index}", chain)
        return Cat(*bits)

    def _count(self, lanes: list[tuple[Value, Value]], level: int, name: str) -> list[Value]:
        """Return the bits of a count, after the registers of that level."""
        if not lanes:
            return []
        bits = self._sum(lanes, level, name)[: len(lanes).bit_length()]
        if self.every and level % self.every == 0 and level < self.levels:
            bits = [delay(self.m, f"{name}_{place}", bit) for place, bit in enumerate(bits)]
        return bits

    def _sum(self, lanes: list[tuple[Value, Value]], level: int, name: str) -> list[Value]:
        before = (level - 1) // self.every if self.every else 0
        carry = [delay(self.m, f"{name}_carry_{n}", bit, before) for n, bit in enumerate(lanes[0])]
        if len(lanes) == 1:
            return [carry[0] & carry[1]]
        rest, half = lanes[1:], len(lanes) // 2
        if level == 1:
            chain = self._chain(level, 1)
            chain.feed(*carry)
            table = ecp5.COUNT if len(rest) == 2 else ecp5.BIT
            return [chain.half(table, *(bit for lane in rest for bit in lane)), chain.top()]
        left = self._count(rest[:half], level - 1, f"{name}l")
        right = self._count(rest[half:], level - 1, f"{name}r")
        chain = self._chain(level, len(left))
        chain.feed(*carry)
        sums = [
            chain.half(ecp5.ADD, bit, right[place])
            if place < len(right)
            else chain.half(ecp5.BIT, bit)
            for place, bit in enumerate(left)
        ]
        return [*sums, chain.top()]

    def _chain(self, level: int, width: int) -> Chain:
        """Return a chain with room for a number of the level."""
        chains = self.chains[level]
        if not chains or len(chains[-1].halves) + width >= ecp5.LONGEST:
            chains.append(Chain())
        return chains[-1]
