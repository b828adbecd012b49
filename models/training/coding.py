"""Codes of a stage's inputs for training: exact, with the gradients of what was rounded."""

from typing import Any

import torch
from torch import Tensor

from models.codes import Activation, Transform
from models.encode import quantize, transform, transform_matrix
from models.integers import code_range


class _StraightThrough(torch.autograd.Function):
    """The value of one tensor with the gradient of another of its shape."""

    @staticmethod
    def forward(ctx: Any, smooth: Tensor, value: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def straight_through(smooth: Tensor, value: Tensor) -> Tensor:
    """Return ``value``, whose gradient goes to ``smooth`` as it is (Bengio et al., 1308.3432)."""
    return _StraightThrough.apply(smooth, value)


def coded(u: Tensor, spec: Activation) -> tuple[Tensor, Tensor]:
    """Quantize real inputs as :func:`models.encode.quantize`, whatever they are.

    The gradient is that of ``u / scale``, the scale as a constant, and zero where codes saturate;
    of 1-bit codes that of a line from 0 to 1 for ``u`` within one scale.

    Parameters
    ----------
    u : float, (tokens, views, columns)

    Returns
    -------
    codes : as u
        Whole numbers, times their power of two with group scales; those above 256 are rounded
        where ``u`` is bfloat16.
    scale : float32, (tokens,)
    """
    exact = quantize(u.detach().float(), spec, check=False)
    smooth = u * exact.scale.reciprocal()[:, None, None].to(u.dtype)
    if spec.bits == 1:
        smooth = (smooth.clamp(-1, 1) + 1) / 2
    elif spec.scale == "static" or not spec.signed:
        smooth = smooth.clamp(*code_range(spec.bits, spec.signed))
    return straight_through(smooth, exact.weighted(spec.group).to(u.dtype)), exact.scale


def transformed(codes: Tensor, spec: Transform) -> Tensor:
    """Apply an integer transform as :func:`models.encode.transform`; gradients pass its matrix.

    Parameters
    ----------
    codes : float, (tokens, views, inputs)
        Whole numbers.

    Returns
    -------
    as codes, (tokens, views, spec.columns(inputs))
    """
    inputs = codes.shape[-1]
    matrix = transform_matrix(spec).to(codes) * 2.0**-spec.shift
    blocks = torch.nn.functional.pad(codes, (0, -inputs % spec.block)).unflatten(
        -1, (-1, spec.block)
    )
    smooth = (blocks @ matrix.T).flatten(-2)
    exact = transform(codes.detach().to(torch.int32), spec)
    return straight_through(smooth, exact.to(smooth))
