"""The system model against the RTL behind a memory of just that bandwidth and latency."""

from dataclasses import replace

import numpy as np
import pytest

from hwgen.config import HardwareConfig
from sim.cases import random_job
from sim.engine import Engine
from sim.jobs import Job
from sim.laid import Laid, lay_out
from sim.memory import Memory
from sim.parts import known_parts, memory_of
from sim.standard import SMALL
from sim.system import Duty, duty
from sim.transfers import bytes_of, transfers, word_sizes

MEMORIES = {
    "ample": Memory(1e6),
    "latency": Memory(64, latency=40),
    "balanced": Memory(3, latency=10),
    "narrow": Memory(0.7, latency=25),
    "rows": Memory(2, latency=8, row_bytes=64, row_cycles=7),
    "refresh": Memory(1.5, latency=8, refresh_every=500, refresh_cycles=30),
    "all": Memory(2.5, 12, 2, row_bytes=128, row_cycles=5, refresh_every=700, refresh_cycles=20),
}


def long_layer(config: HardwareConfig, seed: int, tokens: int) -> tuple[Laid, list[Job]]:
    """Return a layer of thousands of steps, and its jobs as a pool of one engine runs them."""
    rng = np.random.default_rng(seed)
    words = config.buffer_words
    job = random_job(
        rng, config, out=24 * config.pe, columns=words * config.lanes,
        group=int(rng.choice([config.lanes, 2 * config.lanes, words * config.lanes])),
        tokens=tokens,
    )  # fmt: skip
    laid = lay_out(job.stage, config, 1)
    return laid, laid.jobs(job.codes, config)[0]


def predicted(laid: Laid, config: HardwareConfig, memory: Memory, tokens: int) -> Duty:
    return duty("layer", laid.stage, laid.tiling, config, memory, tokens)


@pytest.fixture(scope="module")
def engines() -> list[Engine]:
    return [Engine(config) for config in SMALL]


@pytest.mark.parametrize("name", MEMORIES)
@pytest.mark.parametrize("tokens", [1, 3])
@pytest.mark.parametrize("number", range(len(SMALL)))
def test_within_two_percent(engines: list[Engine], number: int, tokens: int, name: str) -> None:
    engine, memory, seed = engines[number], MEMORIES[name], 5 + number
    laid, jobs = long_layer(engine.config, seed, tokens)
    due = predicted(laid, engine.config, memory, tokens)
    outcome = engine.run(jobs, memory=memory)
    for job, got in zip(jobs, outcome.results, strict=True):
        assert (got == job.expected()).all(), f"seed {seed}"
    error = due.cycles / outcome.total_cycles - 1
    assert abs(error) <= 0.02, f"{due}, RTL {outcome.total_cycles}, seed {seed}"
    free = engine.run(jobs)
    assert free.cycles == due.compute


def test_bench_memory_gives_just_its_bandwidth(engines: list[Engine]) -> None:
    """A narrow memory takes the long-run time of its bytes, whatever its rows and refreshes."""
    engine = engines[0]
    laid, jobs = long_layer(engine.config, 1, 1)
    for memory in (Memory(0.25), Memory(0.5, row_bytes=32, row_cycles=16),
                   Memory(0.5, refresh_every=100, refresh_cycles=40)):  # fmt: skip
        transferred = predicted(laid, engine.config, memory, 1).transferred
        taken = engine.run(jobs, memory=memory).total_cycles
        assert taken == pytest.approx(transferred / memory.sustained, rel=0.01)


def test_bound_and_stalls() -> None:
    config = SMALL[0]
    laid, _ = long_layer(config, 1, 1)
    ample, narrow = (predicted(laid, config, Memory(rate), 1) for rate in (1e6, 0.1))
    assert (ample.bound, ample.stalled) == ("compute", 1)
    assert narrow.bound == "memory"
    assert narrow.stalled == narrow.memory - narrow.compute


@pytest.mark.parametrize(
    "config",
    [
        *SMALL,
        HardwareConfig(kind="lut", pe=3, lanes=7, columns=56),
        HardwareConfig(pe=3, lanes=7, columns=84, views=3, exponents=4),
    ],
)
@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_bytes_are_those_of_the_words(config: HardwareConfig, tokens: int) -> None:
    for seed in range(6):
        laid, jobs = long_layer(config, seed, tokens)
        words = bytes_of(transfers(jobs, config), word_sizes(config))
        assert predicted(laid, config, Memory(1), tokens).transferred == words, f"seed {seed}"


def test_parts_by_name() -> None:
    assert all(part.source for part in known_parts().values())
    memory = memory_of("ddr3-1600x16", 0, 200e6)
    assert memory == Memory(16.0, 6, 2, 2048, 6, 1560, 52)
    assert memory_of(None, 3.2e9, 200e6) == Memory(16.0)
    with pytest.raises(ValueError, match=r"^memory must be a known part \(did you mean ddr3.*got"):
        memory_of("ddr3", 0, 200e6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": 0}, r"^memory rate must be above 0 bytes a cycle, got 0$"),
        ({"latency": -1}, r"^memory latency must be 0 or more, got -1$"),
        ({"ahead": 0}, r"^memory ahead must be 1 word or more, got 0$"),
        ({"refresh_cycles": 5}, r"^memory refresh_cycles must be under refresh_every, 0, got 5$"),
    ],
)
def test_bad_memory(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Memory(1.0), **change)
