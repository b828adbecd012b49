"""An engine of gates on the row tiles of a real layer: its integers, its area and its energy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost.cells import Library
from cost.recipe import Recipe
from cost.whole import RESET, Streams, measure_whole, record
from fpga.tools import tool_version
from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from hwgen.image import results, row_tiles
from sim.jobs import STREAMS, Job, cycles_of

SEQUENCES = 64

FILL = 8
"""Cycles, more than enough, from the first words to the first step."""


def tile_streams(job: Job, config: HardwareConfig) -> tuple[Streams, NDArray[np.int64]]:
    """Return streams in which each sequence runs one of a layer's row tiles on all tokens.

    Returns
    -------
    Streams
    int64, (sequences, tokens, pe)
        What must come out.
    """
    tiles = row_tiles(job.image(config), job.stage, config)
    chosen = [tiles[number * len(tiles) // SEQUENCES] for number in range(SEQUENCES)]
    tokens = len(job.codes)
    words = {
        name: np.stack([np.concatenate([getattr(tile, name)] * tokens) for tile in chosen])
        for name in STREAMS
        if name != "activations"
    }
    words["activations"] = np.stack([job.activations(config)] * SEQUENCES)
    due = job.expected()
    due = np.pad(due, ((0, 0), (0, -due.shape[1] % config.pe)))
    due = due.reshape(tokens, -1, config.pe).transpose(1, 0, 2)
    numbers = np.arange(SEQUENCES) * len(tiles) // SEQUENCES
    cycles = RESET + FILL + cycles_of([job], config) // len(tiles) + config.latency
    return Streams(words, config.slots * tokens, cycles), due[numbers]


def integers_of(put_out: NDArray[np.uint8], config: HardwareConfig) -> NDArray[np.int64]:
    """Read output words, (sequences, words, bytes): (sequences, tokens, pe)."""
    return np.stack([results(words, config.pe, config) for words in put_out])


def measure_engine(
    job: Job, config: HardwareConfig, library: Library, recipe: Recipe, dont_use: list[str]
) -> dict[str, Any]:
    """Synthesize an engine, run row tiles of a job on its gates, and return figures to keep.

    Raises
    ------
    RuntimeError
        Integers differ from those of the reference.
    """
    streams, due = tile_streams(job, config)
    whole, put_out = measure_whole(verilog(config), library, recipe, dont_use, streams)
    got = integers_of(put_out, config)
    if not np.array_equal(got, due):
        wrong = int((got != due).sum())
        raise RuntimeError(f"gates must give the reference's integers, got {wrong} others")
    tiling = job.tiling(config)
    return record(config, whole, {
        "library": library.name, "voltage": library.voltage, "yosys": tool_version("yosys"),
        "integers_equal": int(due.size), "cycles": streams.cycles - RESET,
        "group_words": tiling.group_words, "terms": tiling.terms, "tokens": len(job.codes),
    })  # fmt: skip
