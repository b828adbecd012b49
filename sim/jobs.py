"""Jobs for the circuit: stages with their inputs, as stream words; and the integers due."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.image import Words, activation_words, image, results
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
    """

    stage: Stage
    codes: NDArray[np.integer]
    chain_bits: int = 16

    def tiling(self, config: HardwareConfig) -> Tiling:
        """Lay the stage over a circuit."""
        return Tiling.of(self.stage, config, self.chain_bits)

    def steps(self, config: HardwareConfig) -> int:
        """Cycles in which the array works on the job."""
        return self.tiling(config).steps * len(self.codes)

    def words(self, config: HardwareConfig) -> dict[str, list[int]]:
        """Words of each input stream; the weights once for each token."""
        laid = image(self.stage, config, self.chain_bits)
        words = {
            name: to_integers(getattr(laid, name)) * len(self.codes)
            for name in STREAMS
            if name != "activations"
        }
        low, high = config.code_range
        if self.codes.min() < low or self.codes.max() > high:
            raise ValueError(
                f"activations must be from {low} to {high}, "
                f"got {self.codes.min()} to {self.codes.max()}"
            )
        words["activations"] = to_integers(activation_words(self.codes, self.stage, config))
        return words

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


def stream_words(jobs: list[Job], config: HardwareConfig) -> dict[str, list[int]]:
    """Words of each input stream for jobs that follow each other."""
    streams: dict[str, list[int]] = {name: [] for name in STREAMS}
    for job in jobs:
        for name, words in job.words(config).items():
            streams[name] += words
    return streams


def read_results(words: list[int], jobs: list[Job], config: HardwareConfig) -> list[NDArray]:
    """Split the output stream into the results of each job, (tokens, out).

    Raises
    ------
    ValueError
        A word is marked as the last of a layer and is not, or the other way round.
    """
    size, last_bit = -(-output_layout(config).size // 8), output_layout(config).size - 1
    found, start = [], 0
    for job in jobs:
        part = words[start : start + job.output_words(config)]
        start += len(part)
        layer = len(part) // len(job.codes)
        marks = [word >> last_bit for word in part]
        if marks != ([0] * (layer - 1) + [1]) * len(job.codes):
            raise ValueError("the last word of a layer, and only it, must be marked last")
        raw = np.array([list(word.to_bytes(size, "little")) for word in part], np.uint8)
        found.append(results(raw, job.stage.out, config))
    return found


def to_integers(words: Words) -> list[int]:
    """Return words as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words]
