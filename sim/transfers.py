"""The order in which a circuit needs the words of its streams, and so reads them from memory."""

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig
from hwgen.layouts import activation_layout, layer_layout, parameter_layout, weight_layout
from hwgen.tiling import Tiling
from sim.jobs import STREAMS, Job
from sim.memory import REPLAYED

LAYOUTS = {
    "layers": layer_layout, "weights": weight_layout, "activations": activation_layout,
    "coefficients": parameter_layout, "offsets": parameter_layout, "scales": parameter_layout,
}  # fmt: skip
LAYERS, WEIGHTS, ACTIVATIONS, COEFFICIENTS, OFFSETS, SCALES = range(len(STREAMS))


def transfers(jobs: list[Job], config: HardwareConfig) -> NDArray[np.uint8]:
    """Return the stream of each word, as its index in ``STREAMS``, in the order of use.

    Each vector's activations come with the words of its first row tile. The description of a layer
    comes from elsewhere. The image of a job of one row tile stays in a buffer for its other tokens,
    whose words are marked as replayed; that of a larger job is read again for each token.
    """
    return np.concatenate([_job(job, config) for job in jobs])


def tile_words(jobs: list[Job], config: HardwareConfig) -> NDArray[np.int64]:
    """Return the words of each stream that a buffer holds of a row tile, for all its tokens.

    None where each vector is a run through all tiles, whose words are used once.
    """
    most = np.zeros(len(STREAMS), np.int64)
    for job in jobs:
        if job.tiling(config).row_tiles == 1 and len(job.codes) > 1:
            counts = np.bincount(_job(job, config) & ~np.uint8(REPLAYED), minlength=len(STREAMS))
            most = np.maximum(most, counts)
    return most


def _job(job: Job, config: HardwareConfig) -> NDArray[np.uint8]:
    tiling, tokens = job.tiling(config), len(job.codes)
    laid = job.image(config)
    tile = _tile(tiling, config, len(laid.offsets) > 0, len(laid.scales) > 0)
    with_activations = np.repeat(tile, np.where(tile == WEIGHTS, 1 + tiling.views, 1))
    places = np.flatnonzero(with_activations == WEIGHTS).reshape(-1, 1 + tiling.views)
    with_activations[places[:, 1:]] = ACTIVATIONS
    token = np.concatenate([with_activations, np.tile(tile, tiling.row_tiles - 1)])
    if tiling.row_tiles > 1:
        return np.tile(token, tokens)
    again = np.where(token == ACTIVATIONS, token, token | REPLAYED).astype(np.uint8)
    return np.concatenate([token, np.tile(again, tokens - 1)])


def _tile(tiling: Tiling, config: HardwareConfig, offsets: bool, scales: bool) -> NDArray[np.uint8]:
    """Words of a row tile, activations apart: each group's weights, then its parameters."""
    each = tiling.views * config.slots
    bundle = [COEFFICIENTS] * (tiling.terms * each) + [OFFSETS] * (offsets * each)
    group = [WEIGHTS] * tiling.group_words + bundle
    last = [WEIGHTS] * tiling.tail_words + bundle + [SCALES] * (scales * each)
    return np.array(group * (tiling.groups - 1) + last, np.uint8)


def bytes_of(order: NDArray[np.uint8], sizes: dict[str, int]) -> int:
    """Bytes that are transferred for words in this order.

    Parameters
    ----------
    sizes : dict of str to int
        Bytes of a word of each stream.
    """
    counts = np.bincount(order[order < REPLAYED], minlength=len(STREAMS))
    return sum(int(counts[index]) * sizes[name] for index, name in enumerate(STREAMS))


def word_sizes(config: HardwareConfig) -> dict[str, int]:
    """Bytes of a word of each stream: whole bytes, as memory has them."""
    return {name: -(-layout(config).size // 8) for name, layout in LAYOUTS.items()}
