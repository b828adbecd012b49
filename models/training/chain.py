"""A path of two stages that learns: two matrices of signs between three scale vectors (DBF)."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from models.bitplane import Path
from models.chain import integers_of, requantize_of
from models.checks import require
from models.codes import Activation
from models.integers import code_range
from models.training.coding import coded, straight_through
from models.training.levels import Levels

NEAREST = 0.05
"""Latents begin at random between this part of their sign's value and all of it."""


class TrainedChain(nn.Module):
    """A path of two stages of signs, one view each.

    The codes between the stages are rounded as circuits do it; the gradient is that of the line
    that they follow, and zero where they saturate. The factors between the stages learn, as do
    column scales and the coefficients of the second stage.

    Raises
    ------
    ValueError
        The path has more than that.
    """

    def __init__(self, path: Path, fixed: int, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        subject = "a chain to train"
        self._path, (first, second) = path, path.stages
        require(first.views == second.views == 1, subject, "have one view", first.views)
        plain = all(stage.gather is None and stage.transform is None for stage in path.stages)
        require(plain, subject, "read columns as they are", "a selection or a transform")
        assert first.activation is not None
        assert first.requantize is not None
        self._activation, self._bits = first.activation, first.requantize.bits
        self.first, self.second = (
            Levels(half, fixed, dtype, device) for half in self._halves(path)
        )
        random = torch.Generator().manual_seed(0)
        for levels in self.all_levels():
            near = torch.rand(levels.latents.shape, generator=random).to(device)
            with torch.no_grad():
                levels.latents.mul_(NEAREST + (1 - NEAREST) * near)
        factors = first.requantize.row_scale[0] * 2.0**-first.requantize.shift
        self.factors = nn.Parameter(torch.tensor(factors, dtype=torch.float32, device=device))
        scale = np.ones((1, first.columns)) if first.column_scale is None else first.column_scale
        self.column_scale = nn.Parameter(torch.tensor(scale, dtype=torch.float32, device=device))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; (tokens, inputs) to (tokens, out)."""
        codes, scale = coded(x[:, None] * self.column_scale.to(x.dtype), self._activation)
        smooth = codes[:, 0] @ self.first.matrix.T * self.factors.to(x.dtype)
        low, high = code_range(self._bits, signed=True)
        whole = (smooth.detach() + 0.5).floor().clamp(low, high)
        between = straight_through(smooth.clamp(low, high), whole)
        return between @ self.second.matrix.T * scale[:, None].to(x.dtype)

    def all_levels(self) -> list[Levels]:
        """Return the weights of each stage."""
        return [self.first, self.second]

    def lean(self, lacking: Tensor) -> None:
        """Stay: what a product of two matrices lacks says nothing of either."""

    def path(self) -> Path:
        """Return the path as it is stored; what the first stage's signs are worth goes on."""
        first, second = (
            levels.path(half)
            for levels, half in zip(self.all_levels(), self._halves(self._path), strict=True)
        )
        before, worth = self._path.stages[0], float(first.out_scale[0])
        factors = self.factors.detach().double().cpu().numpy()[np.newaxis] * worth
        scale = self.column_scale.detach().cpu().numpy()
        stage = replace(
            before,
            planes=first.stages[0].planes,
            requantize=requantize_of(factors, self._bits),
            column_scale=None if before.column_scale is None
            else scale.astype(before.column_scale.dtype),
        )  # fmt: skip
        (last,) = second.stages
        real = (last.coefficients.flatten() * second.out_scale.astype(np.float64))[np.newaxis]
        whole, unit = integers_of(real, 8 * last.coefficients.itemsize)
        coefficients = whole.reshape(last.coefficients.shape)
        last = replace(last, activation=None, coefficients=coefficients)
        return replace(self._path, stages=(stage, last), out_scale=unit)

    @staticmethod
    def _halves(path: Path) -> tuple[Path, Path]:
        """Return the stages as paths of their own."""
        first, second = path.stages
        alone = replace(first, requantize=None, column_scale=None)
        return (
            replace(path, stages=(alone,), out_scale=np.ones(1, np.float32)),
            replace(path, stages=(replace(second, activation=Activation()),)),
        )
