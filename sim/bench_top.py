"""The whole circuit against the reference, on Verilator through cocotb."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from sim.cases import every_kind, random_job
from sim.jobs import (
    STREAMS,
    Job,
    cycles_of,
    feeds_of,
    from_integers,
    read_results,
    to_integers,
)
from sim.passed import passed
from sim.rtl import bench_config
from sim.streams import Sink, Source

CONFIG = bench_config()
PATIENCE = 20_000
"""Cycles without a transfer after which the circuit counts as stuck."""


async def reset(dut) -> None:
    """Bring the circuit to its first state."""
    await FallingEdge(dut.clk)
    for name in STREAMS:
        getattr(dut, f"i_{name}__valid").value = 0
    dut.o__ready.value = 0
    dut.rst.value = 1
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


async def run(
    dut, jobs: list[Job], idle: float, stall: float, limit: int | None = None
) -> tuple[Sink, int]:
    """Feed jobs and take their results; stop early after ``limit`` cycles.

    Words are driven on falling edges, so what is read before the next rising edge is what it
    acts on. Returns the sink and the cycles from the first activation to the last output.
    """
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    sources = {
        name: Source(
            [word for words, times in feed for word in to_integers(words) * times], idle, rng
        )
        for name, feed in feeds_of(jobs, CONFIG).items()
    }
    sink = Sink(stall, rng)
    wanted = sum(job.output_words(CONFIG) for job in jobs)
    cycle, first, latest = 0, None, 0
    while len(sink.words) < wanted and (limit is None or cycle < limit):
        await FallingEdge(dut.clk)
        for name, source in sources.items():
            word = source.offer()
            getattr(dut, f"i_{name}__valid").value = int(word is not None)
            if word is not None:
                getattr(dut, f"i_{name}__payload").value = word
        dut.o__ready.value = int(sink.ready())
        await ReadOnly()
        for name, source in sources.items():
            if source.end_cycle(bool(getattr(dut, f"i_{name}__ready").value)):
                latest = cycle
                first = cycle if first is None and name == "activations" else first
        word = int(dut.o__payload.value) if dut.o__valid.value else None
        latest = cycle if sink.end_cycle(word) else latest
        assert cycle - latest < PATIENCE, f"stuck: {len(sink.words)} of {wanted} output words"
        cycle += 1
    return sink, cycle - (first or 0)


async def check(
    dut, jobs: list[Job], idle: float = 0.0, stall: float = 0.0, *, interrupted: bool = False
) -> int:
    """Run jobs from a reset and compare every integer; return the cycles."""
    await reset(dut)
    sink, cycles = await run(dut, jobs, idle, stall)
    for number, (job, got) in enumerate(
        zip(jobs, read_results(from_integers(sink.words, CONFIG), jobs, CONFIG), strict=True)
    ):
        want = job.expected()
        wrong = np.argwhere(got != want)
        assert not len(wrong), (
            f"job {number}, token and row {wrong[0]}: got {got[tuple(wrong[0])]}, "
            f"want {want[tuple(wrong[0])]}, seed {cocotb.RANDOM_SEED}"
        )
        passed(CONFIG, job, idle, stall, interrupted=interrupted)
    return cycles


def start(dut) -> np.random.Generator:
    """Start the clock; return the generator of the test's cases."""
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    return np.random.default_rng(cocotb.RANDOM_SEED)


@cocotb.test()
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def random_layers(dut, idle: float, stall: float) -> None:
    """Run layers of random shapes and formats, with idle sources and a stalling sink."""
    rng = start(dut)
    await check(dut, [random_job(rng, CONFIG, tokens=2) for _ in range(6)], idle, stall)


@cocotb.test()
async def slow_sink(dut) -> None:
    """Lose nothing when the sink takes one word in twenty cycles."""
    rng = start(dut)
    await check(dut, [random_job(rng, CONFIG) for _ in range(4)], 0.0, 0.95)


@cocotb.test()
async def extremes_ties_and_odd_shapes(dut) -> None:
    """Run each case that goes wrong first, one after the other."""
    await check(dut, every_kind(start(dut), CONFIG))


@cocotb.test()
async def cycles_are_as_predicted(dut) -> None:
    """Take exactly the cycles of the tilings, for one layer and several back to back."""
    rng = start(dut)
    cases = every_kind(rng, CONFIG)
    for jobs in ([cases[0]], [cases[4]], cases[:6], [random_job(rng, CONFIG) for _ in range(4)]):
        predicted = cycles_of(jobs, CONFIG)
        cycles = await check(dut, jobs)
        assert cycles == predicted, f"took {cycles} cycles, predicted {predicted}"


@cocotb.test()
async def reset_in_the_middle(dut) -> None:
    """Forget everything at a reset, whenever it comes."""
    rng = start(dut)
    for _ in range(3):
        await reset(dut)
        jobs = [random_job(rng, CONFIG) for _ in range(3)]
        await run(dut, jobs, 0.2, 0.2, limit=int(rng.integers(5, 300)))
        await check(dut, [random_job(rng, CONFIG)], interrupted=True)
