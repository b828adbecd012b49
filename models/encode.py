"""From real inputs to the integer codes that meet the planes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.codes import Activation, Transform
from models.exact import digits, digits_product, requantize, tensor
from models.integers import code_range
from models.stage import Stage

SMALLEST_PEAK = 2.0**-64
"""A token whose magnitudes are all below it counts as zero: its scale could leave float32."""


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
        """Values times their power of two; int32 with group scales."""
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
        x = x[:, tensor(stage.gather, x.device).long()]
    views = x[:, None, :]
    if column_scale is not None:
        views = views * column_scale
    if stage.activation is None:
        raise ValueError("a stage with real inputs must have an activation, got none")
    codes = quantize(views, stage.activation)
    if stage.transform is None:
        return codes
    return Codes(transform(codes.values, stage.transform), None, codes.scale)


def quantize(u: Tensor, spec: Activation, check: bool = True) -> Codes:
    """Round real inputs to codes: ties to even, saturated, one scale per token for all views.

    Codes of a zero token are 0; see ``SMALLEST_PEAK``.

    Parameters
    ----------
    u : float32, (tokens, views, columns)
    check : bool
        Whether to raise ``ValueError`` where there are NaNs or infinities, for which a GPU must be
        waited for.
    """
    low, high = code_range(spec.bits, spec.signed)
    magnitudes = u.abs()
    largest = magnitudes.flatten(1).amax(dim=1)
    if check and not bool(torch.isfinite(largest).all()):
        raise ValueError("inputs must be finite, got a NaN or an infinity")
    if spec.bits == 1:
        mean = magnitudes.double().flatten(1).mean(dim=1).float()
        return Codes((u > 0).to(torch.int8), None, torch.where(mean > 0, mean, 1.0))
    if not spec.signed:
        magnitudes = u.clamp(min=0)
        largest = magnitudes.flatten(1).amax(dim=1)
    if spec.scale == "static":
        peak = torch.full_like(largest, spec.value)
        inverse, scale = peak.reciprocal(), peak
    else:
        peak = torch.where(largest >= SMALLEST_PEAK, largest, float(high))
        inverse = torch.full_like(peak, high) / peak  # high / peak would round twice
        scale = peak / high
    inverse, exponents = inverse[:, None, None], None
    if spec.scale == "group":
        finer = _finer(magnitudes, peak, spec)
        powers = (1 << finer).float().repeat_interleave(spec.group, dim=1)
        inverse = inverse * powers[:, None, : u.shape[-1]]
        exponents = spec.exponents - finer
        scale = scale * 2.0**-spec.exponents
    values = (u * inverse).round_().clamp_(low, high)
    dtype = torch.int8 if low >= -128 and high <= 127 else torch.int32
    return Codes(values.to(dtype), exponents, scale)


def _finer(magnitudes: Tensor, peak: Tensor, spec: Activation) -> Tensor:
    """Return how often each group's scale can be halved without clipping it; (tokens, groups)."""
    missing = -magnitudes.shape[-1] % spec.group
    padded = torch.nn.functional.pad(magnitudes.amax(dim=1), (0, missing))
    peaks = padded.unflatten(-1, (-1, spec.group)).amax(dim=-1)
    finer = torch.zeros_like(peaks, dtype=torch.int32)
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
        exact = blocks[:, where].to(torch.int32)
    else:
        exact = digits_product(digits(blocks), digits(transform_matrix(spec).to(blocks.device)))
    dtype = torch.int8 if spec.bits <= 8 else torch.int32
    result = requantize(exact, spec.shift, spec.bits).to(dtype)
    return result.reshape(tokens, views, spec.columns(inputs))


def transform_matrix(spec: Transform) -> Tensor:
    """Integer matrix of a transform, int32, (samples, block)."""
    if spec.matrix is not None:
        return tensor(spec.matrix).to(torch.int32)
    if spec.kind == "repeat":
        where = torch.arange(spec.samples) * spec.block // spec.samples
        return torch.nn.functional.one_hot(where, spec.block).to(torch.int32)
    matrix = torch.ones(1, 1, dtype=torch.int32)
    while len(matrix) < spec.block:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    if spec.signs is not None:
        matrix = matrix * tensor(spec.signs).to(torch.int32)
    return matrix
