"""Streams driven by compiled code: to the cycle what Python does port by port."""

from dataclasses import replace

import numpy as np
import pytest
import stepped

from hwgen.config import HardwareConfig
from hwgen.image import image
from sim.cases import every_kind, random_job
from sim.engine import Engine
from sim.jobs import from_integers, read_results
from sim.standard import SMALL
from sim.verilated import Verilated


@pytest.mark.parametrize(("idle", "stall"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.8), (0.5, 0.5)])
@pytest.mark.parametrize("config", SMALL)
def test_equals_the_stepped_circuit(config: HardwareConfig, idle: float, stall: float) -> None:
    seed = 3
    rng = np.random.default_rng(seed)
    jobs = [*every_kind(rng, config)[:8], *(random_job(rng, config, tokens=3) for _ in range(4))]
    engine = Engine(config)
    got = engine.run(jobs, idle=idle, stall=stall, seed=seed)
    engine.close()
    with Verilated(engine.library) as dut:
        words, cycles = stepped.run(dut, jobs, config, idle, stall, seed)
    assert got.cycles == cycles, f"seed {seed}"
    wanted = read_results(from_integers(words, config), jobs, config)
    for number, (have, want) in enumerate(zip(got.results, wanted, strict=True)):
        assert (have == want).all(), f"job {number}, seed {seed}"


def test_words_may_lie_in_any_order() -> None:
    config = SMALL[0]
    job = random_job(np.random.default_rng(1), config, tokens=2)
    laid = image(job.stage, config)
    other = np.asfortranarray(laid.weights)
    assert not other.flags.c_contiguous
    engine = Engine(config)
    got = engine.run([replace(job, laid=replace(laid, weights=other))])
    engine.close()
    assert (got.results[0] == job.expected()).all()


def test_progress_counts_words() -> None:
    config = SMALL[0]
    job = random_job(np.random.default_rng(1), config, tokens=2)
    engine = Engine(config)
    told: list[int] = []
    engine.run([job], progress=told.append)
    engine.close()
    assert told == sorted(told)
    assert told[-1] == job.output_words(config)
