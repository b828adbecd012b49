"""Verbs of component tests: put a word on a stream, get one, and run a simulation to its end."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import numpy as np
from amaranth.lib import stream, wiring
from amaranth.sim import Simulator, SimulatorContext

Testbench = Callable[[SimulatorContext], Awaitable[None]]

PATIENCE = 40_000
"""Edges of the clock after which a simulation counts as stuck."""


async def put(ctx: SimulatorContext, port: stream.Interface, word: Any) -> None:
    """Offer a word until it is taken."""
    ctx.set(port.payload, word)
    ctx.set(port.valid, 1)
    await ctx.tick().until(port.ready)
    ctx.set(port.valid, 0)


async def get(ctx: SimulatorContext, port: stream.Interface) -> Any:
    """Wait for a word and take it."""
    ctx.set(port.ready, 1)
    (word,) = await ctx.tick().sample(port.payload).until(port.valid)
    ctx.set(port.ready, 0)
    return word


async def pause(ctx: SimulatorContext, rng: np.random.Generator, share: float) -> None:
    """Wait as many cycles as leave a stream unused for this share of the time, on average."""
    while rng.random() < share:
        await ctx.tick()


def feeder(
    port: stream.Interface, words: Iterable[Any], idle: float, rng: np.random.Generator
) -> Testbench:
    """Return a testbench that puts words in order, with idle cycles before some."""

    async def feed(ctx: SimulatorContext) -> None:
        for word in words:
            await pause(ctx, rng, idle)
            await put(ctx, port, word)

    return feed


def checker(
    port: stream.Interface, wanted: Iterable[Any], stall: float, rng: np.random.Generator
) -> Testbench:
    """Return a testbench that gets words and compares them, with stalls before some."""

    async def check(ctx: SimulatorContext) -> None:
        for number, want in enumerate(wanted):
            await pause(ctx, rng, stall)
            got = await get(ctx, port)
            assert got == want, f"word {number}: got {got}, want {want}"

    return check


def simulate(dut: wiring.Component, *testbenches: Testbench) -> None:
    """Clock a component until all testbenches have ended."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    for _ in range(PATIENCE):
        if not simulator.advance():
            return
    raise AssertionError(f"stuck: no end after {PATIENCE} edges of the clock")


def timed(
    dut: Any, words: list[Any], count: int, prepare: Testbench | None = None
) -> tuple[list[int], list[int]]:
    """Return in which cycles words are taken and so many leave; nobody idles or stalls.

    Parameters
    ----------
    dut : component with streams ``i`` and ``o``
    prepare : testbench, optional
        Runs before the first cycle.
    """
    taken: list[int] = []
    left: list[int] = []

    async def bench(ctx: SimulatorContext) -> None:
        if prepare is not None:
            await prepare(ctx)
        ctx.set(dut.o.ready, 1)
        cycle = 0
        while len(left) < count:
            offers = len(taken) < len(words)
            ctx.set(dut.i.valid, offers)
            if offers:
                ctx.set(dut.i.payload, words[len(taken)])
            if offers and ctx.get(dut.i.ready):
                taken.append(cycle)
            if ctx.get(dut.o.valid):
                left.append(cycle)
            await ctx.tick()
            cycle += 1

    simulate(dut, bench)
    return taken, left
