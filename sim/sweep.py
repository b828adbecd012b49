"""Sweep: random configurations, each of which equals the reference or is refused in one line."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from models.files import whole_file
from sim.axi_engine import AxiEngine
from sim.cases import FLOWS, every_kind, random_job
from sim.configurations import parameters
from sim.counts import count_ones
from sim.engine import Engine
from sim.jobs import Job
from sim.library import build_library
from sim.passed import passed

LAYERS = 12
"""Layers that each circuit runs, with pauses and without."""


@dataclass
class Sweep:
    """What became of each configuration.

    Attributes
    ----------
    seed, count : int
        What was asked for.
    equal : dict
        Integers compared, by the parameters (JSON) of the circuit; all were equal.
    refused : dict
        The line that refused the parameters, by these.
    failed : dict or None
        The smallest configuration found that is wrong, and what is.
    """

    seed: int
    count: int
    equal: dict[str, int] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Any] | None = None

    @property
    def done(self) -> int:
        """Configurations so far."""
        return len(self.equal) + len(self.refused)


def sweep(start: Sweep, state: Path, progress: Callable[[int], object]) -> Sweep:
    """Try configurations until there are as many as asked for, or one is wrong.

    What ``start`` has is not run again, so a stopped sweep goes on; a wrong configuration is
    shrunk.

    Parameters
    ----------
    state : Path
        File that keeps the sweep after each configuration; libraries are built beside it.
    progress : callable
        Told how many configurations are done.
    """
    found = start

    @seeded(start.seed)
    @settings(
        max_examples=start.count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(parameters())
    def one(chosen: dict[str, Any]) -> None:
        key = json.dumps(chosen)
        if key in found.equal or key in found.refused:
            return
        try:
            config = HardwareConfig(**chosen)
        except ValueError as error:
            found.refused[key] = str(error)
        else:
            try:
                found.equal[key] = compare(config, state.parent)
            except (AssertionError, RuntimeError) as error:
                found.failed = {"parameters": chosen, "what": str(error)}
                raise
        save(found, state)
        progress(found.done)

    found.failed = None
    try:
        one()
    except (AssertionError, RuntimeError):
        save(found, state)
    return found


def compare(config: HardwareConfig, folder: Path, jobs: list[Job] | None = None) -> int:
    """Build a circuit and run layers on it; return how many integers were equal to the reference.

    Parameters
    ----------
    folder : Path
        Takes the library while it is in use.
    jobs : list of Job or None
        The layers; those of :func:`jobs_for` if not given.

    Raises
    ------
    AssertionError
        One was not.
    RuntimeError
        The circuit is stuck, or it cannot be built.
    """
    jobs = jobs_for(config) if jobs is None else jobs
    with TemporaryDirectory(prefix="planesmith-") as name:
        source = Path(name, "top.v")
        source.write_text(count_ones(verilog(config)))
        library = build_library([source], config.top, folder, waves=False)
    made = Engine if config.bus == "stream" else AxiEngine
    engine = made(config, library=library)
    compared = 0
    try:
        for idle, stall in FLOWS:
            done = engine.run(jobs, idle=idle, stall=stall, seed=1)
            results = done if isinstance(done, list) else done.results
            for number, (job, got) in enumerate(zip(jobs, results, strict=True)):
                wrong = int((got != job.expected()).sum())
                if wrong:
                    raise AssertionError(f"layer {number}, idle {idle}: {wrong} integers differ")
                compared += got.size
                passed(config, job, idle, stall)
    finally:
        engine.close()
    library.unlink(missing_ok=True)
    return compared


def jobs_for(config: HardwareConfig) -> list[Job]:
    """Return layers for a circuit, those that go wrong first among them."""
    rng = np.random.default_rng(1)
    jobs = [job for job in every_kind(rng, config) if runs(job, config)]
    chosen = rng.permutation(len(jobs))[: LAYERS - 4]
    more = [random_job(rng, config, tokens=2) for _ in range(4)]
    return [jobs[n] for n in chosen] + [job for job in more if runs(job, config)]


def runs(job: Job, config: HardwareConfig) -> bool:
    """Whether a circuit can run a job, or refuses it."""
    try:
        job.tiling(config)
    except ValueError:
        return False
    return True


def save(found: Sweep, path: Path) -> None:
    """Write a sweep as JSON."""
    with whole_file(path) as part:
        part.write_text(json.dumps(vars(found), indent=1) + "\n")


def resumed(start: Sweep, path: Path) -> Sweep:
    """Return the sweep of a file, if it is of this one."""
    if not path.is_file():
        return start
    try:
        kept = Sweep(**json.loads(path.read_text()))
    except (ValueError, TypeError):
        return start
    return kept if (kept.seed, kept.count) == (start.seed, start.count) else start
