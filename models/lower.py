"""From planes and real coefficients to the integers of a bitplane layer, and back to a matrix."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import planes
from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.codes import Activation, Transform
from models.encode import transform_matrix
from models.reference import integer_weights
from models.stage import Stage

TOP = 32767
"""Largest coefficient; -32768 is not used."""


def from_real(
    name: str,
    bits: NDArray[np.bool_],
    group: int,
    coefficients: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
    activation: Activation,
) -> BitplaneLayer:
    """Lower planes whose coefficients are any real numbers.

    Coefficients and offsets become multiples of one unit per row, as :func:`fixed_point` says;
    a weight changes by at most ``(planes set in it + (offset is not None)) * unit / 2``.

    Parameters
    ----------
    bits : bool, (k, out, in)
    group : int
        Columns that share a coefficient; the last group may be shorter.
    coefficients : float64, (out, groups, k)
    offset : float64, (out, groups), or None
    """
    path = path_from_real(bits, group, coefficients, offset, activation)
    return BitplaneLayer(name, bits.shape[2], (path,))


def path_from_real(
    bits: NDArray[np.bool_],
    group: int,
    coefficients: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
    activation: Activation,
    monomials: tuple[int, ...] | None = None,
    gather: NDArray[np.int32] | None = None,
    column_scale: NDArray[np.float32] | None = None,
    transform: Transform | None = None,
    top: int = TOP,
) -> Path:
    """Lower planes to a path of one stage, as :func:`from_real`.

    Parameters
    ----------
    bits : bool, (k, out, columns)
    coefficients : float64, (out, groups, terms)
    offset : float64, (out, groups), or None
    monomials : tuple of int, (terms,)
        As in :class:`models.stage.Stage`; the planes themselves when None.
    gather : int32, (columns,), or None
    column_scale : float32, (1, inputs used), or None
    top : int
        Largest integer coefficient.
    """
    terms = coefficients.shape[2]
    together = coefficients if offset is None else np.dstack([coefficients, offset])
    whole, unit = fixed_point(together, top)
    stage = Stage(
        planes=planes.pack(bits),
        columns=bits.shape[2],
        group=_cut(group, bits.shape[2], activation),
        coefficients=np.ascontiguousarray(whole[np.newaxis, ..., :terms]),
        monomials=monomials or tuple(1 << plane for plane in range(terms)),
        offset=None if offset is None else np.ascontiguousarray(whole[np.newaxis, ..., terms]),
        gather=gather,
        column_scale=column_scale,
        activation=activation,
        transform=transform,
    )
    return Path((stage,), unit)


def from_table(
    name: str,
    bits: NDArray[np.bool_],
    group: int,
    table: NDArray[np.float64],
    index: NDArray[np.integer],
    activation: Activation,
) -> BitplaneLayer:
    """Lower planes whose groups choose their coefficients from one table.

    The table becomes multiples of one unit, as :func:`fixed_point` says of a row; a weight
    changes by at most ``planes set in it * unit / 2``.

    Parameters
    ----------
    bits : bool, (k, out, in)
    table : float64, (entries, k)
    index : integer, (out, groups)
        Stored in 8 bits if the table has at most 256 entries, else in 16.
    """
    whole, unit = fixed_point(table[None])
    small = index.astype(np.uint8) if len(table) <= 256 else index.astype(np.uint16)
    return _layer(name, bits, group, whole[0], None, small, unit, activation)


def from_integers(
    name: str,
    bits: NDArray[np.bool_],
    places: tuple[int, ...],
    offset: NDArray[np.int16] | None,
    scale: NDArray[np.float32],
    activation: Activation,
    monomials: tuple[int, ...] | None = None,
) -> BitplaneLayer:
    """Lower planes whose coefficients are small integers times a scale; nothing is rounded.

    Parameters
    ----------
    bits : bool, (k, out, in)
    places : tuple of int, (terms,)
        The same in every row.
    offset : int16, (out,) or (1,), or None
    scale : float32, (out,) or (1,)
    monomials : tuple of int, (terms,)
        As in :class:`models.stage.Stage`; the planes themselves when None.
    """
    coefficients = np.array(places, np.int16).reshape(1, 1, 1, -1)
    rows = None if offset is None else offset.reshape(1, -1, 1)
    group = bits.shape[2]
    return _layer(name, bits, group, coefficients, rows, None, scale, activation, monomials)


def fixed_point(
    values: NDArray[np.float64], top: int = TOP
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Round real numbers to int16 multiples of one float32 unit per row.

    The unit is the row's largest magnitude over ``top``, but not below the smallest normal
    float32; an all-zero row has unit 1. Ties round to even; the error is at most ``unit / 2``.

    Parameters
    ----------
    values : float64, (out, ...)

    Returns
    -------
    whole : int16, (out, ...)
    unit : float32, (out,)
    """
    peak = np.abs(values).reshape(len(values), -1).max(axis=1)
    fits = bool((peak <= np.finfo(np.float32).max).all())
    require(fits, "coefficients", "be finite float32", "a NaN, an infinity or more")
    unit = np.maximum(peak / top, np.finfo(np.float32).tiny).astype(np.float32)
    unit[peak == 0] = 1.0
    wide = unit.astype(np.float64).reshape(-1, *[1] * (values.ndim - 1))
    return np.rint(values / wide).astype(np.int16), unit


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
    return total


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


def real_matrix(weight: NDArray[np.floating] | Tensor) -> Tensor:
    """Return a weight as a finite float32 matrix on the processor, (out, in)."""
    if isinstance(weight, np.ndarray):
        weight = torch.from_numpy(np.array(weight))  # a copy: read-only arrays make torch warn
    matrix = weight.detach().cpu().float().contiguous()
    require(matrix.ndim == 2, "weight", "have 2 dimensions", matrix.ndim)
    require(matrix.numel() > 0, "weight", "have a row and a column", tuple(matrix.shape))
    finite = bool(torch.isfinite(matrix).all())
    require(finite, "weight", "be finite float32", "a NaN or an infinity")
    return matrix


def _layer(
    name: str,
    bits: NDArray[np.bool_],
    group: int,
    coefficients: NDArray[np.int16],
    offset: NDArray[np.int16] | None,
    index: NDArray[np.uint8] | NDArray[np.uint16] | None,
    out_scale: NDArray[np.float32],
    activation: Activation,
    monomials: tuple[int, ...] | None = None,
) -> BitplaneLayer:
    """Make the layer."""
    k, _, columns = bits.shape
    stage = Stage(
        planes=planes.pack(bits),
        columns=columns,
        group=_cut(group, columns, activation),
        coefficients=coefficients,
        monomials=monomials or tuple(1 << plane for plane in range(k)),
        offset=offset,
        index=index,
        activation=activation,
    )
    return BitplaneLayer(name, columns, (Path((stage,), out_scale),))


def _cut(group: int, columns: int, activation: Activation) -> int:
    """Group of a stage: where a row has one only, it is cut as its activations are."""
    return (activation.group or columns) if group == columns else group
