"""Jobs for the circuit: stages with their inputs, as stream words; and the integers due."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.image import Image, Words, activation_words, image, results
from hwgen.layouts import output_layout
from hwgen.tiling import Tiling
from models.encode import Codes
from models.reference import ReadyStage, chain_codes
from models.stage import Stage

STREAMS = ("layers", "weights", "activations", "coefficients", "offsets", "scales")
"""Input streams of the circuit."""


@dataclass(frozen=True)
class Job:
    """A stage to run on input vectors, one after the other.

    Attributes
    ----------
    stage : Stage
    codes : integers, (tokens, columns), or (tokens, views, columns) of several views
    chain_bits : int
        Bits of the codes of a chain's second stage.
    exponents : integers, (tokens, groups), or None
        Those of the codes of groups.
    laid : Image or None
        The stage as the circuit reads it; laid out when it is needed if not given.
    words : Words or None
        The codes as the circuit reads them, likewise.
    """

    stage: Stage
    codes: NDArray[np.integer]
    chain_bits: int = 16
    laid: Image | None = None
    words: Words | None = None
    exponents: NDArray[np.integer] | None = None

    def tiling(self, config: HardwareConfig) -> Tiling:
        """Lay the stage over a circuit."""
        return self.laid.tiling if self.laid else Tiling.of(self.stage, config, self.chain_bits)

    def steps(self, config: HardwareConfig) -> int:
        """Cycles in which the array works on the job."""
        return self.tiling(config).steps * len(self.codes)

    def image(self, config: HardwareConfig) -> Image:
        """Return the stage as the circuit reads it."""
        return self.laid or image(self.stage, config, self.chain_bits)

    def activations(self, config: HardwareConfig) -> Words:
        """Return the codes as the circuit reads them."""
        if self.words is not None:
            return self.words
        low, high = config.code_range
        if self.codes.min() < low or self.codes.max() > high:
            raise ValueError(
                f"activations must be from {low} to {high}, "
                f"got {self.codes.min()} to {self.codes.max()}"
            )
        return activation_words(self.codes, self.stage, config, self.exponents)

    def feeds(self, config: HardwareConfig) -> dict[str, tuple[Words, int]]:
        """Words of each input stream, and how often they come: all but activations each token."""
        laid, tokens = self.image(config), len(self.codes)
        feeds = {name: (getattr(laid, name), tokens) for name in STREAMS if name != "activations"}
        return feeds | {"activations": (self.activations(config), 1)}

    def output_words(self, config: HardwareConfig) -> int:
        """Words of the output stream."""
        return (
            self.tiling(config).row_tiles * config.slots * len(self.codes) * self.stage.result_views
        )

    def accumulators(self) -> NDArray[np.int64]:
        """Return the reference's accumulators: (tokens, out)."""
        shape = (len(self.codes), self.stage.views, -1)
        values = torch.from_numpy(self.codes.astype(np.int32)).reshape(shape)
        powers = (
            None if self.exponents is None else torch.from_numpy(self.exponents.astype(np.int32))
        )
        codes = Codes(values, powers, torch.ones(len(values)))
        return ReadyStage(self.stage).accumulate(codes.weighted(self.stage.group)).numpy()

    def expected(self) -> NDArray[np.int64]:
        """Return what the circuit must put out, requantized or not.

        Returns
        -------
        int64, (tokens, out), or (tokens, views, out) of several views of results
        """
        accumulators = self.accumulators()
        if self.stage.requantize is None:
            return accumulators
        codes = chain_codes(self.stage, torch.from_numpy(accumulators)).numpy().astype(np.int64)
        return codes if self.stage.result_views > 1 else codes[:, 0]


def cycles_of(jobs: list[Job], config: HardwareConfig) -> int:
    """Cycles of jobs that follow each other, from their first input to their last output.

    Those of the tilings; the last one's further views of results leave after its first; and a row
    tile waits that would end before all views of a job before it have left.
    """
    leave = [job.stage.result_views * config.slots for job in jobs]
    first_tiles = [
        job.steps(config) // len(job.codes) // job.tiling(config).row_tiles for job in jobs
    ]
    waits = sum(max(0, a - b) for a, b in zip(leave, first_tiles[1:], strict=False))
    steps = sum(job.steps(config) for job in jobs)
    return steps + waits + config.latency + leave[-1] - config.slots


def feeds_of(jobs: list[Job], config: HardwareConfig) -> dict[str, list[tuple[Words, int]]]:
    """Words of each input stream for jobs that follow each other."""
    each = [job.feeds(config) for job in jobs]
    return {name: [feeds[name] for feeds in each] for name in STREAMS}


def read_results(words: Words, jobs: list[Job], config: HardwareConfig) -> list[NDArray[np.int64]]:
    """Split the output stream into the results of each job, as :meth:`Job.expected` has them.

    Raises
    ------
    ValueError
        A word is marked as the last of a layer and is not, or the other way round.
    """
    byte, bit = divmod(output_layout(config).size - 1, 8)
    found, start = [], 0
    for job in jobs:
        part = words[start : start + job.output_words(config)]
        start += len(part)
        marks = (part[:, byte] >> bit).reshape(len(job.codes), -1)
        if marks[:, :-1].any() or not marks[:, -1].all():
            raise ValueError("the last word of a layer, and only it, must be marked last")
        found.append(results(part, job.stage.out, config, job.stage.result_views))
    return found


def to_integers(words: Words) -> list[int]:
    """Return words as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def from_integers(integers: list[int], config: HardwareConfig) -> Words:
    """Return output words that are given as integers."""
    size = -(-output_layout(config).size // 8)
    joined = b"".join(integer.to_bytes(size, "little") for integer in integers)
    return np.frombuffer(joined, np.uint8).reshape(-1, size)
