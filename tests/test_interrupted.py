"""A circuit reset in the middle of a layer, or whose host pauses, gives the same integers."""

import numpy as np
import pytest

from hwgen.config import HardwareConfig
from sim.cases import random_job
from sim.engine import Engine
from sim.jobs import cycles_of
from sim.standard import SMALL

CONFIGS = [
    SMALL[0],
    HardwareConfig(kind="addsub", pe=3, lanes=8, columns=64),
    HardwareConfig(kind="addsub", pe=3, lanes=8, columns=64, share=3),  # rows gather their groups
]


@pytest.fixture(scope="module", params=range(len(CONFIGS)))
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(CONFIGS[request.param])


def test_reset_in_the_middle_of_a_layer(engine: Engine) -> None:
    """Whatever buffers and registers held, the next layer is right, and takes its own cycles."""
    rng = np.random.default_rng(6)
    before, job = (random_job(rng, engine.config, tokens=2) for _ in range(2))
    wanted, due = job.expected(), cycles_of([job], engine.config)
    for cycles in range(1, before.steps(engine.config) + engine.config.latency, 7):
        engine.spin([before], cycles)
        outcome = engine.run([job])
        assert (outcome.results[0] == wanted).all(), f"reset after {cycles} cycles, seed 6"
        assert outcome.cycles == due, f"reset after {cycles} cycles, seed 6"


def test_reset_in_the_middle_of_a_group(engine: Engine) -> None:
    """What was added up of it is forgotten."""
    rng = np.random.default_rng(10)
    columns = engine.config.columns
    job = random_job(rng, engine.config, out=engine.config.pe, columns=columns, group=columns)
    for cycles in range(1, job.steps(engine.config) + engine.config.latency):
        engine.spin([job], cycles)
        outcome = engine.run([job])
        assert (outcome.results[0] == job.expected()).all(), f"reset after {cycles} cycles, seed 10"


@pytest.mark.parametrize("idle", [0.0, 0.5, 0.97])
@pytest.mark.parametrize("stall", [0.0, 0.5, 0.97])
def test_host_that_pauses(engine: Engine, idle: float, stall: float) -> None:
    rng = np.random.default_rng(7)
    jobs = [random_job(rng, engine.config, tokens=2) for _ in range(3)]
    outcome = engine.run(jobs, idle=idle, stall=stall, seed=8)
    for job, got in zip(jobs, outcome.results, strict=True):
        assert (got == job.expected()).all(), "seeds 7 and 8"
    # Words of half of the cycles can be enough: then nothing waits for them.
    due, pauses = cycles_of(jobs, engine.config), max(idle, stall)
    assert outcome.cycles >= due
    assert pauses == 0.5 or (outcome.cycles > due) == (pauses > 0)


def test_reset_while_the_host_pauses(engine: Engine) -> None:
    rng = np.random.default_rng(9)
    job = random_job(rng, engine.config)
    for cycles in (3, 40, 111):
        engine.spin([job], cycles)
        outcome = engine.run([job], idle=0.7, stall=0.7, seed=cycles)
        assert (outcome.results[0] == job.expected()).all(), f"seeds 9 and {cycles}"
