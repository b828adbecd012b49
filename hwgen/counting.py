"""Counters: those that come round, and those of what is there."""

from amaranth import Const, Module, Mux, Signal, Value


def next_in_ring(count: Signal, length: int) -> Value:
    """Return what follows ``count`` among ``0 .. length - 1``."""
    if length == 1:
        return Const(0)
    return Mux(count == length - 1, 0, count + 1)


def counted(
    m: Module,
    name: str,
    most: int,
    more: Value,
    less: Value,
    *,
    start: int = 0,
    clear: Value | None = None,
) -> Signal:
    """Count up and down; return whether there is any, as a register.

    Parameters
    ----------
    most : int
        The largest count.
    more, less : Value
        One more, one less, from the next cycle on; ``less`` only while there is any.
    clear : Value, optional
        None from the next cycle on.
    """
    count = Signal(range(most + 1), name=name, init=start)
    some = Signal(name=f"{name}_some", init=start != 0)
    m.d.sync += count.eq(count + more - less)
    # Late as ``less`` may come, one gate is behind it.
    m.d.sync += some.eq(more | (count > 1) | (some & ~less))
    if clear is not None:
        with m.If(clear):
            m.d.sync += [count.eq(0), some.eq(0)]
    return some
