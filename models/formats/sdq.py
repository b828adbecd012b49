"""Sigma-delta streams of oversampled weights."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.codes import Activation
from models.coefficients import Mix, signs_mix
from models.compensation import compensated
from models.compensation.blocks import feed_back_blocks
from models.compensation.hessian import damped
from models.formats.modulator import Scales, Streams, best_scales, modulate
from models.formats.oversampling import Oversampling, oversampling
from models.formats.spec import Format, require_coef_bits
from models.lower import path_from_real, real_matrix
from models.threads import one_thread

TERNARY: Mix = ((1, -1, 0), (0, 0, 1))
"""Of scale and mean, for samples of 1 and of -1."""


@dataclass(frozen=True)
class Sdq(Format):
    """Sigma-delta streams of weights.

    Each block of a row is rotated, resampled to ``osr * block`` samples, freed of its mean,
    scaled, and modulated to -1, 0, 1 (or -1, 1) by a first-order loop that starts anew in every
    row and block (SDQ-LLM, arXiv 2510.03275, code ``Dreamlittlecat/LLM-Quant-Factory``). The
    authors bring the samples back to weights; here they stay, and the adjoint acts on the
    activations: ``y = Q (D^T R^T x)`` with the resampling back D and the rotation R. A short last
    block is padded with zeros.

    ``profile=matrix``: R is a Hadamard matrix with random signs, D band-limited resampling by
    FFT, as published; ``D^T R^T`` is one int16 matrix, whose result is rounded to ``bits``
    (8 are few: a query projection of SmolLM2-135M then loses a fifth of its output, at 12 no more
    than by 8-bit activations alone).
    ``profile=repeat``: no rotation, and each weight is held for its samples, so that activations
    are repeated, exactly; a rotation as well would be a second transform. Where weights have
    different numbers of samples (osr 2.5: 2 or 3), these are scaled before the loop.
    ``search=grid``: instead of the published scale and quantiles (0.9, 0.9, 0.5), those of the
    authors' grid that lose least of 256 of the matrix's blocks.

    With calibration, weights whose inputs were always zero become zero, as published, and each
    block's error is made up for by the blocks to its right: ``feedback=diagonal`` as published,
    for the diagonal of the block's own factor, ``feedback=block`` as is best.
    ``encoder=descent``: no loop decides the samples (it gives the scales to start from) but, as
    in formats without samples, error feedback over all of them, coordinate descent and least
    squares, for the inputs or, without calibration, for the weights. In three layers of
    SmolLM2-135M, calibrated, that leaves 0.22 to 0.36 of the loop's error of outputs.

    Storage: per sample 2 bits (binary: 1), ``osr`` samples per weight; 32 per row and block, 16
    with ``coef_bits=8``; 32 per row; and the matrix, ``16 * osr * block**2``, for the layer.
    """

    by_rows: ClassVar[bool] = True

    levels: Literal["ternary", "binary"] = "ternary"
    osr: float = 2.0
    block: int = 64
    profile: Literal["matrix", "repeat"] = "matrix"
    bits: int = 12
    search: Literal["none", "grid"] = "none"
    encoder: Literal["loop", "descent"] = "loop"
    feedback: Literal["block", "diagonal"] = "block"
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
        near = float(Fraction(round(samples), self.block))
        rule = f"be a whole number, as with osr {near:.12g}"
        require(whole, "osr times block", rule, float(samples))
        require(2 <= self.bits <= 16, "bits", "be from 2 to 16", self.bits)
        require_coef_bits(self.coef_bits)
        loop = self.encoder == "loop" or self.feedback == Sdq.feedback
        require(loop, "feedback", "be left out with encoder descent", self.feedback)
        left_out = self.bits == Sdq.bits
        require(matrix or left_out, "bits", "be left out with profile repeat", self.bits)

    @property
    def samples(self) -> int:
        """Samples of a block."""
        return int(Fraction(str(self.osr)) * self.block)

    @one_thread()
    def quantize(
        self,
        weight: NDArray[np.floating] | Tensor,
        name: str,
        activation: Activation,
        hessian: Tensor | None = None,
    ) -> BitplaneLayer:
        """Modulate every block of every row; with a Hessian, one block after the other."""
        matrix = real_matrix(weight).double()
        if hessian is not None:
            matrix[:, hessian.diagonal() == 0] = 0
        maps = oversampling(self.profile, self.block, self.samples)
        streams = self._looped(matrix, maps, None if self.encoder == "descent" else hessian)
        samples = torch.cat([part.samples.T for part in streams], 1)
        planes = [samples > 0, samples < 0][: 2 if self._ternary else 1]
        stored = torch.stack(
            [torch.stack([part.scale, part.mean], 1) for part in streams], 1
        )  # (rows, blocks, 2)
        transform, worth = maps.transform(activation, self.bits)
        path = path_from_real(
            torch.stack(planes).numpy(), maps.samples, stored.numpy(), None, activation,
            transform=transform, mix=TERNARY if self._ternary else signs_mix(1, mean=True),
            coefficient_bits=self.coef_bits,
        )  # fmt: skip
        if self.encoder == "descent":
            given = torch.eye(matrix.shape[1]) if hessian is None else hessian
            path = _descended(path, matrix, maps, given)
        path = replace(path, out_scale=path.out_scale * np.float32(worth))
        return BitplaneLayer(name, matrix.shape[1], (path,))

    @property
    def _ternary(self) -> bool:
        return self.levels == "ternary"

    def _looped(self, matrix: Tensor, maps: Oversampling, hessian: Tensor | None) -> list[Streams]:
        """Modulate each block of columns; (samples, rows) each."""
        scales = Scales()
        if self.search == "grid":
            scales = best_scales(maps.signals(matrix), self._ternary, maps.adjoint.T)
        found: list[Streams] = []

        def choose(wanted: Tensor) -> Tensor:
            found.append(modulate(maps.signals(wanted), self._ternary, scales))
            return maps.weights(found[-1].values())[:, : wanted.shape[1]]

        if hessian is None:
            for part in matrix.split(self.block, dim=1):
                choose(part)
        else:
            exact = self.feedback == "block"
            feed_back_blocks(matrix, damped(hessian), self.block, choose, exact)
        return found


def _descended(path: Path, matrix: Tensor, maps: Oversampling, hessian: Tensor) -> Path:
    """Choose samples and coefficients anew, as if samples were the weights of a layer."""
    (stage,) = path.stages
    signals = maps.signals(matrix).T.reshape(len(matrix), -1).float()
    plain = replace(path, stages=(replace(stage, transform=None),))
    layer = BitplaneLayer("samples", signals.shape[1], (plain,))
    (found,) = compensated(layer, signals, maps.hessian(hessian)).paths
    return replace(found, stages=(replace(found.stages[0], transform=stage.transform),))
