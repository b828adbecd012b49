"""Several engines of one configuration that share the rows of a stage."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from sim.engine import Engine
from sim.jobs import cycles_of
from sim.laid import Laid


class Pool:
    """Engines that run side by side: one in the caller's thread, each other in one of its own.

    Attributes
    ----------
    config : HardwareConfig
    size : int
        Number of engines.
    ready_seconds : float
        Wall time until they were there: Verilog written, and the simulator built if it was not
        in the cache.
    """

    def __init__(self, config: HardwareConfig, size: int) -> None:
        self.config = config
        self.size = size
        start = time.perf_counter()
        self._first = Engine(config)
        self._others = [Engine(config, library=self._first.library) for _ in range(size - 1)]
        self.ready_seconds = time.perf_counter() - start
        self._threads = ThreadPoolExecutor(max(1, size - 1))

    def run(
        self,
        laid: Laid,
        codes: NDArray[np.integer],
        exponents: NDArray[np.integer] | None = None,
    ) -> tuple[NDArray[np.int64], int]:
        """Run a stage.

        Parameters
        ----------
        codes : integers, (tokens, views, columns)
        exponents : integers, (tokens, groups), or None

        Returns
        -------
        int64, (tokens, out), or (tokens, views, out) of several views of results
            Accumulators, requantized where the stage says so.
        int
            Cycles that one engine takes for the whole stage: every part is held against the
            number that follows from its tiling.

        Raises
        ------
        RuntimeError
            The circuit is stuck, or took another number of cycles than its tiling says.
        """
        parts = laid.jobs(codes, self.config, exponents)
        waiting = [
            self._threads.submit(engine.run, jobs)
            for engine, jobs in zip(self._others, parts[1:], strict=False)
        ]
        done = [self._first.run(parts[0]), *(future.result() for future in waiting)]
        for jobs, outcome in zip(parts, done, strict=True):
            due = cycles_of(jobs, self.config)
            if outcome.cycles != due:
                raise RuntimeError(f"the circuit must take {due} cycles, got {outcome.cycles}")
        results = [result for outcome in done for result in outcome.results]
        return np.concatenate(results, axis=-1), self.cycles(laid, len(codes))

    def cycles(self, laid: Laid, tokens: int) -> int:
        """Cycles that one engine takes for a stage, or for those that it links."""
        if laid.link is not None:
            codes = np.zeros((tokens, laid.stage.views, laid.stage.columns), np.int8)
            return cycles_of(laid.jobs(codes, self.config)[0], self.config)
        views = laid.stage.result_views
        more = (views - 1) * self.config.slots
        return laid.tiling.cycles * tokens + self.config.latency + more

    def close(self) -> None:
        """End the engines, once they have finished what they do."""
        self._threads.shutdown()
        for engine in (self._first, *self._others):
            engine.close()
