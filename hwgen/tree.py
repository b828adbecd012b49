"""Adder tree: operands in, their sum out, with registers between as many levels as wanted."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth import Module, Mux, Signal, Value


@dataclass(frozen=True)
class Node:
    """A sum on its way through the tree.

    Attributes
    ----------
    value : Value
    low, high : int
        Its range.
    negate : Value or None
        The node counts negatively: relative to the one it is added to, its left neighbor. None
        where weights have no sign.
    gate : Value or None
        The value counts only while this is 1; None for always.
    """

    value: Value
    low: int
    high: int
    negate: Value | None = None
    gate: Value | None = None

    def plus(self, other: "Node") -> tuple[int, int]:
        """Return the range of this node plus, or minus, another."""
        low, high = other.low, other.high
        if other.negate is not None:
            low, high = min(low, -high), max(high, -low)
        return self.low + low, self.high + high


Join = Callable[[Module, str, list[tuple[Node, Node]]], list[Node]]
"""Adds pairs of nodes of one level: a module, a name for it, and the pairs, left and right."""


def join_plain(m: Module, name: str, pairs: list[tuple[Node, Node]]) -> list[Node]:
    """Add pairs, or subtract the right from the left."""
    nodes = []
    for left, right in pairs:
        value = left.value + right.value
        if right.negate is not None:
            value = Mux(right.negate, left.value - right.value, value)
        nodes.append(Node(value, *left.plus(right), left.negate))
    return nodes


def add_up(m: Module, nodes: list[Node], every: int, join: Join) -> Node:
    """Add nodes by a balanced tree of adders; of bits, this counts the ones.

    Parameters
    ----------
    every : int
        Levels between registers; 0 for no registers. None follows the last level.
    """
    level = 0
    while len(nodes) > 1:
        level += 1
        rest = nodes[len(nodes) & ~1 :]
        nodes = join(m, f"level_{level}", list(zip(nodes[::2], nodes[1::2], strict=False))) + rest
        if every and level % every == 0 and len(nodes) > 1:
            nodes = [register(m, f"level_{level}_{n}", node) for n, node in enumerate(nodes)]
    return nodes[0]


def register(m: Module, name: str, node: Node) -> Node:
    """Return the node one cycle later; what gates it must have been applied."""
    held = Signal(range(node.low, node.high + 1), name=name, reset_less=True)
    m.d.sync += held.eq(node.value)
    negate = None if node.negate is None else delay(m, f"{name}_negate", node.negate)
    return Node(held, node.low, node.high, negate)


def delay(m: Module, name: str, value: Value, cycles: int = 1) -> Value:
    """Return a value as it was some cycles ago."""
    for cycle in range(cycles):
        held = Signal(
            value.shape(), name=f"{name}_{cycle}" if cycles > 1 else name, reset_less=True
        )
        m.d.sync += held.eq(value)
        value = held
    return value
