"""The generated circuit, Verilated in this process and run on jobs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from sim.jobs import Job, read_results, stream_words
from sim.streams import Sink, Source
from sim.verilated import Verilated

PATIENCE = 100_000
"""Cycles without a transfer after which the circuit counts as stuck."""


@dataclass(frozen=True)
class Outcome:
    """What jobs gave on the circuit.

    Attributes
    ----------
    results : list of int64, (tokens, out)
        One array a job.
    cycles : int
        From the cycle of the first activation word to that of the last output word, both counted.
    """

    results: list[NDArray[np.int64]]
    cycles: int


class Engine:
    """A circuit of one configuration; every run begins with a reset.

    Building takes from seconds to a minute the first time, and is kept.

    Attributes
    ----------
    config : HardwareConfig
    """

    def __init__(self, config: HardwareConfig, waves: Path | None = None) -> None:
        self.config = config
        with TemporaryDirectory(prefix="planesmith-") as folder:
            source = Path(folder, "top.v")
            source.write_text(verilog(config))
            self._dut = Verilated.build([source], "top", waves=waves is not None)
        if waves is not None:
            self._dut.trace(waves)

    def close(self) -> None:
        """End the circuit and its waves."""
        self._dut.close()

    def run(
        self,
        jobs: list[Job],
        *,
        idle: float = 0.0,
        stall: float = 0.0,
        seed: int = 0,
        progress: Callable[[int], object] = lambda cycles: None,
    ) -> Outcome:
        """Run jobs one after the other, without a pause between them.

        Parameters
        ----------
        idle, stall : float
            Probability that an input pauses before a word, and that the output refuses one.
        progress : callable
            Told the number of output words each time one has come.

        Raises
        ------
        RuntimeError
            The circuit is stuck.
        ValueError
            The circuit cannot run a job; see :meth:`hwgen.tiling.Tiling.of`.
        """
        dut, rng = self._dut, np.random.default_rng(seed)
        sources = {
            name: Source(words, idle, rng)
            for name, words in stream_words(jobs, self.config).items()
        }
        sink = Sink(stall, rng)
        wanted = sum(job.output_words(self.config) for job in jobs)
        self._reset(list(sources))
        cycle, first, latest = 0, None, 0
        shown: dict[str, int | None] = dict.fromkeys(sources)
        while len(sink.words) < wanted:
            for name, source in sources.items():
                word = source.offer()
                dut[f"i_{name}__valid"] = word is not None
                if word is not None and word is not shown[name]:
                    dut[f"i_{name}__payload"] = shown[name] = word
            dut["o__ready"] = sink.ready()
            dut.eval()
            for name, source in sources.items():
                if source.end_cycle(bool(dut[f"i_{name}__ready"])):
                    latest = cycle
                    first = cycle if first is None and name == "activations" else first
            if sink.end_cycle(dut["o__payload"] if dut["o__valid"] else None):
                progress(len(sink.words))
                latest = cycle
            if cycle - latest > PATIENCE:
                raise RuntimeError(f"the circuit must go on, got {PATIENCE} cycles of nothing")
            dut.clock()
            cycle += 1
        cycles = cycle - (first or 0)
        return Outcome(read_results(sink.words, jobs, self.config), cycles)

    def _reset(self, streams: list[str]) -> None:
        for name in streams:
            self._dut[f"i_{name}__valid"] = 0
        self._dut["o__ready"] = 0
        self._dut.reset(2)
