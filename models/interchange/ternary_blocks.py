"""Bitplane layers as blocks of GGUF's ternary types, where nothing is lost."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.checks import require
from models.interchange.blocks import TRITS
from models.reference import integer_weights

BLOCK = 256
"""Weights that share a scale."""
ROWS = 256
"""Rows that are looked at together, in float64."""


def ternary_blocks(layer: BitplaneLayer, kind: str) -> NDArray[np.uint8]:
    """Pack a layer's weights in blocks of a scale and 256 numbers -1, 0 or 1, exactly.

    Parameters
    ----------
    kind : str
        One of ``PACKERS``. A block of zeros has scale 0.

    Returns
    -------
    uint8, (out, bytes)

    Raises
    ------
    ValueError
        The layer is not a plain matrix, its inputs are not whole blocks, a block has other weights
        than -d, 0 and d, or its d is no float16.
    """
    subject = f"layer {layer.name}"
    blocks = layer.inputs % BLOCK == 0
    require(blocks, subject, f"have a multiple of {BLOCK} inputs for {kind}", layer.inputs)
    integers = _integers(layer)
    unit = np.broadcast_to(layer.paths[0].out_scale.astype(np.float64), layer.out)[:, np.newaxis]
    packed = []
    for start in range(0, layer.out, ROWS):
        part = slice(start, start + ROWS)
        weights = (integers[part] * unit[part]).reshape(-1, layer.inputs // BLOCK, BLOCK)
        digits, scale = _ternary(weights, subject)
        halves = scale[..., np.newaxis].astype("<f2").view(np.uint8)
        bytes_of_blocks = np.concatenate([PACKERS[kind](digits), halves], axis=2)
        packed.append(bytes_of_blocks.reshape(len(digits), -1))
    return np.concatenate(packed)


def _integers(layer: BitplaneLayer) -> NDArray[np.int32]:
    """Return the integers of a layer that is nothing but a matrix; int32, (out, inputs)."""
    path, stage = layer.paths[0], layer.paths[0].stages[0]
    odd = {
        "several paths": len(layer.paths) > 1,
        "a chain": len(path.stages) > 1,
        "a router": path.router is not None,
        "an equivalence": layer.equivalence is not None,
        "a normalization": layer.post != "none",
        "a gather": stage.gather is not None,
        "a transform": stage.transform is not None,
        "column scales": stage.column_scale is not None,
        "a bias between integers": stage.bias is not None,
    }
    got = " and ".join(part for part, has in odd.items() if has)
    require(not got, f"layer {layer.name}", "be one matrix of integers", got)
    return integer_weights(stage).numpy()[0]


def _ternary(
    weights: NDArray[np.float64], subject: str
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Split blocks, (out, blocks, 256), into weights plus 1 and the scale of each block."""
    size = np.abs(weights)
    scale = size.max(axis=2)
    fits = (size == 0) | (size == scale[..., np.newaxis])
    if not fits.all():
        row, block, column = np.argwhere(~fits)[0]
        got = f"{size[row, block, column]:.8g} and {scale[row, block]:.8g}"
        require(False, subject, f"have one magnitude but 0 in each block of {BLOCK} weights", got)
    with np.errstate(over="ignore"):
        exact = scale.astype(np.float16) == scale
    got = "" if exact.all() else f"{scale[~exact][0]:.8g}"
    rule = "have scales that float16 holds, as of ternary:scale_type=float16"
    require(bool(exact.all()), subject, rule, got)
    return (np.sign(weights) + 1).astype(np.uint8), scale


def _pack_tq1_0(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack digits in base 3; (out, blocks, 256) to (out, blocks, 52). Undoes ``blocks.tq1_0``."""
    packed, start = [], 0
    for width, count in TRITS:
        run = digits[..., start : start + width * count].reshape(*digits.shape[:2], count, width)
        powers = 3 ** np.arange(4, 4 - count, -1, dtype=np.uint16)[:, np.newaxis]
        number = (run * powers).sum(axis=2, dtype=np.uint16)
        packed.append((number * 256 + 242) // 243)
        start += width * count
    return np.concatenate(packed, axis=2).astype(np.uint8)


def _pack_tq2_0(digits: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pack digits in 2 bits; (out, blocks, 256) to (out, blocks, 64). Undoes ``blocks.tq2_0``."""
    runs = digits.reshape(*digits.shape[:2], 2, 4, 32)
    shifts = np.arange(0, 8, 2, dtype=np.uint8)[:, np.newaxis]
    return np.bitwise_or.reduce(runs << shifts, axis=3).reshape(*digits.shape[:2], 64)


PACKERS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    "TQ1_0": _pack_tq1_0,
    "TQ2_0": _pack_tq2_0,
}
"""By GGUF type; a block's scale follows what they give."""
