"""Weights of a block as more samples, and the transform that the inputs then need."""

from dataclasses import dataclass
from math import floor, log2
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import pad

from models.codes import Activation, Transform
from models.formats.groups import in_groups
from models.formats.resample import down_fourier, down_repeat, rotation, up_fourier, up_repeat
from models.integers import code_range

SEED = 0
"""Of the random signs, the same in all layers, so that these can share rotated inputs."""
MOST_SHIFT = 32
"""That a transform may have."""
DEVIATIONS = 4
"""Of a block of largest codes with random signs: what transformed codes saturate at."""


@dataclass(frozen=True)
class Oversampling:
    """Maps between the weights of a block and its samples.

    Attributes
    ----------
    kind : "matrix" or "repeat"
    into : float64, (samples, block)
        Rotates and resamples weights.
    adjoint : float64, (samples, block)
        What each sample counts in each weight: resampling back and rotating back, transposed.
        ``adjoint.T @ into`` is the identity.
    """

    kind: Literal["matrix", "repeat"]
    into: Tensor
    adjoint: Tensor

    @property
    def samples(self) -> int:
        """Samples of a block."""
        return self.into.shape[0]

    @property
    def block(self) -> int:
        """Weights of a block."""
        return self.into.shape[1]

    def signals(self, matrix: Tensor) -> Tensor:
        """Oversample weights.

        Parameters
        ----------
        matrix : float64, (rows, columns)

        Returns
        -------
        float64, (samples, rows * blocks)
            All blocks of the first row, then those of the next; a short one is padded with zeros.
        """
        return self.into @ in_groups(matrix, self.block).flatten(0, 1).T

    def weights(self, signals: Tensor) -> Tensor:
        """Bring samples back to weights; (samples, n) to (n, block)."""
        return signals.T @ self.adjoint

    def hessian(self, hessian: Tensor) -> Tensor:
        """Return the Hessian of the samples.

        Parameters
        ----------
        hessian : float32, (columns, columns)
            Of the weights.

        Returns
        -------
        float32, (blocks * samples, blocks * samples)
            Singular where there are more samples than weights.
        """
        missing = -len(hessian) % self.block
        whole = pad(hessian, (0, missing, 0, missing))
        spread = torch.block_diag(*[self.adjoint.float()] * (len(whole) // self.block))
        return spread @ whole @ spread.T

    def transform(self, activation: Activation, bits: int) -> tuple[Transform, float]:
        """Return the transform of the activations' codes, and what one of its codes is worth.

        Parameters
        ----------
        bits : int
            Of a code after a matrix; repeated codes need as many as the activations.
        """
        block, samples = self.block, self.samples
        if self.kind == "repeat":
            width = max(2, activation.bits + (not activation.signed and activation.bits > 1))
            return Transform("repeat", block, samples, width), float(self.adjoint.amax())
        rows = torch.minimum(self.adjoint.abs().sum(1), DEVIATIONS * self.adjoint.norm(dim=1))
        top = code_range(bits, signed=True)[1]
        finest = floor(log2(top / (float(rows.amax()) * activation.magnitude)))
        most = floor(log2(32767 / float(self.adjoint.abs().amax())))
        fraction = min(most, finest + MOST_SHIFT)
        finest = min(finest, fraction)
        table = torch.round(self.adjoint * 2.0**fraction).to(torch.int16).numpy()
        return Transform(
            "matrix", block, samples, bits, fraction - finest, matrix=table
        ), 2.0**-finest


def oversampling(kind: Literal["matrix", "repeat"], block: int, samples: int) -> Oversampling:
    """Return the maps: band-limited after a rotation, or each weight held for its samples."""
    if kind == "repeat":
        return Oversampling(kind, up_repeat(block, samples), down_repeat(block, samples).T)
    rotate = rotation(block, SEED)
    up, down = up_fourier(block, samples), down_fourier(block, samples)
    return Oversampling(kind, up @ rotate.T, down.T @ rotate.T)
