"""Work for a unit from a real layer: rows of it, and what really reaches them."""

import numpy as np
from torch import Tensor

from cost.stimulus import Work
from cost.units import Plain, Unit, columns_of
from hwgen.weights import pass_weights
from models.bitplane import BitplaneLayer
from models.checks import require
from sim.layer import jobs_of

SEQUENCES = 64


def layer_work(layer: BitplaneLayer, x: Tensor, floats: Tensor, unit: Unit, cycles: int) -> Work:
    """Return the first words of rows from all over a layer, each with one of the tokens.

    A unit of one weight a column takes the layer's first pass and view; a baseline takes the float
    matrix, each row rounded to integers of its largest. Of activations that have more bits than
    the unit the top ones are taken.

    Parameters
    ----------
    x : float32, (tokens, inputs)
    floats : float32, (out, inputs)
        The layer that this one stands for.
    cycles : int
        To keep the unit busy for, if the layer has so many columns.
    """
    job = jobs_of(layer, x)[0]
    rows = np.arange(SEQUENCES) * job.stage.out // SEQUENCES
    if isinstance(unit, Plain):
        bits = unit.baseline.act_bits
        most = (1 << unit.baseline.weight_bits - 1) - 1
        real = floats.numpy()[rows]
        scale = most / np.abs(real).max(1, keepdims=True)
        weights, times = np.rint(real * scale).astype(np.int8), 1
    else:
        bits = unit.config.act_bits
        every = pass_weights(job.stage, unit.config)
        weights, times = every[0][rows], len(every)
    lanes = unit.lanes
    columns = min(columns_of(unit, cycles), weights.shape[1] // lanes * lanes)
    require(columns > 0, "columns of the layer", f"fill {lanes} lanes", weights.shape[1])
    view = job.codes.reshape(len(job.codes), -1, job.stage.columns)[:, 0]
    codes = view[np.arange(SEQUENCES) % len(view), :columns].astype(np.int64)
    codes >>= max(0, int(np.abs(codes).max()).bit_length() + 1 - bits)
    source = f"{layer.name}, {SEQUENCES} rows, {len(job.codes)} tokens, {columns} columns"
    products = times * job.stage.out * job.stage.columns
    return Work(weights[:, None, :columns], codes, source, products)
