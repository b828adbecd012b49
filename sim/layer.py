"""Real layers on the circuit: every integer against the reference, cycles against the tiling."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hwgen.config import HardwareConfig
from models.bitplane import BitplaneLayer, Path
from models.encode import Codes, transform
from models.reference import Reference, chain_codes
from sim.engine import Engine
from sim.jobs import Job, can_link, cycles_of


@dataclass(frozen=True)
class LayerRun:
    """What a layer did on the circuit.

    Attributes
    ----------
    name : str
    out, inputs, tokens : int
    bits_per_weight : float
    integers, equal : int
        Output integers of all stages, and how many equal the reference's.
    predicted, measured : int
        Cycles.
    utilization : float
        Share of the array's lanes, over all rows and measured cycles, that had work of the layer.
    output : float32, (tokens, out)
        The reference's real output; the circuit's, where all integers are equal.
    """

    name: str
    out: int
    inputs: int
    tokens: int
    bits_per_weight: float
    integers: int
    equal: int
    predicted: int
    measured: int
    utilization: float
    output: NDArray[np.float32]

    @property
    def verified(self) -> bool:
        """Whether every integer and the number of cycles are as they must be."""
        return self.equal == self.integers and self.predicted == self.measured


def jobs_of(layer: BitplaneLayer, x: Tensor, config: HardwareConfig | None = None) -> list[Job]:
    """Return a job for each stage of each path, with the integers that really reach it.

    Parameters
    ----------
    x : float32, (tokens, inputs)
    config : HardwareConfig or None
        A circuit that may run both stages of a chain as one job.
    """
    reference = Reference(layer)
    jobs = []
    for index, path in enumerate(layer.paths):
        jobs += _chain(path, reference.codes(index, x), config)
    return jobs


def _chain(path: Path, codes: Codes, config: HardwareConfig | None) -> list[Job]:
    """Follow integers through the stages of a path."""
    exponents = None if codes.exponents is None else codes.exponents.numpy()
    jobs = [Job(path.stages[0], codes.values.numpy(), exponents=exponents)]
    if config is not None and can_link(path.stages, config):
        return [replace(jobs[0], link=path.stages[1])]
    for before, stage in pairwise(path.stages):
        accumulators = torch.from_numpy(jobs[-1].accumulators())
        values = chain_codes(before, accumulators)
        bits = before.requantize.bits if before.requantize else 16
        if stage.transform is not None:
            values = transform(values, stage.transform)
        jobs.append(Job(stage, values.numpy(), bits))
    return jobs


def run_layer(
    layer: BitplaneLayer,
    x: Tensor,
    engine: Engine,
    progress: Callable[[int], object] = lambda words: None,
) -> LayerRun:
    """Run a layer on the circuit and compare every integer with the reference.

    Parameters
    ----------
    x : float32, (tokens, inputs)
    progress : callable
        Told the number of output words so far.
    """
    config = engine.config
    jobs = jobs_of(layer, x, config)
    outcome = engine.run(jobs, progress=progress)
    wanted = [job.expected() for job in jobs]
    equal = sum(int((got == want).sum()) for got, want in zip(outcome.results, wanted, strict=True))
    useful = sum(job.lane_steps(config) for job in jobs)
    return LayerRun(
        name=layer.name,
        out=layer.out,
        inputs=layer.inputs,
        tokens=len(x),
        bits_per_weight=layer.bits_per_weight,
        integers=sum(want.size for want in wanted),
        equal=equal,
        predicted=cycles_of(jobs, config),
        measured=outcome.cycles,
        utilization=useful / (outcome.cycles * config.pe * config.lanes),
        output=Reference(layer)(x).numpy(),
    )
