"""Sigma-delta streams of oversampled weights."""

from dataclasses import dataclass, replace
from fractions import Fraction
from math import floor, log2
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.checks import require
from models.codes import Activation, Transform
from models.coefficients import Mix, signs_mix
from models.formats.groups import in_groups, row_parts
from models.formats.modulator import Scales, Streams, best_scales, modulate
from models.formats.resample import down_fourier, down_repeat, rotation, up_fourier, up_repeat
from models.formats.spec import Format, require_coef_bits
from models.integers import code_range
from models.lower import path_from_real, real_matrix
from models.threads import one_thread

SEED = 0
"""Of the random signs, the same in all layers, so that these can share rotated inputs."""
MOST_SHIFT = 32
"""That a transform may have."""
DEVIATIONS = 4
"""Of a block of largest codes with random signs: what transformed codes saturate at."""
TERNARY: Mix = ((1, -1, 0), (0, 0, 1))
"""Of scale and mean, for samples of 1 and of -1."""


@dataclass(frozen=True)
class Sdq(Format):
    """Sigma-delta streams of weights.

    Each block of a row is rotated, resampled to ``osr * block`` samples, freed of its mean,
    scaled, and modulated to -1, 0, 1 (or -1, 1) by a first-order loop that starts anew in every
    row and block (SDQ-LLM, arXiv 2510.03275, code ``Dreamlittlecat/LLM-Quant-Factory``, whose
    error feedback between blocks needs calibration). The authors bring the samples back to
    weights; here they stay, and the adjoint acts on the activations: ``y = Q (D^T R^T x)`` with
    the resampling back D and the rotation R.

    ``profile=matrix``: R is a Hadamard matrix with random signs, D band-limited resampling by
    FFT, as published; ``D^T R^T`` is one int16 matrix, whose result is rounded to ``bits``
    (8 are few: a query projection of SmolLM2-135M then loses a fifth of its output, at 12 no more
    than by 8-bit activations alone).
    ``profile=repeat``: no rotation, and each weight is held for its samples, so that activations
    are repeated, exactly; a rotation as well would be a second transform. Where weights have
    different numbers of samples (osr 2.5: 2 or 3), these are scaled before the loop.
    ``search=grid``: instead of the published scale and quantiles (0.9, 0.9, 0.5), those of the
    authors' grid that lose least of 256 of the matrix's blocks. A short last block is padded with
    zeros.

    Storage: per sample 2 bits (binary: 1), ``osr`` samples per weight; 32 per row and block, 16
    with ``coef_bits=8``; 32 per row; and the matrix, ``16 * osr * block**2``, for the layer.
    """

    levels: Literal["ternary", "binary"] = "ternary"
    osr: float = 2.0
    block: int = 64
    profile: Literal["matrix", "repeat"] = "matrix"
    bits: int = 12
    search: Literal["none", "grid"] = "none"
    coef_bits: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.osr <= 8, "osr", "be from 1 to 8", self.osr)
        require(1 <= self.block <= 1024, "block", "be from 1 to 1024", self.block)
        power = self.block & (self.block - 1) == 0
        matrix = self.profile == "matrix"
        require(power or not matrix, "block", "be a power of two with profile matrix", self.block)
        samples = Fraction(str(self.osr)) * self.block
        whole = samples.denominator == 1
        require(whole, "osr times block", "be a whole number", float(samples))
        require(2 <= self.bits <= 16, "bits", "be from 2 to 16", self.bits)
        require_coef_bits(self.coef_bits)
        left_out = self.bits == Sdq.bits
        require(matrix or left_out, "bits", "be left out with profile repeat", self.bits)

    @property
    def samples(self) -> int:
        """Samples of a block."""
        return int(Fraction(str(self.osr)) * self.block)

    @one_thread()
    def quantize(
        self, weight: NDArray[np.floating] | Tensor, name: str, activation: Activation
    ) -> BitplaneLayer:
        """Modulate every block of every row."""
        matrix = real_matrix(weight)
        rows, columns = matrix.shape
        up, down, rotate = self._matrices()
        into = up @ rotate.T  # weights to samples
        ternary = self.levels == "ternary"
        scales = Scales()
        if self.search == "grid":
            scales = best_scales(self._signals(matrix, into), ternary, down)
        found = [
            modulate(self._signals(matrix[part], into), ternary, scales)
            for part in row_parts(rows, -(-columns // self.block) * self.samples)
        ]
        streams = Streams(
            torch.cat([part.samples for part in found], 1),
            torch.cat([part.scale for part in found]),
            torch.cat([part.mean for part in found]),
        )
        samples = streams.samples.T.reshape(rows, -1)
        bits = torch.stack([samples > 0, samples < 0][: 2 if ternary else 1]).numpy()
        stored = torch.stack([streams.scale.view(rows, -1), streams.mean.view(rows, -1)], 2)
        transform, worth = self._transform(down.T @ rotate.T, activation)
        path = path_from_real(
            bits, self.samples, stored.numpy(), None, activation, transform=transform,
            mix=TERNARY if ternary else signs_mix(1, mean=True), coefficient_bits=self.coef_bits,
        )  # fmt: skip
        path = replace(path, out_scale=path.out_scale * np.float32(worth))
        return BitplaneLayer(name, columns, (path,))

    def _signals(self, matrix: Tensor, into: Tensor) -> Tensor:
        """Oversample all blocks; float64, (samples, rows * blocks)."""
        return into @ in_groups(matrix.double(), self.block).flatten(0, 1).T

    def _matrices(self) -> tuple[Tensor, Tensor, Tensor]:
        """Resampling to samples and back, and the rotation of weights before it."""
        if self.profile == "repeat":
            unit = torch.eye(self.block, dtype=torch.float64)
            size = (self.block, self.samples)
            return up_repeat(*size), down_repeat(*size), unit
        size = (self.block, self.samples)
        return up_fourier(*size), down_fourier(*size), rotation(self.block, SEED)

    def _transform(self, adjoint: Tensor, activation: Activation) -> tuple[Transform, float]:
        """Return the transform of the activations' codes, and what one of its codes is worth.

        Parameters
        ----------
        adjoint : float64, (samples, block)
        """
        if self.profile == "repeat":
            width = max(2, activation.bits + (not activation.signed and activation.bits > 1))
            return Transform("repeat", self.block, self.samples, width), float(adjoint.amax())
        rows = torch.minimum(adjoint.abs().sum(1), DEVIATIONS * adjoint.norm(dim=1))
        top = code_range(self.bits, signed=True)[1]
        finest = floor(log2(top / (float(rows.amax()) * activation.magnitude)))
        fraction = min(floor(log2(32767 / float(adjoint.abs().amax()))), finest + MOST_SHIFT)
        finest = min(finest, fraction)
        table = torch.round(adjoint * 2.0**fraction).to(torch.int16).numpy()
        return Transform(
            "matrix", self.block, self.samples, self.bits, fraction - finest, matrix=table
        ), 2.0**-finest
