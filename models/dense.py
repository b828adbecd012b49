"""From a bitplane layer back to the real matrix that it stands for."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Transform
from models.encode import transform_matrix
from models.lower import real_matrix
from models.reference import integer_weights
from models.stage import Stage


def dense(layer: BitplaneLayer) -> NDArray[np.float32]:
    """Return the real matrix that a layer stands for, its biases apart.

    Defined for layers whose paths have no router. A transform counts with the exact values of its
    matrix, and a chain as the product of its stages, as if codes were not rounded after them.

    Returns
    -------
    float32, (out, inputs)
    """
    total = np.zeros((layer.out, layer.inputs), np.float32)
    for path in layer.paths:
        stage = path.stages[0]
        require(path.router is None, "a layer with a matrix", "have no router", "one")
        views = integer_weights(stage).numpy().astype(np.float32)
        if stage.transform is not None:
            inputs = layer.inputs if stage.gather is None else len(stage.gather)
            views = _untransformed(views, stage.transform)[..., :inputs]
        if stage.column_scale is not None:
            views *= stage.column_scale[:, np.newaxis]
        whole = views.sum(axis=0)
        for last in path.stages[1:]:
            whole = _after(stage, last) @ whole
        part = whole * path.out_scale[:, np.newaxis]
        if stage.gather is None:
            total += part
        else:
            np.add.at(total.T, stage.gather, part.T)
    if layer.equivalence is None:
        return total
    return layer.equivalence.undone(torch.from_numpy(total)).numpy()


def _after(first: Stage, last: Stage) -> NDArray[np.float64]:
    """Return the matrix from accumulators of a chain's first stage to those of its last.

    Returns
    -------
    float64, (out of last, out of first)
    """
    if first.requantize is None:
        raise ValueError("the first of two stages must have a requantize, got none")
    weights = integer_weights(last).numpy().astype(np.float64)
    if last.transform is not None:
        weights = _untransformed(weights, last.transform)[..., : first.out]
    rows = first.requantize.row_scale * 2.0**-first.requantize.shift
    return (weights * rows[:, np.newaxis]).sum(axis=0)


def _untransformed(weights: NDArray[np.floating], spec: Transform) -> NDArray[np.floating]:
    """Return what weights of samples are worth to the codes before a transform."""
    matrix = transform_matrix(spec).numpy() * 2.0**-spec.shift
    blocks = weights.reshape(*weights.shape[:-1], -1, spec.samples) @ matrix
    return blocks.reshape(*weights.shape[:-1], -1).astype(weights.dtype)


def relative_error(weight: NDArray[np.floating] | Tensor, layer: BitplaneLayer) -> float:
    """Return ``||weight - dense(layer)||**2 / ||weight||**2``; 0 for 0 / 0."""
    want = real_matrix(weight)
    lost, energy = (
        float(torch.linalg.vector_norm(part, dtype=torch.float64)) ** 2
        for part in (want - torch.from_numpy(dense(layer)), want)
    )
    return lost / energy if energy else (0.0 if lost == 0 else float("inf"))
