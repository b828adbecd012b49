"""A bitplane layer that learns, and becomes a bitplane layer again."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.dense import dense
from models.reference import LAYERNORM_EPSILON
from models.training.chain import TrainedChain
from models.training.coding import coded, transformed
from models.training.levels import Levels


class TrainedPath(nn.Module):
    """A path of one stage."""

    def __init__(self, path: Path, fixed: int, dtype: torch.dtype, device: torch.device) -> None:
        super().__init__()
        (self._stage,) = path.stages
        self._path, self.levels = path, Levels(path, fixed, dtype, device)
        scale, gather = self._stage.column_scale, self._stage.gather
        self.column_scale = None
        if scale is not None:
            self.column_scale = nn.Parameter(torch.tensor(scale, device=device))
        self._gather = None if gather is None else torch.tensor(gather, device=device).long()

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; (tokens, inputs) to (tokens, out)."""
        u = (x if self._gather is None else x[:, self._gather])[:, None]
        if self.column_scale is not None:
            u = u * self.column_scale.to(u.dtype)
        assert self._stage.activation is not None
        codes, scale = coded(u, self._stage.activation)
        if self._stage.transform is not None:
            codes = transformed(codes, self._stage.transform)
        return codes[:, 0] @ self.levels.matrix.T * scale[:, None].to(x.dtype)

    def all_levels(self) -> list[Levels]:
        """Return the weights, as a chain does."""
        return [self.levels]

    def lean(self, lacking: Tensor) -> None:
        """Let latents begin nearer to the float weights, which lie so much higher; (out, inputs).

        Behind a transform, whose columns are no weights, they stay.
        """
        if self._stage.transform is not None:
            return
        mine = lacking if self._gather is None else lacking[:, self._gather]
        if self.column_scale is not None:
            scale = self.column_scale.detach()
            mine = mine / torch.where(scale == 0, 1.0, scale)
        self.levels.lean(mine)

    def path(self) -> Path:
        """Return the path as it is stored."""
        path = self._path
        if self.column_scale is not None:
            scale = self.column_scale.detach().cpu().numpy()
            path = replace(path, stages=(replace(self._stage, column_scale=scale.copy()),))
        return self.levels.path(path)


class TrainedLinear(nn.Module):
    """A layer whose codes, coefficients, column scales and bias follow gradients.

    Inputs are quantized as circuits do it, with gradients as :mod:`models.training.coding` says.

    Parameters
    ----------
    layer : BitplaneLayer
    weight : float32, (out, inputs)
        That it stands for.
    fixed : int
        Bit mask of planes whose bits stay.
    dtype : torch.dtype
        Of inputs, outputs and products.

    Attributes
    ----------
    sizes : dict of float
        Root mean square of each parameter at the beginning, by name: the unit of its rate.

    Raises
    ------
    ValueError
        The layer has what cannot be trained.
    """

    def __init__(
        self,
        layer: BitplaneLayer,
        weight: Tensor,
        fixed: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        super().__init__()
        for path in layer.paths:
            _check(path)
        self._layer = layer
        kinds = [TrainedPath if len(path.stages) == 1 else TrainedChain for path in layer.paths]
        self._paths = [
            kind(path, fixed, dtype, device) for kind, path in zip(kinds, layer.paths, strict=True)
        ]
        self.paths = nn.ModuleList(self._paths)
        lacking = weight - torch.from_numpy(dense(layer))
        for path in self._paths:
            path.lean(lacking.to(device))
        self.bias = None
        if layer.bias is not None:
            self.bias = nn.Parameter(torch.tensor(layer.bias, device=device))
        self.sizes = {
            key: float(parameter.detach().square().mean().sqrt())
            for key, parameter in self.named_parameters()
        }

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; (..., inputs) to (..., out)."""
        flat = x.flatten(0, -2)
        y = self._paths[0](flat)
        for path in self._paths[1:]:
            y = y + path(flat)
        if self.bias is not None:
            y = y + self.bias.to(y.dtype)
        if self._layer.post == "layernorm":
            y = nn.functional.layer_norm(y, y.shape[-1:], eps=LAYERNORM_EPSILON)
        return y.view(*x.shape[:-1], -1)

    def levels(self) -> list[Levels]:
        """Return the weights of each path, of each of its stages."""
        return [levels for path in self._paths for levels in path.all_levels()]

    def layer(self) -> BitplaneLayer:
        """Return the layer as it is stored: coefficients rounded, then codes chosen."""
        bias = None if self.bias is None else self.bias.detach().cpu().numpy().copy()
        paths = tuple(path.path() for path in self._paths)
        return replace(self._layer, paths=paths, bias=bias)


def _check(path: Path) -> None:
    """Raise ``ValueError`` for a path that cannot be trained."""
    stage = path.stages[0]
    subject = "a layer to train"
    require(path.router is None, subject, "have no router", "one")
    require(stage.views == 1, subject, "have one view", stage.views)
    biased = any(stage.bias is not None for stage in path.stages)
    require(not biased, subject, "have no bias between integers", "one")
