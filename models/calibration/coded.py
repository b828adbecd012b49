"""A quantized layer as calibration runs it."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from models.bitplane import BitplaneLayer
from models.dense import dense
from models.encode import quantize
from models.exact import tensor


class CodedLinear(nn.Module):
    """The real matrix of a layer on the codes of its inputs: what circuits compute, but rounded."""

    def __init__(self, layer: BitplaneLayer, dtype: torch.dtype) -> None:
        super().__init__()
        activation = layer.paths[0].stages[0].activation
        if activation is None:
            raise ValueError(f"layer {layer.name} must have an activation, got none")
        self.activation, self.change = activation, layer.equivalence
        matrix = torch.from_numpy(dense(replace(layer, equivalence=None)))
        self.weight = nn.Parameter(matrix.to(dtype), requires_grad=False)
        bias = None if layer.bias is None else tensor(layer.bias).to(dtype)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; (..., inputs) to (..., out)."""
        tokens = x.float().flatten(0, -2)
        if self.change is not None:
            tokens = self.change.inputs(tokens)
        codes = quantize(tokens[:, None], self.activation)
        whole = codes.weighted(self.activation.group)[:, 0].to(x.dtype)
        y = nn.functional.linear(whole, self.weight) * codes.scale[:, None].to(x.dtype)
        y = y if self.bias is None else y + self.bias
        return y.view(*x.shape[:-1], -1)
