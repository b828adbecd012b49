"""Torch modules that stand in for the linear layers of a model."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from models.bitplane import BitplaneLayer
from models.checks import require
from models.dense import dense
from models.exact import tensor
from models.reference import LAYERNORM_EPSILON, Reference
from models.stand_in import StandIn


class DenseLinear(nn.Module):
    """The real matrix that a bitplane layer stands for, on unrounded activations.

    Raises
    ------
    ValueError
        The layer stands for no matrix: see :func:`models.dense.dense`, or it has a bias between
        the integers, whose worth depends on the token.
    """

    def __init__(self, layer: BitplaneLayer) -> None:
        super().__init__()
        plain = all(stage.bias is None for path in layer.paths for stage in path.stages)
        require(plain, "a layer with a matrix", "have no bias between integers", "one")
        self.weight = nn.Parameter(torch.from_numpy(dense(layer)), requires_grad=False)
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


class ReferenceLinear(StandIn):
    """A bitplane layer as every circuit computes it."""

    def __init__(self, layer: BitplaneLayer) -> None:
        super().__init__(layer.name)
        self.reference = Reference(layer)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; float32, (..., inputs) to (..., out)."""
        return self.reference(x)


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
