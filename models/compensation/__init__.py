"""Improve a quantized layer for the inputs that it will see: any format of single stages."""

from dataclasses import replace

from torch import Tensor

from models.bitplane import BitplaneLayer
from models.compensation.feedback import feed_back
from models.compensation.hessian import damped
from models.compensation.parts import part_of, with_codes, with_coefficients
from models.compensation.sweeps import Descent
from models.threads import one_thread


@one_thread()
def compensated(
    layer: BitplaneLayer, target: Tensor, hessian: Tensor, fixed: int = 0, sweeps: int = 4
) -> BitplaneLayer:
    """Choose planes and coefficients anew, so that outputs change least.

    Each step after error feedback lowers the error. Feedback itself may, rarely and on small
    matrices, end where a layer was better before; it is then returned as it was.

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
    hessian = damped(hessian)
    parts = [part_of(path, fixed) for path in layer.paths]
    before = Descent(target, hessian, parts).error()
    feed_back(target, hessian, parts)
    descent = Descent(target, hessian, parts)
    for _ in range(sweeps):
        descent.sweep_coefficients()
        descent.sweep_codes()
    pairs = zip(parts, layer.paths, strict=True)
    paths = [with_codes(part, with_coefficients(part, path)) for part, path in pairs]
    parts = [part_of(path, fixed) for path in paths]
    descent = Descent(target, hessian, parts)
    descent.sweep_codes()
    if descent.error() > before:
        return layer
    paths = [with_codes(part, path) for part, path in zip(parts, paths, strict=True)]
    return replace(layer, paths=tuple(paths))
