"""The generated circuit, Verilated in this process and run on jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from sim.counts import count_ones
from sim.drive import Event, drive
from sim.jobs import STREAMS, Job, feeds_of, read_results, to_integers
from sim.library import build_library
from sim.memory import Behind, Memory
from sim.transfers import tile_words, transfers
from sim.verilated import Verilated

_UPSETS = """\
`verilator_config
public_flat_rw -module "scaler" -var "totals"
public_flat_rw -module "scaler" -var "group_sums"
"""


@dataclass(frozen=True)
class Outcome:
    """What jobs gave on the circuit.

    Attributes
    ----------
    results : list of int64, (tokens, out)
        One array a job.
    cycles : int
        From the cycle of the first activation word to that of the last output word, both counted.
    total_cycles : int
        The same, from the first cycle after the reset: the first word's way from memory included.
    """

    results: list[NDArray[np.int64]]
    cycles: int
    total_cycles: int


class Engine:
    """A circuit of one configuration; every run begins with a reset.

    Building takes from seconds to a minute the first time, and is kept.

    Parameters
    ----------
    waves : Path or None
        FST file to write.
    upsets : bool
        Bits of accumulators can be turned, see :meth:`flip`.
    library : Path or None
        That of another engine of the same configuration, which need not be built again.

    Attributes
    ----------
    config : HardwareConfig
    """

    def __init__(
        self,
        config: HardwareConfig,
        waves: Path | None = None,
        library: Path | None = None,
        upsets: bool = False,
    ) -> None:
        self.config = config
        self._dut = Verilated(library or build(config, waves is not None, upsets))
        if waves is not None:
            self._dut.trace(waves)

    @property
    def library(self) -> Path:
        """The shared library of the circuit."""
        return self._dut.library

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
        memory: Memory | None = None,
        events: Sequence[Event] = (),
        progress: Callable[[int], object] = lambda words: None,
    ) -> Outcome:
        """Run jobs one after the other, without a pause between them.

        Parameters
        ----------
        idle, stall : float
            Probability that an input pauses before a word, and that the output refuses one.
        memory : Memory or None
            Where the words of the jobs come from; None gives each when the circuit is ready.
        events : sequence of (cycle, callable)
            What to do before a cycle after the reset, cycles in order.
        progress : callable
            Told the number of output words from time to time.

        Raises
        ------
        RuntimeError
            The circuit is stuck.
        ValueError
            The circuit cannot run a job; see :meth:`hwgen.tiling.Tiling.of`.
        """
        feeds = {f"i_{name}": feed for name, feed in feeds_of(jobs, self.config).items()}
        wanted = sum(job.output_words(self.config) for job in jobs)
        behind = None
        if memory and any(job.link is not None for job in jobs):
            raise ValueError("jobs behind a memory must be of single stages, got a chain linked")
        if memory:
            order, tile = transfers(jobs, self.config), tile_words(jobs, self.config)
            behind = Behind(memory, order, tile)
        self._reset()
        done = drive(
            self._dut, feeds, "o", wanted,
            idle=idle, stall=stall, seed=seed, memory=behind, events=events, progress=progress,
        )  # fmt: skip
        results = read_results(done.words, jobs, self.config)
        return Outcome(results, done.cycles - done.first["i_activations"], done.cycles)

    def flip(self, scaler: int, memory: str, element: int, bit: int) -> None:
        """Turn a bit of ``totals`` or ``group_sums`` of a scaler, if made with ``upsets``."""
        scope = f"TOP.top.scaling.scaler_{scaler}".encode()
        self._dut.call("dut_flip", scope, memory.encode(), element, bit)

    def spin(self, jobs: list[Job], cycles: int) -> None:
        """Clock the circuit from a reset, each input stuck at the first word of the jobs.

        With vectors of one word, the array works without end.
        """
        self._reset()
        for name, feed in feeds_of(jobs, self.config).items():
            words = [word for words, _ in feed for word in to_integers(words[:1])]
            if words:
                self._dut[f"i_{name}__payload"] = words[0]
                self._dut[f"i_{name}__valid"] = 1
        self._dut["o__ready"] = 1
        self._dut.clock(cycles)

    def _reset(self) -> None:
        for name in STREAMS:
            self._dut[f"i_{name}__valid"] = 0
        self._dut["o__ready"] = 0
        self._dut.reset(2)


def build(
    config: HardwareConfig, waves: bool = False, upsets: bool = False, cache: Path | None = None
) -> Path:
    """Return the library of a circuit; ``cache`` as in :func:`sim.library.build_library`."""
    with TemporaryDirectory(prefix="planesmith-") as folder:
        source, control = Path(folder, "top.v"), Path(folder, "upsets.vlt")
        source.write_text(count_ones(verilog(config)))
        control.write_text(_UPSETS)
        return build_library([source, control] if upsets else [source], "top", cache, waves)
