"""From planes and real coefficients to the integers of a bitplane layer."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import planes
from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.codes import Activation, Transform
from models.coefficients import Mix
from models.fixed import TOP, fixed_coefficients, stored_type
from models.stage import Stage


def from_real(
    name: str,
    bits: NDArray[np.bool_],
    group: int,
    coefficients: NDArray[np.float64],
    offset: NDArray[np.float64] | None,
    activation: Activation,
    *,
    mix: Mix | None = None,
    coefficient_bits: int = 16,
) -> BitplaneLayer:
    """Lower planes whose coefficients are any real numbers.

    Coefficients and offsets become multiples of one unit per row, as :func:`fixed_point` says;
    without a mix, a weight changes by at most
    ``(planes set in it + (offset is not None)) * unit / 2``.

    Parameters
    ----------
    bits : bool, (k, out, in)
    group : int
        Columns that share a coefficient; the last group may be shorter.
    coefficients : float64, (out, groups, stored)
        Those stored: with a mix, one for each of its rows, else one for each plane.
    offset : float64, (out, groups), or None
        Stored beside them, in 16 bits.
    mix : Mix or None
        As in :class:`models.stage.Stage`.
    coefficient_bits : int
        8 to 16; of a stored coefficient, which takes 16 from 9 on.
    """
    path = path_from_real(
        bits, group, coefficients, offset, activation,
        mix=mix, coefficient_bits=coefficient_bits,
    )  # fmt: skip
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
    mix: Mix | None = None,
    coefficient_bits: int = 16,
) -> Path:
    """Lower planes to a path of one stage, as :func:`from_real`.

    Parameters
    ----------
    bits : bool, (k, out, columns)
    coefficients : float64, (out, groups, stored)
    offset : float64, (out, groups), or None
    monomials : tuple of int, (terms,)
        As in :class:`models.stage.Stage`; the planes themselves when None.
    gather : int32, (columns,), or None
    column_scale : float32, (1, inputs used), or None
    top : int
        Largest coefficient of a term, and largest offset, that the integers may stand for.
    """
    whole, unit = fixed_coefficients(coefficients, offset, mix, coefficient_bits, top)
    whole, count = whole[np.newaxis], coefficients.shape[2]
    stage = _stage(
        bits, group, activation, monomials,
        coefficients=np.ascontiguousarray(whole[..., :count], stored_type(coefficient_bits)),
        offset=None if offset is None else np.ascontiguousarray(whole[..., count]),
        mix=mix, gather=gather, column_scale=column_scale, transform=transform,
    )  # fmt: skip
    return Path((stage,), unit)


def from_table(
    name: str,
    bits: NDArray[np.bool_],
    group: int,
    table: NDArray[np.float64],
    index: NDArray[np.integer],
    activation: Activation,
    *,
    mix: Mix | None = None,
    coefficient_bits: int = 16,
) -> BitplaneLayer:
    """Lower planes whose groups choose their coefficients from one table.

    The table becomes multiples of one unit, as :func:`fixed_point` says of a row; without a mix,
    a weight changes by at most ``planes set in it * unit / 2``.

    Parameters
    ----------
    bits : bool, (k, out, in)
    table : float64, (entries, stored)
    index : integer, (out, groups)
        Stored in 8 bits if the table has at most 256 entries, else in 16.
    mix, coefficient_bits
        As in :func:`from_real`.
    """
    whole, unit = fixed_coefficients(table[np.newaxis], None, mix, coefficient_bits)
    stage = _stage(
        bits, group, activation, None,
        coefficients=whole[0].astype(stored_type(coefficient_bits)), mix=mix,
        index=index.astype(np.uint8 if len(table) <= 256 else np.uint16),
    )  # fmt: skip
    return BitplaneLayer(name, bits.shape[2], (Path((stage,), unit),))


def from_integers(
    name: str,
    bits: NDArray[np.bool_],
    places: tuple[int, ...] | NDArray[np.integer],
    offset: NDArray[np.int16] | None,
    scale: NDArray[np.float32],
    activation: Activation,
    monomials: tuple[int, ...] | None = None,
    *,
    group: int | None = None,
    mix: Mix | None = None,
    coefficient_bits: int = 16,
) -> BitplaneLayer:
    """Lower planes whose coefficients are integers times a scale; nothing is rounded.

    Parameters
    ----------
    bits : bool, (k, out, in)
    places : integers, (stored,), the same in every row, or (out, groups, stored)
    offset : int16, (out,) or (1,), or None
    scale : float32, (out,) or (1,)
    monomials : tuple of int, (terms,)
        As in :class:`models.stage.Stage`; the planes themselves when None.
    group : int or None
        Columns that share coefficients; all of them when None.
    mix, coefficient_bits
        As in :func:`from_real`.
    """
    stored = np.array(places, stored_type(coefficient_bits))
    stage = _stage(
        bits, group or bits.shape[2], activation, monomials,
        coefficients=np.expand_dims(stored, tuple(range(4 - stored.ndim))),
        offset=None if offset is None else offset.reshape(1, -1, 1), mix=mix,
    )  # fmt: skip
    return BitplaneLayer(name, bits.shape[2], (Path((stage,), scale),))


def _stage(
    bits: NDArray[np.bool_],
    group: int,
    activation: Activation,
    monomials: tuple[int, ...] | None,
    **more: Any,
) -> Stage:
    """Pack the planes; where a row is one group, it is cut as its activations are."""
    columns = bits.shape[2]
    return Stage(
        planes=planes.pack(bits),
        columns=columns,
        group=(activation.group or columns) if group == columns else group,
        monomials=monomials or tuple(1 << plane for plane in range(len(bits))),
        activation=activation,
        **more,
    )


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
