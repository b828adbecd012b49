"""Which exact changes of inputs make them easier to round: outliers go where they hurt less."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from models.codes import Activation
from models.encode import quantize
from models.equivalence import Equivalence

ALPHA = 0.5
"""Part of the outliers that moves into the weights, of SmoothQuant (arXiv 2211.10438)."""
THRESHOLDS = 100
"""Steps of the search for a threshold, of Outlier Suppression+ (arXiv 2304.09145)."""
SMALLEST = 1e-5
"""Magnitudes below this part of the largest count as this."""


Method = Literal["none", "smooth", "gamma", "os+"]


@dataclass(frozen=True)
class Migration:
    """How to change the inputs of layers that share them.

    Attributes
    ----------
    method : "none", "smooth", "gamma" or "os+"
        ``smooth``: SmoothQuant, ``c = max|W_j|**(1 - a) / max|x_j|**a``, ``a = 0.5``. ``gamma``:
        gamma migration of Outlier Suppression (arXiv 2209.13325), inputs are divided by the scale
        of the norm that makes them; others stay. ``os+``: shift ``(max + min) / 2``, then every
        input beyond a threshold is scaled to it, the one of 100 with the least error of outputs.
    rotation : int
        Block of a Hadamard rotation after that; 0 for none.
    """

    method: Method = "none"
    rotation: int = 0


@dataclass(frozen=True)
class Inputs:
    """What is known of the inputs of layers that share them.

    Attributes
    ----------
    hessian : float32, (in, in)
        Mean of ``x x^T``.
    mean, low, high : float32, (in,)
    sample : float32, (tokens, in)
        Some of them.
    gamma : float32, (in,), or None
        Scale of the norm that makes them.
    """

    hessian: Tensor
    mean: Tensor
    low: Tensor
    high: Tensor
    sample: Tensor
    gamma: Tensor | None


def equivalence(
    how: Migration, inputs: Inputs, weights: Tensor, activation: Activation
) -> Equivalence | None:
    """Choose the change of inputs.

    Parameters
    ----------
    weights : float32, (rows of all layers, in)

    Returns
    -------
    Equivalence or None
        None if nothing changes.
    """
    shift, scale = _METHODS[how.method](inputs, weights, activation)
    if shift is None and scale is None and not how.rotation:
        return None
    found = Equivalence(_array(shift), _array(scale), how.rotation)
    found.check_inputs(weights.shape[1])
    return found


def check_layers(how: Migration, linears: Mapping[str, nn.Linear]) -> None:
    """Raise ``ValueError`` for a layer whose inputs the rotation does not divide, by its name."""
    rotation = Equivalence(rotation=how.rotation)
    for name, linear in linears.items():
        try:
            rotation.check_inputs(linear.in_features)
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from error


Choice = tuple[Tensor | None, Tensor | None]
"""Shift and scale."""


def _none(_: Inputs, __: Tensor, ___: Activation) -> Choice:
    return None, None


def _smooth(inputs: Inputs, weights: Tensor, _: Activation) -> Choice:
    peak = _above_zero(torch.maximum(inputs.high, -inputs.low))
    return None, _above_zero(weights.abs().amax(0)) ** (1 - ALPHA) / peak**ALPHA


def _gamma(inputs: Inputs, _: Tensor, __: Activation) -> Choice:
    if inputs.gamma is None:
        return None, None
    size = _above_zero(inputs.gamma.abs())
    return None, torch.where(inputs.gamma < 0, -1.0, 1.0) / size


def _os_plus(inputs: Inputs, weights: Tensor, activation: Activation) -> Choice:
    shift = (inputs.high + inputs.low) / 2
    reach = (inputs.high - inputs.low) / 2
    rest = inputs.sample - shift
    wanted = rest @ weights.T
    best, least = torch.ones_like(reach), torch.inf
    top = float(reach.max())
    if not top:
        return shift, None
    for step in range(THRESHOLDS):
        limit = top * (1 - step / THRESHOLDS)
        scale = 1 / (reach / limit).clamp(min=1.0)
        codes = quantize((rest * scale)[:, None], activation)
        got = codes.weighted(activation.group)[:, 0] * codes.scale[:, None] / scale
        error = float((got @ weights.T - wanted).square().sum())
        if error < least:
            best, least = scale, error
    return shift, best


_METHODS: dict[str, Callable[[Inputs, Tensor, Activation], Choice]] = {
    "none": _none,
    "smooth": _smooth,
    "gamma": _gamma,
    "os+": _os_plus,
}


def _above_zero(sizes: Tensor) -> Tensor:
    top = float(sizes.max())
    return sizes.clamp(min=top * SMALLEST) if top else torch.ones_like(sizes)


def _array(values: Tensor | None) -> np.ndarray | None:
    return None if values is None else values.float().numpy()
