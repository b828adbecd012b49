"""Cycles of layers on a circuit behind a memory: which of the two each one waits for.

The circuit and the memory work side by side, as words are read ahead, so a layer takes as long as
the slower one, and once the way through both. ``tests/test_system.py`` holds it against the RTL
with a memory of just these figures.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hwgen.config import HardwareConfig
from models.bitplane import BitplaneLayer
from models.checks import require
from models.cli import nearest
from sim.jobs import Job
from sim.laid import lay_out_chain
from sim.memory import Memory, Part
from sim.transfers import bytes_of, transfers, word_sizes


@dataclass(frozen=True)
class Duty:
    """What jobs that follow each other ask of circuit and memory.

    Attributes
    ----------
    name : str
    compute : int
        Cycles without a memory limit, from the first activation word to the last result.
    memory : int
        Cycles from the first word's request to the last result, if the circuit only had to wait.
    first : int
        Cycles until the first words are there.
    transfer : int
        Cycles that the transfers take.
    transferred : int
        Bytes.
    """

    name: str
    compute: int
    memory: int
    first: int
    transfer: int
    transferred: int

    @property
    def cycles(self) -> int:
        """Cycles from the first word's request to the last result."""
        return max(self.first + self.compute, self.memory)

    @property
    def bound(self) -> str:
        """Which of the two the layer waits for: ``compute`` or ``memory``."""
        return "compute" if self.first + self.compute >= self.memory else "memory"

    @property
    def stalled(self) -> int:
        """Cycles in which the array waits."""
        return self.cycles - self.compute


def duty(name: str, jobs: list[Job], config: HardwareConfig, memory: Memory) -> Duty:
    """Predict the cycles of jobs that follow each other."""
    order, sizes = transfers(jobs, config), word_sizes(config)
    transferred = bytes_of(order, sizes)
    transfer = memory.cycles(transferred)
    steps = sum(job.steps(config) for job in jobs)
    beginning = sizes["weights"] + sizes["activations"]
    last_word = jobs[-1].tiling(config).terms * config.digits
    return Duty(
        name=name,
        compute=steps + config.latency,
        memory=memory.latency + transfer + last_word + config.latency,
        first=memory.latency + memory.cycles(beginning),
        transfer=transfer,
        transferred=transferred,
    )


def layer_duties(
    layer: BitplaneLayer, config: HardwareConfig, memory: Memory, tokens: int
) -> list[Duty]:
    """Predict the stages of a layer for so many tokens, each run on its own by one engine."""
    duties = []
    for number, path in enumerate(layer.paths):
        for step, laid in enumerate(lay_out_chain(path.stages, config, 1)):
            codes = np.zeros((tokens, laid.stage.columns), np.int64)
            (jobs,) = laid.jobs(codes, config)
            parts = [layer.name]
            parts += [f"path {number}"] if len(layer.paths) > 1 else []
            parts += [f"stage {step}"] if len(path.stages) > 1 else []
            duties.append(duty(" ".join(parts), jobs, config, memory))
    return duties


@cache
def known_parts() -> dict[str, Part]:
    """Return the memory parts that are known by name."""
    table = tomllib.loads(Path(__file__).with_name("memories.toml").read_text())
    return {name: Part(**figures) for name, figures in table.items()}


def memory_of(name: str | None, bandwidth: float, clock_hz: float) -> Memory:
    """Return a part by its name, or without one a memory of this bandwidth and no latency.

    Parameters
    ----------
    bandwidth : float
        Bytes a second.
    """
    if name is None:
        return Memory(bandwidth / clock_hz)
    known = known_parts()
    require(name in known, "memory", f"be a known part ({nearest(name, known)})", name)
    return known[name].at(clock_hz)


def table(duties: Sequence[Duty], clock_hz: float) -> str:
    """Return what the layers of each kind, by the last part of their names, take together."""
    kinds: dict[str, list[Duty]] = {}
    for one in duties:
        kinds.setdefault(one.name.rpartition(".")[2], []).append(one)
    lines = [f"{'layers':<28}{'number':>7}{'cycles':>12}{'stalled':>10}{'MB':>9}  bound"]
    for kind, members in kinds.items():
        cycles = sum(member.cycles for member in members)
        stalled = sum(member.stalled for member in members)
        megabytes = sum(member.transferred for member in members) / 1e6
        bound = " and ".join(sorted({member.bound for member in members}))
        figures = f"{len(members):>7}{cycles:>12}{stalled:>10}{megabytes:>9.2f}"
        lines.append(f"{kind:<28}{figures}  {bound}")
    cycles = sum(one.cycles for one in duties)
    share = 100 * sum(one.stalled for one in duties) / cycles
    lines.append(f"{cycles} cycles, {share:.1f} % stalled, {cycles / clock_hz * 1e3:.3f} ms")
    return "\n".join(lines)
