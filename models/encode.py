"""From real inputs to the integer codes that meet the planes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.codes import Activation, Transform
from models.exact import digits, digits_product, requantize
from models.integers import code_range
from models.stage import Stage


@dataclass(frozen=True)
class Codes:
    """Integers that meet the planes, and what they are worth.

    Attributes
    ----------
    values : int8 or int32, (tokens, views, columns)
    exponents : int32, (tokens, groups), or None
        A group's values count ``2**exponent`` times.
    scale : float32, (tokens,)
        Real value of a code of 1 (with exponent 0).
    """

    values: Tensor
    exponents: Tensor | None
    scale: Tensor

    def weighted(self, group: int) -> Tensor:
        """Values times their power of two; int32 unless all exponents are zero."""
        if self.exponents is None:
            return self.values
        columns = self.values.shape[-1]
        spread = self.exponents.repeat_interleave(group, dim=1)[:, None, :columns]
        return self.values.to(torch.int32) << spread


def encode(stage: Stage, x: Tensor, column_scale: Tensor | None) -> Codes:
    """Quantize a stage's real inputs.

    Parameters
    ----------
    x : float32, (tokens, inputs)
    column_scale : float32, (views, inputs used) or (tokens, views, inputs used), or None
    """
    if stage.gather is not None:
        x = x[:, torch.from_numpy(stage.gather).long()]
    views = x[:, None, :]
    if column_scale is not None:
        views = views * column_scale
    if stage.activation is None:
        raise ValueError("a stage with real inputs must have an activation, got none")
    codes = quantize(views, stage.activation)
    if stage.transform is None:
        return codes
    return Codes(transform(codes.values, stage.transform), None, codes.scale)


def quantize(u: Tensor, spec: Activation) -> Codes:
    """Round real inputs to codes: ties to even, saturated, one scale per token for all views.

    An all-zero token has codes 0 and scale 1.

    Parameters
    ----------
    u : float32, (tokens, views, columns)
    """
    low, high = code_range(spec.bits, spec.signed)
    magnitudes = u.abs().flatten(1)
    largest = magnitudes.amax(dim=1)
    if not bool(torch.isfinite(largest).all()):
        raise ValueError("inputs must be finite, got a NaN or an infinity")
    if spec.bits == 1:
        mean = magnitudes.double().mean(dim=1).float()
        return Codes((u > 0).to(torch.int8), None, torch.where(mean > 0, mean, 1.0))
    if spec.scale == "static":
        peak = torch.full_like(largest, spec.value * high)
    else:
        peak = largest if spec.signed else u.clamp(min=0).flatten(1).amax(dim=1)
        peak = torch.where(peak > 0, peak, float(high))
    inverse = (high / peak)[:, None, None]
    exponents, scale = None, peak / high
    if spec.scale == "group":
        finer = _finer(u, peak, spec)
        inverse = (
            inverse
            * torch.exp2(finer.float()).repeat_interleave(spec.group, dim=1)[:, None, : u.shape[-1]]
        )
        exponents = spec.exponents - finer
        scale = scale * 2.0**-spec.exponents
    values = (u * inverse).round_().clamp_(low, high)
    dtype = torch.int8 if low >= -128 and high <= 127 else torch.int32
    return Codes(values.to(dtype), exponents, scale)


def _finer(u: Tensor, peak: Tensor, spec: Activation) -> Tensor:
    """Return how often each group's scale can be halved without clipping it; (tokens, groups)."""
    missing = -u.shape[-1] % spec.group
    padded = torch.nn.functional.pad(u, (0, missing)).abs().amax(dim=1)
    peaks = padded.unflatten(-1, (-1, spec.group)).amax(dim=-1)
    finer = torch.zeros(peaks.shape, dtype=torch.int32)
    for step in range(1, spec.exponents + 1):
        finer += peaks * 2.0**step <= peak[:, None]
    return finer


def transform(values: Tensor, spec: Transform) -> Tensor:
    """Apply an integer transform to each block of codes.

    Parameters
    ----------
    values : int8 or int32, (tokens, views, inputs)

    Returns
    -------
    int8 or int32, (tokens, views, spec.columns(inputs))
    """
    tokens, views, inputs = values.shape
    padded = torch.nn.functional.pad(values, (0, -inputs % spec.block))
    blocks = padded.reshape(-1, spec.block)
    if spec.kind == "repeat":
        where = torch.arange(spec.samples) * spec.block // spec.samples
        result = blocks[:, where]
    else:
        product = digits_product(digits(blocks), digits(transform_matrix(spec)))
        result = requantize(product, spec.shift, spec.bits)
    dtype = torch.int8 if spec.bits <= 8 else torch.int32
    return result.to(dtype).reshape(tokens, views, -1)


def transform_matrix(spec: Transform) -> Tensor:
    """Integer matrix of a transform, int32, (samples, block)."""
    if spec.kind == "matrix":
        return torch.from_numpy(spec.matrix).to(torch.int32)
    if spec.kind == "repeat":
        where = torch.arange(spec.samples) * spec.block // spec.samples
        return torch.nn.functional.one_hot(where, spec.block).to(torch.int32)
    matrix = torch.ones(1, 1, dtype=torch.int32)
    while len(matrix) < spec.block:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    if spec.signs is not None:
        matrix = matrix * torch.from_numpy(spec.signs).to(torch.int32)
    return matrix
