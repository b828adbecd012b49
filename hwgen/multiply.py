"""Multiplication in parts, each of which fits a multiplier of an FPGA."""

from amaranth import Module, Value

from hwgen.tree import delay

PART = 16
"""Bits of one factor that a multiplier takes; the other has at most as many, and a sign."""


def partial_products(m: Module, name: str, value: Value, factor: Value) -> list[Value]:
    """Return registers of products, of which number ``n`` counts ``2 ** (PART * n)`` times."""
    starts = range(0, len(value), PART)
    parts: list[Value] = [value[start : start + PART] for start in starts]
    parts[-1] = parts[-1].as_signed()
    return [delay(m, f"{name}_{n}", part * factor) for n, part in enumerate(parts)]


def added(parts: list[Value]) -> Value:
    """Add up partial products."""
    return sum((part << PART * n for n, part in enumerate(parts[1:], 1)), parts[0])
