"""Lower a product of two matrices of signs to a chain of two stages.

Between the stages the accumulator becomes a code of few bits by a scale that is fixed with the
weights. How it is chosen is in :func:`mid_unit`, from the inputs that :func:`assumed_inputs`
gives where no others are known.
"""

from dataclasses import dataclass, replace
from math import floor, log2

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models import planes
from models.bitplane import Path
from models.codes import Activation, Requantize
from models.coefficients import Stored, mix_bits, signs_mix
from models.encode import encode
from models.exact import tensor
from models.fixed import TOP, fixed_coefficients, stored_type
from models.integers import code_range
from models.reference import ReadyStage
from models.stage import Stage

SAMPLE = 64
"""Assumed inputs, in tokens."""
MIX = signs_mix(1)
FINEST = 32
"""Eighths of an octave by which the unit of codes may go below the one that clips nothing."""


@dataclass(frozen=True)
class SignChain:
    """The product ``(S_a * (a q^T)) (S_b * (g b^T))``, signs times envelopes.

    Attributes
    ----------
    left_signs : bool, (out, rank)
        S_a; True for +1.
    right_signs : bool, (rank, in)
        S_b.
    a, q, g, b : float64, (views, out), (views, rank), (views, rank), (views, in)
    """

    left_signs: NDArray[np.bool_]
    right_signs: NDArray[np.bool_]
    a: NDArray[np.float64]
    q: NDArray[np.float64]
    g: NDArray[np.float64]
    b: NDArray[np.float64]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The real matrix; float64, (out, in)."""
        left, right = self.a.T @ self.q, self.g.T @ self.b
        return np.where(self.left_signs, left, -left) @ np.where(self.right_signs, right, -right)


def assumed_inputs(columns: int, hessian: Tensor | None = None) -> Tensor:
    """Return inputs to expect: Gaussian, with second moments as given, else independent and alike.

    Their size does not matter with scales per token, only how far a token's largest magnitude
    lies above its others.

    Parameters
    ----------
    hessian : float32, (columns, columns), or None
        Mean of ``x x^T`` over inputs ``x``.

    Returns
    -------
    float32, (SAMPLE, columns)
    """
    random = torch.Generator().manual_seed(0)
    inputs = torch.randn(SAMPLE, columns, generator=random)
    if hessian is None:
        return inputs
    values, vectors = torch.linalg.eigh(hessian)
    return inputs * values.clamp(min=0).sqrt() @ vectors.T


def chain_path(
    chain: SignChain,
    activation: Activation,
    mid_bits: int,
    inputs: Tensor,
    coefficient_bits: int = 16,
) -> Path:
    """Lower a product of signs.

    Stage 1 has the column scales b, one view each, and its coefficients are g (1 if there is one
    view only: then g goes into q); q, in units of the codes between, is the row scale; a is the
    coefficient of stage 2. Rounded are

    - g of several views, each row to multiples of one unit, which goes into q;
    - a, to multiples of the scale of the output;
    - q, to a multiple of at most its largest over 16384;
    - b, of which each view's largest is 1, to float16.

    Parameters
    ----------
    activation : Activation
        Of the chain's inputs.
    mid_bits : int
        Bits of the codes between the stages, 2 to 16.
    inputs : float32, (tokens, in)
        What to expect; only the scale of the codes depends on it.
    coefficient_bits : int
        Bits of a, and of g of several views: 8 to 16. Units are such that the largest just fits.
    """
    column_scale, peak = _with_peak_one(chain.b)
    coefficients, unit = _row_coefficients(chain.g * peak, coefficient_bits)
    first = _sign_stage(chain.right_signs, coefficients, activation.group)
    first = replace(first, column_scale=column_scale.astype(np.float16), activation=activation)
    accumulators = _accumulators(first, inputs).double()
    worth = chain.q * unit
    code = np.array([[mid_unit(accumulators * torch.from_numpy(view), mid_bits)] for view in worth])
    coefficients, out_scale = integers_of((chain.a * code).reshape(1, -1), coefficient_bits)
    second = _sign_stage(chain.left_signs, coefficients.reshape(chain.a.shape), 0)
    first = replace(first, requantize=requantize_of(worth / code, mid_bits))
    return Path((first, second), out_scale)


def stored_bits(out: int, rank: int, columns: int, views: int, coefficient_bits: int) -> int:
    """Return the bits of everything stored in a path of :func:`chain_path`."""
    size = 8 * stored_type(coefficient_bits)().nbytes
    signs = rank * (out + columns)
    scales = views * (16 * columns + 16 * rank + size * out) + 32
    return signs + scales + (8 if views == 1 else size * views * rank) + 2 * mix_bits(MIX)


def mid_unit(values: Tensor, bits: int) -> float:
    """Choose what a code of 1 between two stages is worth.

    Of the unit that just clips no value of the sample, and finer ones by eighths of an octave,
    the one with the least sum of squared errors of rounding and clipping.

    Parameters
    ----------
    values : float64, (tokens, rank)
        What the codes of a view are to stand for, in units of the token's scale.
    bits : int

    Returns
    -------
    float
        1 if all values are 0.
    """
    low, high = code_range(bits, signed=True)
    peak = float(values.abs().max())
    if peak == 0:
        return 1.0
    units = [peak / high * 2 ** (-step / 8) for step in range(FINEST)]
    errors = [
        float(((values / unit).round().clamp(low, high) * unit - values).square().sum())
        for unit in units
    ]
    return units[errors.index(min(errors))]


def _sign_stage(signs: NDArray[np.bool_], coefficients: Stored, group: int) -> Stage:
    """Make the stage of signs times coefficients.

    Parameters
    ----------
    signs : bool, (out, columns)
    coefficients : int8 or int16, (views, out) or (1, 1)
    group : int
        Where columns are cut; 0 for nowhere.
    """
    columns = signs.shape[1]
    return Stage(
        planes=planes.pack(signs[np.newaxis]),
        columns=columns,
        group=group or columns,
        coefficients=coefficients[..., np.newaxis, np.newaxis],
        mix=MIX,
        monomials=(1,),
        views=len(coefficients),
    )


def _accumulators(stage: Stage, inputs: Tensor) -> Tensor:
    """Run a first stage on real inputs; int64, (tokens, out)."""
    scale = None if stage.column_scale is None else tensor(stage.column_scale)
    return ReadyStage(stage).accumulate(encode(stage, inputs, scale).weighted(stage.group))


def _with_peak_one(
    scale: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide each view by its largest magnitude; the quotients, and divisors (views, 1)."""
    peak = np.abs(scale).max(axis=1, keepdims=True)
    peak[peak == 0] = 1.0
    return scale / peak, peak


def _row_coefficients(values: NDArray[np.float64], bits: int) -> tuple[Stored, NDArray[np.float64]]:
    """Round (views, rows) to multiples of one unit a row; one view needs none but 1.

    Returns
    -------
    int8 or int16, (views, rows) or (1, 1)
    float64, (rows,)
        What an integer of 1 is worth.
    """
    if len(values) == 1:
        return np.ones((1, 1), np.int8), values[0]
    whole, unit = integers_of(values.T, bits)
    return np.ascontiguousarray(whole.T), unit.astype(np.float64)


def integers_of(values: NDArray[np.float64], bits: int) -> tuple[Stored, NDArray[np.float32]]:
    """Round rows to multiples of one unit each; as ``values``, and float32 (rows,)."""
    whole, unit = fixed_coefficients(values[..., np.newaxis], None, MIX, bits)
    return whole[..., 0].astype(stored_type(bits)), unit


def requantize_of(scale: NDArray[np.float64], bits: int) -> Requantize:
    """Round the factors between accumulators and codes, (views, rank), to int16 and a shift."""
    peak = np.abs(scale).max()
    shift = 0 if peak == 0 else min(max(floor(log2(TOP / peak)), 0), 62)
    whole = np.rint(np.clip(scale * 2.0**shift, -TOP, TOP))
    return Requantize(whole.astype(np.int16), shift, bits)
