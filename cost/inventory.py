"""Inventory: what components are made of, counted from the configuration alone.

Primitives, each priced by a fit to synthesis (:mod:`cost.fit`):

``gated``     bits of registers with an enable, under a clock gate
``register``  bits of registers that take a value each cycle
``gate``      clock gates
``and``       bits of digits selected by a weight
``full``      full adders of trees
``turn``      bits of adders' operands that may be subtracted, and of choices between sums
``carry``     bits of the accumulation: full adder and choice
``pick``      bits of tables' entries to choose from
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache

from hwgen.config import HardwareConfig, signed_width
from hwgen.patterns import entry_range, patterns
from hwgen.weights import row_layout

PRIMITIVES = ("gated", "register", "gate", "and", "full", "turn", "carry", "pick")


@dataclass(frozen=True)
class _Sum:
    """A sum in the tree: its range."""

    low: int
    high: int

    @property
    def bits(self) -> int:
        """Its width, as Amaranth has it."""
        return signed_width(self.low, self.high) if self.low < 0 else self.high.bit_length()

    def plus(self, other: "_Sum", signed: bool) -> "_Sum":
        """Return the range of both, or with ``signed`` also of the difference."""
        low, high = other.low, other.high
        if signed:
            low, high = min(low, -high), max(high, -low)
        return _Sum(self.low + low, self.high + high)


@cache
def element(config: HardwareConfig) -> Counter[str]:
    """Return the primitives of one processing element with the plain mapping; not to be changed."""
    found: Counter[str] = Counter()
    signed = config.signed_weights
    found["gated"] += row_layout(config).size // config.weights
    found["and"] += config.weights * config.lanes * (config.weights > 1)
    if config.kind == "lut":
        entry = _Sum(*entry_range(config))
        nodes = [entry] * config.table_groups
        found["pick"] += config.table_groups * entry.bits * (len(patterns(config)) - 1)
        found["register"] += config.table_groups * (entry.bits + signed)
    else:
        low, high = config.digit_range
        nodes = [_Sum(low, high)] * config.lanes
        found["and"] += config.lanes * nodes[0].bits
    total = _tree(found, nodes, signed, config.stage_every)
    found["register"] += total.bits + signed
    found["turn"] += total.bits * (signed or (config.digit == 1 and config.act_signed))
    found["gated"] += config.dot_bits
    found["gate"] += 2
    if config.digits > 1:
        found["gated"] += config.dot_bits
        found["carry"] += config.dot_bits
        found["gate"] += 1
    return found


def _tree(found: Counter[str], nodes: list[_Sum], signed: bool, every: int) -> _Sum:
    """Add nodes up as :func:`hwgen.tree.add_up` does, and count.

    Where operands may be subtracted each pair has an adder, but for single bits, which take a few
    gates. Elsewhere synthesis makes one tree of all adders between registers.
    """
    level, leaves, before = 0, [1] * len(nodes), nodes[0]
    while len(nodes) > 1:
        level += 1
        pairs = list(zip(nodes[::2], nodes[1::2], strict=False))
        sums = [left.plus(right, signed) for left, right in pairs]
        if signed:
            wide = (total for total, (left, _) in zip(sums, pairs, strict=True) if left.bits > 1)
            found["full"] += sum(total.bits - 1 for total in wide)
            found["turn"] += sum(right.bits for _, right in pairs)
        odd = len(nodes) % 2
        nodes = sums + nodes[len(nodes) - odd :]
        leaves = [a + b for a, b in zip(leaves[::2], leaves[1::2], strict=False)] + (
            leaves[len(leaves) - odd :]
        )
        registered = every > 0 and level % every == 0 and len(nodes) > 1
        if not signed and (registered or len(nodes) == 1):
            found["full"] += round(sum(
                _columns(count, before, node) for count, node in zip(leaves, nodes, strict=True)
            ))  # fmt: skip
            leaves, before = [1] * len(nodes), nodes[0]
        if registered:
            found["register"] += sum(node.bits + signed for node in nodes)
    return nodes[0]


def _columns(operands: int, one: _Sum, total: _Sum) -> float:
    """Return the full adders of a tree, column by column: each takes two bits from its own.

    Signs are repeated up to the top column, as synthesis does.
    """
    adders = carries = 0.0
    for column in range(total.bits):
        bits = operands if column < one.bits or one.low < 0 else 0
        carries = max(0.0, (bits + carries - 1) / 2)
        adders += carries
    return adders
