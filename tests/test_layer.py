"""Figures of a layer that ran: what they say does not depend on how activations are cut up."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from builders import bitnet

from hwgen.config import HardwareConfig
from sim.drive import Event
from sim.engine import Engine, Outcome
from sim.jobs import Job
from sim.layer import run_layer
from sim.memory import Memory


class Faultless(Engine):
    """Gives what is due, in the cycles that are predicted, without a circuit."""

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config

    def run(
        self,
        jobs: list[Job],
        *,
        idle: float = 0.0,
        stall: float = 0.0,
        seed: int = 0,
        memory: Memory | None = None,
        events: Sequence[Event] = (),
        progress: Callable[[int], object] = lambda words: None,
    ) -> Outcome:
        steps = sum(job.steps(self.config) for job in jobs)
        cycles = steps + self.config.latency
        return Outcome([job.expected() for job in jobs], cycles, cycles)


@pytest.mark.parametrize(("act_bits", "digit"), [(8, 1), (8, 2), (8, 8), (9, 2), (9, 4)])
def test_utilization(act_bits: int, digit: int) -> None:
    """All of the steps for a layer that fills tiles and words; half for half as many rows."""
    config = HardwareConfig(pe=4, lanes=8, act_bits=act_bits, digit=digit)
    x = torch.ones(3, 32)
    for out, share in ((8, 1.0), (2, 0.5)):
        run = run_layer(bitnet(np.random.default_rng(out), out, 32), x, Faultless(config))
        assert run.verified
        steps = run.measured - config.latency
        assert steps == 3 * -(-out // 4) * 4 * 2 * config.digits
        assert run.utilization == pytest.approx(share * steps / run.measured)
