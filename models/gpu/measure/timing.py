"""Times and joules of calls on a GPU, on data that no cache holds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from models.gpu.measure.nvml import Nvml

ROUNDS = 15
"""Replays that a median is of."""
MOST_COPIES = 256
TIMES_CACHE = 3
"""Bytes of all copies over the size of the L2 cache."""
LEAST = 64
"""Calls of a recording: starting a graph takes some microseconds, which all of them share."""
SECONDS = 2.0
"""Least time over which energy is read."""


def copies(size: int) -> int:
    """Return how many copies of so many bytes exceed the cache, at most ``MOST_COPIES``."""
    cache = torch.cuda.get_device_properties(0).L2_cache_size
    return min(-(-TIMES_CACHE * cache // size), MOST_COPIES)


@dataclass
class Recording:
    """Calls, one on each copy of the data, recorded as one CUDA graph.

    Parameters
    ----------
    calls : functions
        Each works on its own copy; results are kept, so that nothing is left out.
    least : int
        They go round until there are so many.
    """

    calls: Sequence[Callable[[], object]]
    least: int = LEAST
    results: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # allocations and set-up happen before the recording
            for call in self.calls[:3]:
                call()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self.results = [call() for _ in range(self._rounds) for call in self.calls]

    @property
    def count(self) -> int:
        """Calls of one replay."""
        return self._rounds * len(self.calls)

    @property
    def _rounds(self) -> int:
        return -(-self.least // len(self.calls))

    def seconds(self, rounds: int = ROUNDS) -> list[float]:
        """Time of a call in each of some rounds, sorted; two rounds before them warm up."""
        times = []
        for _ in range(rounds + 2):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            self._graph.replay()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end) / 1e3 / self.count)
        return sorted(times[2:])

    def joules(self, nvml: Nvml, idle_watts: float) -> dict[str, float]:
        """Energy of a call, with what the GPU takes when idle and without.

        The counter moves some times a second, so replays go on for ``SECONDS`` or more.
        """
        torch.cuda.synchronize()
        calls, before, start = 0, nvml.joules, time.perf_counter()
        while time.perf_counter() - start < SECONDS:
            for _ in range(8):
                self._graph.replay()
            torch.cuda.synchronize()
            calls += 8 * self.count
        took, used = time.perf_counter() - start, nvml.joules - before
        return {
            "seconds": took, "calls": calls, "joules": used, "joules_per_call": used / calls,
            "joules_per_call_over_idle": (used - idle_watts * took) / calls,
        }  # fmt: skip


def median(times: Sequence[float]) -> float:
    """Return the middle one of sorted times."""
    return times[len(times) // 2]


def copy_bandwidth(size: int = 1 << 30) -> dict[str, object]:
    """Measure a copy within the GPU's memory; bytes read and written, each second."""
    source = torch.randint(0, 256, (size,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    times = Recording([lambda: target.copy_(source)]).seconds()
    return {"bytes": 2 * size, "seconds": times, "bytes_per_second": 2 * size / median(times)}


def idle_watts(nvml: Nvml, seconds: float = 3.0) -> float:
    """Measure the power of the GPU while nothing runs, after a second's rest."""
    torch.cuda.synchronize()
    time.sleep(1.0)
    before, start = nvml.joules, time.perf_counter()
    time.sleep(seconds)
    return (nvml.joules - before) / (time.perf_counter() - start)
