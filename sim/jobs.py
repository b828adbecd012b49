"""Jobs for the circuit: stages with their inputs, as stream words; and the integers due."""

from collections.abc import Sequence
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
        The stage, or both, as the circuit reads it; laid out when it is needed if not given.
    words : Words or None
        The codes as the circuit reads them, likewise.
    link : Stage or None
        The second stage of a chain, to which the circuit gives the results itself.
    """

    stage: Stage
    codes: NDArray[np.integer]
    chain_bits: int = 16
    laid: Image | None = None
    words: Words | None = None
    exponents: NDArray[np.integer] | None = None
    link: Stage | None = None

    def tiling(self, config: HardwareConfig) -> Tiling:
        """Lay the stage over a circuit."""
        return self.laid.tiling if self.laid else Tiling.of(self.stage, config, self.chain_bits)

    def steps(self, config: HardwareConfig) -> int:
        """Cycles in which the array works on the job."""
        return sum(tiling.steps for tiling in self.tilings(config)) * len(self.codes)

    def cycles(self, config: HardwareConfig) -> int:
        """Cycles of the job after another one."""
        return sum(tiling.cycles for tiling in self.tilings(config)) * len(self.codes)

    def tilings(self, config: HardwareConfig) -> list[Tiling]:
        """Lay out all stages of the job."""
        first = self.tiling(config)
        if self.link is None:
            return [first]
        bits = self.stage.requantize.bits if self.stage.requantize else 16
        return [first, Tiling.of(self.link, config, bits)]

    def lane_steps(self, config: HardwareConfig) -> int:
        """Lanes of the array that have work of the job, over all rows and steps."""
        stages = [self.stage] if self.link is None else [self.stage, self.link]
        return len(self.codes) * sum(
            stage.columns * stage.out * tiling.views * tiling.terms * tiling.digits
            for stage, tiling in zip(stages, self.tilings(config), strict=True)
        )

    @property
    def last(self) -> Stage:
        """The stage whose results are the job's."""
        return self.link or self.stage

    def image(self, config: HardwareConfig) -> Image:
        """Return the stage as the circuit reads it."""
        if self.laid is not None:
            return self.laid
        if self.link is None:
            return image(self.stage, config, self.chain_bits)
        second = self.tilings(config)[1]
        first = image(self.stage, config, self.chain_bits, second.row_words)
        bits = self.stage.requantize.bits if self.stage.requantize else 16
        return joined(first, image(self.link, config, bits))

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
        link = self.link is not None
        return activation_words(self.codes, self.stage, config, self.exponents, link)

    def feeds(self, config: HardwareConfig) -> dict[str, tuple[Words, int]]:
        """Words of each input stream, and how often they come: all but activations each token."""
        laid, tokens = self.image(config), len(self.codes)
        feeds = {name: (getattr(laid, name), tokens) for name in STREAMS if name != "activations"}
        return feeds | {"activations": (self.activations(config), 1)}

    def output_words(self, config: HardwareConfig) -> int:
        """Words of the output stream."""
        tiles = self.tilings(config)[-1].row_tiles
        return tiles * config.slots * len(self.codes) * self.last.result_views

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
        if self.link is not None:
            codes = chain_codes(self.stage, torch.from_numpy(accumulators))
            return ReadyStage(self.link).accumulate(codes).numpy()
        codes = chain_codes(self.stage, torch.from_numpy(accumulators)).numpy().astype(np.int64)
        return codes if self.stage.result_views > 1 else codes[:, 0]


def can_link(stages: Sequence[Stage], config: HardwareConfig) -> bool:
    """Return whether a circuit can run both stages of a path by itself."""
    if not config.link or len(stages) == 1:
        return False
    last = stages[1]
    whole = last.group >= last.columns or last.group % config.lanes == 0
    return whole and last.transform is None and last.bias is None


def cycles_of(jobs: list[Job], config: HardwareConfig) -> int:
    """Cycles of jobs that follow each other, from their first input to their last output.

    Those of the tilings; the last one's further views of results leave after its first; and a row
    tile waits that would end before all views of a job before it have left.
    """
    leave = [job.last.result_views * config.slots for job in jobs]
    links = sum(link_gap(job, config) * len(job.codes) for job in jobs)
    first_tiles = [first_tile(job.tiling(config)) for job in jobs]
    waits = sum(max(0, a - b) for a, b in zip(leave, first_tiles[1:], strict=False))
    cycles = sum(job.cycles(config) for job in jobs) - jobs[0].tiling(config).first_pause
    return cycles + waits + links + config.latency + leave[-1] - config.slots


def first_tile(tiling: Tiling) -> int:
    """Return the cycles of a row tile."""
    return tiling.cycles // tiling.row_tiles


def link_gap(job: Job, config: HardwareConfig) -> int:
    """Return the cycles that a linked stage waits for the results of the one before it.

    A word of its activations is there once the row tile with its last row has gone through the
    pipeline and the link, one word a cycle; the first row tile meets each as soon as it is there.
    """
    if job.link is None:
        return 0
    first, second = job.tilings(config)
    tile, views = first_tile(first), second.views
    through = config.latency - 2 - config.slots + first.views * config.slots
    each, read, now = second.terms * second.digits, 0, first.steps
    for word in range(second.row_words):
        tiles = min(first.row_tiles - 1, ((word + 1) * config.lanes - 1) // config.pe)
        ended = (tiles + 1) * tile - 1
        for _ in range(views):
            read = max(read + 1, ended + through)
            now = max(now, read + 2) + each
    return now - first.steps - first_tile(second)


def joined(first: Image, second: Image) -> Image:
    """Return the words of two images that follow each other in each stream."""
    words = {}
    for name in STREAMS:
        if name != "activations":
            parts = [getattr(first, name), getattr(second, name)]
            words[name] = np.concatenate([part for part in parts if len(part)] or parts[:1])
    return Image(first.tiling, **words)


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
    byte, bit = divmod(output_layout(config)["last"].offset, 8)
    found, start = [], 0
    for job in jobs:
        part = words[start : start + job.output_words(config)]
        start += len(part)
        marks = (part[:, byte] >> bit & 1).reshape(len(job.codes), -1)
        if marks[:, :-1].any() or not marks[:, -1].all():
            raise ValueError("the last word of a layer, and only it, must be marked last")
        found.append(results(part, job.last.out, config, job.last.result_views))
    return found


def to_integers(words: Words) -> list[int]:
    """Return words as integers."""
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def from_integers(integers: list[int], config: HardwareConfig) -> Words:
    """Return output words that are given as integers."""
    size = -(-output_layout(config).size // 8)
    joined = b"".join(integer.to_bytes(size, "little") for integer in integers)
    return np.frombuffer(joined, np.uint8).reshape(-1, size)
