"""Work for a unit from a real layer: rows of it, and what really reaches them."""

import numpy as np
from torch import Tensor

from cost.stimulus import Work
from cost.units import Element, Unit
from hwgen.weights import pass_weights
from models.bitplane import BitplaneLayer
from models.checks import require
from sim.layer import jobs_of

SEQUENCES = 64


def layer_work(layer: BitplaneLayer, x: Tensor, floats: Tensor, unit: Unit, words: int) -> Work:
    """Return the first words of rows from all over a layer, each with one of the tokens.

    A unit of one weight a column takes the layer's first pass and view; a baseline takes the float
    matrix, each row rounded to integers of its largest. Of activations that have more bits than
    the unit the top ones are taken.

    Parameters
    ----------
    x : float32, (tokens, inputs)
    floats : float32, (out, inputs)
        The layer that this one stands for.
    words : int
        At most; a word has as many columns as the unit has lanes.
    """
    job = jobs_of(layer, x)[0]
    rows = np.arange(SEQUENCES) * job.stage.out // SEQUENCES
    if isinstance(unit, Element):
        lanes, bits = unit.config.lanes, unit.config.act_bits
        weights = pass_weights(job.stage, unit.config)[0][rows]
    else:
        bits = unit.baseline.act_bits
        lanes, most = unit.baseline.lanes, (1 << unit.baseline.weight_bits - 1) - 1
        real = floats.numpy()[rows]
        scale = most / np.abs(real).max(1, keepdims=True)
        weights = np.rint(real * scale).astype(np.int8)
    columns = min(words, weights.shape[1] // lanes) * lanes
    require(columns > 0, "columns of the layer", f"fill {lanes} lanes", weights.shape[1])
    view = job.codes.reshape(len(job.codes), -1, job.stage.columns)[:, 0]
    codes = view[np.arange(SEQUENCES) % len(view), :columns].astype(np.int64)
    codes >>= max(0, int(np.abs(codes).max()).bit_length() + 1 - bits)
    source = f"{layer.name}, {SEQUENCES} rows, {len(job.codes)} tokens, {columns} columns"
    return Work(weights[:, None, :columns], codes, source)
