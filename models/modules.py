"""Torch modules that stand in for the linear layers of a model."""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from models.bitplane import BitplaneLayer
from models.checks import require
from models.dense import dense
from models.exact import tensor
from models.reference import LAYERNORM_EPSILON, Reference, integer_weights
from models.stage import Stage
from models.stand_in import StandIn


class DenseLinear(nn.Module):
    """The real matrix that a bitplane layer stands for, on unrounded activations.

    Raises
    ------
    ValueError
        The layer stands for no matrix: see :func:`models.dense.dense`, or it has a bias between
        the integers, whose worth depends on the token, and is not that of 1-bit codes for signs.
    """

    def __init__(self, layer: BitplaneLayer) -> None:
        super().__init__()
        stages = [stage for path in layer.paths for stage in path.stages]
        signs = all(_of_signs(stage) for stage in stages)
        plain = signs or all(stage.bias is None for stage in stages)
        require(plain, "a layer with a matrix", "have no bias between integers", "one")
        matrix = torch.from_numpy(dense(layer)) * (0.5 if signs else 1.0)
        self.weight = nn.Parameter(matrix, requires_grad=False)
        bias = None if layer.bias is None else tensor(layer.bias)
        shift = None if layer.equivalence is None else layer.equivalence.shift
        if shift is not None:
            lost = self.weight.detach() @ tensor(shift)
            bias = -lost if bias is None else bias - lost
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.post = layer.post

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; float32, (..., inputs) to (..., out)."""
        y = nn.functional.linear(x, self.weight, self.bias)
        if self.post == "layernorm":
            y = nn.functional.layer_norm(y, y.shape[-1:], eps=LAYERNORM_EPSILON)
        return y


def _of_signs(stage: Stage) -> bool:
    """Whether codes 0 and 1 stand for -1 and 1: weights count twice, less what all ones give."""
    if stage.bias is None or stage.activation is None or stage.activation.bits > 1:
        return False
    sums = integer_weights(stage).numpy().sum((0, 2), dtype=np.int64)
    return np.array_equal(2 * stage.bias.astype(np.int64), -sums)


class ReferenceLinear(StandIn):
    """A bitplane layer as every circuit computes it."""

    def __init__(self, layer: BitplaneLayer) -> None:
        super().__init__(layer.name)
        self.reference = Reference(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; float32, (..., inputs) to (..., out).

        Raises
        ------
        ValueError
            Inputs are not finite; the text names the layer.
        """
        try:
            return self.reference(x)
        except ValueError as error:
            raise ValueError(f"layer {self.name}: {error}") from error


def replace_layers(
    model: PreTrainedModel,
    layers: Iterable[BitplaneLayer],
    stand_in: Callable[[BitplaneLayer], nn.Module],
) -> None:
    """Put stand-ins into a model, one by one, so that no weights are held twice.

    Where a module is used under several names, it is replaced under all of them.

    Raises
    ------
    ValueError
        A layer has no stand-in; the text names it. The layers before it are replaced.
    """
    for layer in layers:
        try:
            new = stand_in(layer)
        except ValueError as error:
            raise ValueError(f"layer {layer.name}: {error}") from error
        _replace(model, model.get_submodule(layer.name), new)


def replace_convolutions(model: PreTrainedModel) -> None:
    """Put linear layers in place of GPT-2's ``Conv1D``, which are such with weights transposed.

    What the model computes stays, but for rounding.
    """
    for module in list(model.modules()):
        if isinstance(module, Conv1D):
            linear = nn.Linear(module.nx, module.nf, device="meta")
            linear.weight = nn.Parameter(module.weight.detach().T.contiguous())
            linear.bias = module.bias
            _replace(model, module, linear)


def _replace(model: PreTrainedModel, old: nn.Module, new: nn.Module) -> None:
    """Replace a module under all of its names."""
    every = [name for name, have in model.named_modules(remove_duplicate=False) if have is old]
    for name in every:
        model.set_submodule(name, new)
