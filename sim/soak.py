"""Layer after layer of random shapes on random circuits: every integer must be right.

Sources pause, the sink stalls, the memory is slow, and the circuit is reset in the middle of
layers; each layer follows from the seed and its number alone, so a soak can go on where it was
stopped.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hwgen.config import KINDS, MAPPINGS, HardwareConfig
from models.files import whole_file
from sim.cases import random_job
from sim.engine import Engine
from sim.jobs import cycles_of
from sim.memory import Memory


@dataclass(frozen=True)
class Soak:
    """How far a soak got.

    Attributes
    ----------
    seed, layers, circuits : int
        What was asked for: layers in all, on so many circuits in turn.
    done : int
        Layers so far.
    integers, unequal : int
        Compared with the reference, and found different.
    resets : int
        Layers in the middle of which the circuit was reset.
    timed, late : int
        Layers without pause, stall or slow memory, and how many of them took other cycles than
        their tiling says.
    """

    seed: int
    layers: int
    circuits: int
    done: int = 0
    integers: int = 0
    unequal: int = 0
    resets: int = 0
    timed: int = 0
    late: int = 0

    @property
    def right(self) -> bool:
        """Whether every integer and every number of cycles so far was as it must be."""
        return self.unequal == self.late == 0


def soak(start: Soak, state: Path, progress: Callable[[], object] = lambda: None) -> Soak:
    """Run the layers that an earlier soak with the same state file left, and return the sum.

    Parameters
    ----------
    state : Path
        JSON of the soak so far; of another soak, it is overwritten.
    progress : callable
        Called after each layer.
    """
    sofar = resumed(start, state)
    engine: Engine | None = None
    for number in range(sofar.done, start.layers):
        circuit = number * start.circuits // start.layers
        config = random_config(np.random.default_rng([start.seed, 0, circuit]))
        if engine is None or engine.config != config:
            if engine is not None:
                engine.close()
            engine = Engine(config)
        sofar = _layer(engine, np.random.default_rng([start.seed, 1, number]), sofar)
        with whole_file(state) as part:
            part.write_text(json.dumps(vars(sofar)))
        progress()
    if engine is not None:
        engine.close()
    return sofar


def resumed(start: Soak, state: Path) -> Soak:
    """Return the soak of a state file, if it is of this one."""
    if not state.is_file():
        return start
    try:
        kept = Soak(**json.loads(state.read_text()))
    except (ValueError, TypeError):
        return start
    same = (kept.seed, kept.layers, kept.circuits) == (start.seed, start.layers, start.circuits)
    return kept if same else start


def _layer(engine: Engine, rng: np.random.Generator, sofar: Soak) -> Soak:
    config = engine.config
    jobs = [random_job(rng, config, tokens=int(rng.integers(1, 4))) for _ in range(2)]
    steps = sum(job.steps(config) for job in jobs)
    reset = rng.random() < 0.25
    if reset:
        engine.spin(jobs, int(rng.integers(1, steps + 1)))
    slow = Memory(float(rng.uniform(0.5, 20)), int(rng.integers(0, 50)), int(rng.integers(1, 5)))
    idle, stall = (float(rng.choice([0, 0, 0.3, 0.9])) for _ in range(2))
    memory = slow if rng.random() < 0.25 else None
    seed = int(rng.integers(2**32))
    outcome = engine.run(jobs[:1], idle=idle, stall=stall, seed=seed, memory=memory)
    wanted = jobs[0].expected()
    timed = memory is None and idle == stall == 0
    late = timed and outcome.cycles != cycles_of(jobs[:1], config)
    return replace(
        sofar,
        done=sofar.done + 1,
        integers=sofar.integers + wanted.size,
        unequal=sofar.unequal + int((outcome.results[0] != wanted).sum()),
        resets=sofar.resets + reset,
        timed=sofar.timed + timed,
        late=sofar.late + late,
    )


def random_config(rng: np.random.Generator) -> HardwareConfig:
    """Return a small circuit of any kind, with any parameter at either end of what is small."""
    lanes, act_bits = int(rng.integers(1, 25)), int(rng.integers(1, 10))
    kind, ternary = str(rng.choice(KINDS)), bool(rng.integers(0, 2))
    weights = int(rng.integers(1, 4))
    paired = kind != "popcount" and ternary
    most = (1 << weights) - 1 if kind == "popcount" else weights
    return HardwareConfig(
        k=2 * weights if paired else weights,
        pe=int(rng.integers(1, 9)),
        lanes=lanes,
        act_bits=act_bits,
        act_signed=act_bits > 1 and bool(rng.integers(0, 2)),
        kind=kind,
        digit=int(rng.integers(1, act_bits + 1)),
        ternary=ternary,
        table=int(rng.integers(2, 5)),
        stage_every=int(rng.integers(0, 4)),
        mapping=str(rng.choice(MAPPINGS)),
        terms=int(rng.integers(0, most + 1)),
        columns=lanes * int(rng.integers(1, 9)),
        requantize_bits=int(rng.choice([0, 2, 8, 13])),
        weight_words=int(rng.integers(2, 9)),
        views=int(rng.integers(1, 4)),
        exponents=int(rng.choice([0, 0, 1, 6])) if act_bits > 1 else 0,
    )
