"""How fast the circuit simulates: against a bare loop over the same model, and the reference."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from hwgen.config import HardwareConfig
from models.codes import Activation
from models.planes import pack
from models.stage import Stage
from sim.engine import Engine
from sim.engine import build as build_engine
from sim.jobs import Job

OUT, COLUMNS, GROUP = 1536, 576, 64
"""A layer of SmolLM2-135M."""


@dataclass(frozen=True)
class Speed:
    """Medians over several runs; seconds are of the processor, all threads together.

    Attributes
    ----------
    steps : int
        Of the layer, for all tokens.
    cycles, operations : float
        Simulated a second; an operation is the AND of a weight bit with a bit of a code, counted
        into the sum.
    loop_cycles : float
        The same where C++ only toggles the clock of the circuit at work, its inputs unchanged.
    reference_operations : float
        The same operations a second as the reference in PyTorch does them, in int8.
    build_seconds, build_cpu_seconds : float or None
        Wall time from the configuration to the simulator, with nothing in the cache, and the
        processor's, all programs together; None where that was not measured.
    """

    steps: int
    cycles: float
    operations: float
    loop_cycles: float
    reference_operations: float
    build_seconds: float | None = None
    build_cpu_seconds: float | None = None


def measure(config: HardwareConfig, tokens: int = 8, runs: int = 5, build: bool = False) -> Speed:
    """Time a layer of sums and differences of ``k`` planes, with codes of all its bits.

    With ``build``, time the building of the simulator as well.
    """
    rng = np.random.default_rng(0)
    job = _job(rng, config, COLUMNS, GROUP, tokens)
    job = replace(job, laid=job.image(config), words=job.activations(config))
    one_word = _job(rng, config, config.lanes, config.lanes, 1)
    engine = Engine(config)
    cycles = job.cycles(config) + config.latency
    operations = config.k * OUT * COLUMNS * config.act_bits * tokens
    on_circuit = _seconds(lambda: engine.run([job]), runs)
    loop = _seconds(lambda: engine.spin([one_word], cycles), runs)
    reference = _seconds(job.accumulators, runs)
    engine.close()
    building = _building(config) if build else (None, None)
    return Speed(
        steps=job.steps(config),
        cycles=cycles / on_circuit,
        operations=operations / on_circuit,
        loop_cycles=cycles / loop,
        reference_operations=operations / reference,
        build_seconds=building[0],
        build_cpu_seconds=building[1],
    )


def _building(config: HardwareConfig) -> tuple[float, float]:
    """Return wall and processor time of a build."""
    with TemporaryDirectory(prefix="planesmith-") as cache:
        start, before = time.perf_counter(), os.times()
        build_engine(config, cache=Path(cache))
        return time.perf_counter() - start, sum(os.times()[:4]) - sum(before[:4])


def _job(
    rng: np.random.Generator, config: HardwareConfig, columns: int, group: int, tokens: int
) -> Job:
    low, high = config.code_range
    stage = Stage(
        planes=pack(rng.random((config.k, OUT, columns)) < 0.5),
        columns=columns,
        group=group,
        coefficients=np.resize(np.array([1, -1], np.int16), (1, 1, 1, config.k)),
        monomials=tuple(1 << plane for plane in range(config.k)),
        activation=Activation(bits=config.act_bits, signed=config.act_signed),
    )
    return Job(stage, rng.integers(low, high + 1, (tokens, columns)))


def report(speed: Speed) -> str:
    """Return the figures in a few lines, and how the circuit compares with the other two."""
    share = 100 * speed.cycles / speed.loop_cycles
    times = speed.reference_operations / speed.operations
    lines = [
        "a second of processor time",
        f"circuit    {speed.cycles:>12.0f} cycles  {speed.operations:.3g} binary operations",
        f"bare loop  {speed.loop_cycles:>12.0f} cycles  (the circuit has {share:.0f} % of it)",
        (
            f"reference  {'':>12}         {speed.reference_operations:.3g} binary operations "
            f"({times:.1f} times the circuit's)"
        ),
    ]
    if speed.build_seconds is not None:
        cpu = f"{speed.build_cpu_seconds:.1f} s of processor time"
        lines.append(f"built in {speed.build_seconds:.1f} s of wall time, {cpu}")
    return "\n".join(lines)


def _seconds(work: Callable[[], object], runs: int) -> float:
    """Return the median processor time; the first run warms up and does not count."""
    work()
    taken = []
    for _ in range(runs):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return median(taken)
