"""Counters that come round, and choices from a list, against plain Python."""

import pytest
from amaranth import Module, Signal
from amaranth.hdl import Value
from amaranth.sim import Simulator, SimulatorContext

from hwgen.choose import choose
from hwgen.counting import next_in_ring


def values_of(inputs: Signal, output: Value, wanted: dict[int, int]) -> None:
    """Compare an expression of a signal with what it must be for each of its values."""
    result = Signal(8)
    m = Module()
    m.d.comb += result.eq(output)

    async def bench(ctx: SimulatorContext) -> None:
        for value, want in wanted.items():
            ctx.set(inputs, value)
            assert ctx.get(result) == want, value

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8, 13])
def test_next_in_ring(length: int) -> None:
    count = Signal(range(length))
    values_of(count, next_in_ring(count, length), {n: (n + 1) % length for n in range(length)})


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 9])
def test_choose(length: int) -> None:
    index = Signal(4)
    values = [Signal(8, init=100 + n, name=f"value_{n}") for n in range(length)]
    values_of(index, choose(index, values), {n: 100 + n for n in range(length)})
