"""Counters that come round."""

from amaranth import Const, Mux, Signal, Value


def next_in_ring(count: Signal, length: int) -> Value:
    """Return what follows ``count`` among ``0 .. length - 1``."""
    if length == 1:
        return Const(0)
    return Mux(count == length - 1, 0, count + 1)
