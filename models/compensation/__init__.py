"""Improve a quantized layer for the inputs that it will see: any format of single stages."""

from dataclasses import replace

from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.compensation.feedback import feed_back
from models.compensation.parts import part_of, path_of, stored_as
from models.compensation.sweeps import Descent
from models.threads import one_thread

DAMPING = 0.01
"""Part of the mean of the Hessian's diagonal that is added to it."""


@one_thread()
def compensated(
    layer: BitplaneLayer, target: Tensor, hessian: Tensor, fixed: int = 0, sweeps: int = 4
) -> BitplaneLayer:
    """Choose planes and coefficients anew, so that outputs change least.

    Parameters
    ----------
    layer : BitplaneLayer
        Of single stages; gives the structure and the coefficients to start from.
    target : float32, (out, in)
        The matrix wanted.
    hessian : float32, (in, in)
        Mean of ``x x^T`` over the layer's inputs; may be singular.
    fixed : int
        Bit mask of planes that stay as they are, such as masks.
    sweeps : int
        Rounds of coordinate descent and least squares after error feedback.
    """
    mean = float(hessian.diagonal().mean())
    require(mean > 0, "the layer's inputs", "be other than zero", "zeros only")
    hessian = hessian / mean
    hessian.diagonal().add_(DAMPING)
    parts = [part_of(path, fixed) for path in layer.paths]
    feed_back(target, hessian, parts)
    descent = Descent(target, hessian, parts)
    for _ in range(sweeps):
        descent.sweep_coefficients()
        descent.sweep_codes()
    parts = [stored_as(part, path) for part, path in zip(parts, layer.paths, strict=True)]
    descent = Descent(target, hessian, parts)
    descent.sweep_codes()
    paths = [path_of(part, path) for part, path in zip(parts, layer.paths, strict=True)]
    return replace(layer, paths=tuple(paths))
