"""Jobs for the circuit: stages with their inputs, as stream words; and the integers due."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.image import Image, Words, activation_words, image, results
from hwgen.layouts import output_layout
from hwgen.tiling import Tiling
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
    codes : integers, (tokens, columns)
    chain_bits : int
        Bits of the codes of a chain's second stage.
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
        return activation_words(self.codes, self.stage, config)

    def feeds(self, config: HardwareConfig) -> dict[str, tuple[Words, int]]:
        """Words of each input stream, and how often they come: all but activations each token."""
        laid, tokens = self.image(config), len(self.codes)
        feeds = {name: (getattr(laid, name), tokens) for name in STREAMS if name != "activations"}
        return feeds | {"activations": (self.activations(config), 1)}

    def output_words(self, config: HardwareConfig) -> int:
        """Words of the output stream."""
        return self.tiling(config).row_tiles * config.slots * len(self.codes)

    def accumulators(self) -> NDArray[np.int64]:
        """Return the reference's accumulators: (tokens, out)."""
        codes = torch.from_numpy(self.codes.astype(np.int32))[:, np.newaxis]
        return ReadyStage(self.stage).accumulate(codes).numpy()

    def expected(self) -> NDArray[np.int64]:
        """Return what the circuit must put out, requantized or not: (tokens, out)."""
        accumulators = self.accumulators()
        if self.stage.requantize is None:
            return accumulators
        return (
            chain_codes(self.stage, torch.from_numpy(accumulators))[:, 0].numpy().astype(np.int64)
        )


def feeds_of(jobs: list[Job], config: HardwareConfig) -> dict[str, list[tuple[Words, int]]]:
    """Words of each input stream for jobs that follow each other."""
    each = [job.feeds(config) for job in jobs]
    return {name: [feeds[name] for feeds in each] for name in STREAMS}


def read_results(words: Words, jobs: list[Job], config: HardwareConfig) -> list[NDArray[np.int64]]:
    """Split the output stream into the results of each job, (tokens, out).

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
        found.append(results(part, job.stage.out, config))
    return found


def to_integers(words: Words) -> list[int]:
    """Return words as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def from_integers(integers: list[int], config: HardwareConfig) -> Words:
    """Return output words that are given as integers."""
    size = -(-output_layout(config).size // 8)
    joined = b"".join(integer.to_bytes(size, "little") for integer in integers)
    return np.frombuffer(joined, np.uint8).reshape(-1, size)
