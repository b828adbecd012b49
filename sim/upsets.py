"""Bits that are wrong: where in a circuit's storage, and a stage run with them."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.layouts import width_of
from hwgen.tiling import Tiling
from models.stage import Stage
from sim.engine import Engine
from sim.jobs import Job
from sim.laid import lay_out
from sim.transfers import word_sizes

SITES = ("weights", "activations", "accumulators")


@dataclass(frozen=True)
class Storage:
    """The bits of a site that a stage uses, as a box to draw places from.

    Attributes
    ----------
    box : tuple of int
        Of weights and activations: words, bits of one. Of accumulators: cycles, scalers, elements,
        bits; the elements are first those of ``totals``, then those of ``group_sums``.
    """

    box: tuple[int, ...]

    @property
    def size(self) -> int:
        """Places in the box."""
        return int(np.prod(self.box, dtype=np.int64))

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.int64]:
        """Draw different places, if there are so many; int64, (places, dimensions)."""
        flat = rng.choice(self.size, min(count, self.size), replace=False)
        return np.stack(np.unravel_index(np.sort(flat), self.box), axis=1)


def storage(site: str, tiling: Tiling, config: HardwareConfig, tokens: int) -> Storage:
    """Return the bits of a site that a stage of this tiling uses for so many tokens.

    Bits of words are those of their last whole byte too, unused ones included, but for
    activations, whose marks are left out: a vector that ends elsewhere stops the circuit.
    """
    if site == "weights":
        return Storage((tiling.words, 8 * word_sizes(config)["weights"]))
    if site == "activations":
        words = tokens * tiling.row_words * tiling.views
        return Storage((words, config.lanes * config.act_bits))
    totals, sums = _elements(config)
    cycles = tiling.cycles * tokens + config.latency
    return Storage((cycles, config.scalers, totals + sums, config.acc_bits))


def _elements(config: HardwareConfig) -> tuple[int, int]:
    """Elements of the memories ``totals`` and ``group_sums`` of a scaler."""
    slots = width_of(config.slots - 1)
    return 1 << slots, 1 << (slots + width_of(config.most_terms - 1) + config.view_bits)


def run_upset(
    engine: Engine,
    stage: Stage,
    chain_bits: int,
    codes: NDArray[np.integer],
    exponents: NDArray[np.integer] | None,
    places: dict[str, NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Run a stage with bits turned at these places of each site.

    Weights are wrong for all tokens. An activation is wrong wherever it is used. A register is
    wrong from its cycle on, until it is written.

    Returns
    -------
    int64, (tokens, out), or (tokens, views, out) of several views of results
    """
    config = engine.config
    laid = lay_out(stage, config, 1, chain_bits)
    if "weights" in places:
        ((part, image),) = laid.parts
        image = replace(image, weights=_turned(image.weights, places["weights"]))
        laid = replace(laid, parts=((part, image),))
    jobs = laid.jobs(codes, config, exponents)[0]
    if "activations" in places:
        words = _turned(jobs[0].activations(config), places["activations"])
        jobs = [replace(job, words=words) for job in jobs]
    events = _flips(engine, jobs, places["accumulators"]) if "accumulators" in places else []
    return np.concatenate(engine.run(jobs, events=events).results, axis=-1)


def _flips(engine: Engine, jobs: list[Job], places: NDArray[np.int64]) -> list:
    """Return what turns the bits; those above the width of a group's sum are its sign's copies."""
    config = engine.config
    totals, _ = _elements(config)
    found = []
    for cycle, scaler, element, bit in places.tolist():
        memory, number = (
            ("totals", element) if element < totals else ("group_sums", element - totals)
        )
        top = config.acc_bits if memory == "totals" else config.sum_bits
        found.append((cycle, Flip(engine, scaler, memory, number, bit % top)))
    return found


@dataclass(frozen=True)
class Flip:
    """A bit of a register to turn when called."""

    engine: Engine
    scaler: int
    memory: str
    element: int
    bit: int

    def __call__(self) -> None:
        self.engine.flip(self.scaler, self.memory, self.element, self.bit)


def _turned(words: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return words with bits turned at (word, bit)."""
    words = words.copy()
    np.bitwise_xor.at(
        words, (places[:, 0], places[:, 1] // 8), np.uint8(1) << (places[:, 1] % 8).astype(np.uint8)
    )
    return words


def shared_out(rng: np.random.Generator, sizes: list[int], count: int) -> Counter[int]:
    """Share places out among storages in proportion to their sizes; places by index."""
    shares = np.array(sizes, np.float64) / sum(sizes)
    return Counter(rng.choice(len(sizes), count, p=shares).tolist())
