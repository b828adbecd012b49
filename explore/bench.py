"""Benchmarks of the engine: prices a second, a second worker's worth, what samplers find.

``python -m explore.bench prices``, ``workers`` and ``samplers``.
"""

import shutil
import tempfile
import time
from argparse import Namespace
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from cost.technology import memories
from explore.analytic import estimates
from explore.candidate import Candidate
from explore.circuits import prime, question_of
from explore.elements import inputs_of
from explore.front import front
from explore.search import Found, grid, sampled
from explore.space import Cells, Space, read_space
from explore.task import Task
from explore.workers import workers
from models.cli import Commands, run

PROGRAM = "python -m explore.bench"
MOST_SECONDS = 120.0
LEAST_GAIN = 1.7
FORMATS = 4
"""Of the default space, that samplers are tried on."""


def prices(arguments: Namespace) -> None:
    """Price so many candidates, all different, in one process."""
    space = read_space()
    axes = space.candidates | {
        "pe": [8, 16, 32, 64, 96, 128, 256, 512], "lanes": [8, 16, 24, 32, 36, 48, 64, 128],
        "memory": list(memories()), "technology": ["asap7", "sky130"],
        "clock": [100.0, 250.0, 500.0, 1000.0],
    }  # fmt: skip
    large = replace(space, candidates=axes)
    begin, used = time.perf_counter(), time.process_time()
    every = (one for one in large.grid() if isinstance(one, Candidate))
    count = 0
    while part := list(islice(every, min(1000, arguments.points - count))):
        count += len(estimates(large, part).ends)
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    limit = MOST_SECONDS * count / 100_000
    print(f"{count} candidates in {wall:.1f} s, {cpu:.1f} s of one processor: "
          f"{wall / limit:.2f} of {limit:g} s, the limit")  # fmt: skip


def gain(arguments: Namespace) -> None:
    """Synthesize the same elements with one worker and with two, in turns."""
    prime("yosys")
    took = {1: 0.0, 2: 0.0}
    for turn in range(arguments.rounds):
        for count in (1, 2) if turn % 2 == 0 else (2, 1):
            folder = Path(tempfile.mkdtemp(prefix="planesmith-"))
            try:
                took[count] += _synthesized(count, arguments.elements, folder)
            finally:
                shutil.rmtree(folder)
    ratio = took[1] / took[2]
    print(f"one worker {took[1]:.1f} s, two {took[2]:.1f} s, {arguments.rounds} times "
          f"{arguments.elements} elements: {ratio:.2f} times as many a second, "
          f"at least {LEAST_GAIN} wanted")  # fmt: skip


def _synthesized(count: int, elements: int, folder: Path) -> float:
    """Return the seconds for the elements, starting of workers apart."""
    with workers(count, None, folder) as some:
        for _ in some.run([_task(lanes) for lanes in range(2, 2 + count)]):
            pass
        begin = time.perf_counter()
        tasks = [_task(lanes) for lanes in range(16, 16 + elements)]
        answers = [outcome.answer for _, outcome in some.run(tasks)]
        took = time.perf_counter() - begin
    if not all(answers):
        raise RuntimeError("elements must all be synthesized, got some that failed")
    return took


def _task(lanes: int) -> Task:
    inputs = inputs_of("synthesize", Candidate("ternary", "addsub", lanes=lanes), Cells())
    return Task("synthesize", inputs, question_of("synthesize", inputs))


def few_formats() -> Space:
    """Return the default space with its first formats only."""
    space = read_space()
    formats = space.candidates["format"][:FORMATS]
    return replace(space, candidates=space.candidates | {"format": formats})


def fronts(whole: Found) -> set[int]:
    """Return the places of a grid that are on the front of their format's energy, speed, area."""
    values = whole.estimates.ends.mean(2)[:, :3] * (1, -1, 1)
    best = set[int]()
    for form in {one.format for one in whole.candidates}:
        own = np.array([n for n, one in enumerate(whole.candidates) if one.format == form])
        best |= set(own[front(values[own])].tolist())
    return best


def samplers(arguments: Namespace) -> None:
    """Sample some of a grid, and count what is on its fronts."""
    space = few_formats()
    whole = grid(space)
    best, count = fronts(whole), len(whole.candidates)
    places = {candidate: place for place, candidate in enumerate(whole.candidates)}
    for seed in range(1, 1 + arguments.seeds):
        found = {places[one] for one in sampled(space, arguments.points, seed).candidates}
        chance = len(best) * len(found) / count
        print(f"seed {seed}: {len(found)} of {count} candidates, {len(best & found)} of the "
              f"{len(best)} on fronts; by chance {chance:.0f}")  # fmt: skip


def main() -> None:
    """Parse the command line and do what it says."""
    commands = Commands(PROGRAM, "Time the engine of explorations.", f"{PROGRAM} prices")
    sub = commands.add("prices", "Price candidates in one process.", prices)
    sub.add_argument("--points", type=int, default=100_000, help="(default: 100000)")
    sub = commands.add("workers", "Synthesize with one worker and with two.", gain)
    sub.add_argument("--elements", type=int, default=14, help="(default: 14)")
    sub.add_argument("--rounds", type=int, default=2, help="(default: 2)")
    sub = commands.add(
        "samplers", "Sample some of a grid, and count what is on its fronts.", samplers
    )
    sub.add_argument("--points", type=int, default=320, help="(default: 320)")
    sub.add_argument("--seeds", type=int, default=3, help="(default: 3)")
    commands.run()


if __name__ == "__main__":
    run(PROGRAM, main)
