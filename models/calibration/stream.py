"""What reaches each linear layer, in the float model and behind layers quantized so far."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models.bitplane import BitplaneLayer
from models.calibration.blocks import Block, blocks_of, embedded
from models.calibration.migration import Inputs, Migration, equivalence
from models.calibration.trace import Group, Trace, groups_of, norm_scale, trace
from models.codes import Activation
from models.dense import dense
from models.encode import quantize
from models.equivalence import Equivalence
from models.exact import tensor
from models.llm import LLM

DAMPING = 0.01
"""Part of the mean of a Hessian's diagonal that keeps a target near the float weights."""
SAMPLE = 256
"""Tokens on which changes of inputs are tried."""


@dataclass(frozen=True)
class Wanted:
    """What a linear layer should become.

    Attributes
    ----------
    name : str
    target : float32, (out, in)
        The weights which, on the inputs behind quantized layers, come nearest to what the float
        layer puts out on its own inputs; with an additive layer, plus what the hidden states lack.
    bias : float32, (out,), or None
    equivalence : Equivalence or None
        What becomes of the inputs first; the target is for inputs so changed, and so is the bias.
    hessian : float32, (in, in), or None
        Mean of ``x x^T`` over the changed inputs; None if only the weights count.
    """

    name: str
    target: Tensor
    bias: Tensor | None
    equivalence: Equivalence | None
    hessian: Tensor | None


def wanted_of(
    name: str,
    weight: Tensor,
    bias: Tensor | None,
    change: Equivalence | None,
    moments: tuple[Tensor, Tensor] | None = None,
) -> Wanted:
    """Change the inputs of a layer; ``moments`` are the means of ``x x^T`` and of ``x``."""
    hessian = None if moments is None else moments[0]
    if change is None:
        return Wanted(name, weight, bias, None, hessian)
    if change.shift is not None:
        more = weight @ torch.from_numpy(change.shift)
        bias = more if bias is None else bias + more
    if moments is not None:
        hessian = change.moments(*moments)
    return Wanted(name, change.weights(weight), bias, change, hessian)


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
        self.bias = None if layer.bias is None else tensor(layer.bias).to(dtype)

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


def calibrate(
    llm: LLM,
    windows: Tensor,
    how: Migration,
    activation: Activation,
    quantized: Callable[[Wanted], BitplaneLayer | None],
    known: Callable[[str], BitplaneLayer | None],
    dtype: torch.dtype = torch.bfloat16,
) -> Iterator[BitplaneLayer]:
    """Quantize the linear layers of all blocks in order.

    Parameters
    ----------
    windows : int64, (windows, tokens)
        Token numbers of the calibration text.
    how : Migration
        How inputs are changed.
    activation : Activation
        How they become codes then.
    quantized : callable
        Returns the layer for what is wanted of it, or None if it is to stay as it is.
    known : callable
        Returns the layer of a name if an earlier run left it.
    dtype : torch.dtype
        Of the streams; Hessians are summed in float32.
    """
    blocks, _ = blocks_of(llm.model, windows[:1])
    own = [embedded(llm.model, blocks[0], window[None]).to(dtype) for window in windows]
    seen = list(own)
    plans: dict[tuple[type, tuple[str, ...]], list[Group]] = {}
    for block in blocks:
        key = (type(block.module), tuple(block.linears()))
        if key not in plans:
            plans[key] = groups_of(block, own[0].float())
        groups = plans[key]
        linears = block.linears()
        plain, coded = block.copy(dtype), block.copy(dtype)
        traces = [trace(plain, groups, hidden) for hidden in own]
        for index, group in enumerate(groups):
            layers = {name: known(f"{block.name}.{name}") for name in group.names}
            if any(layer is None for layer in layers.values()):
                sums = _sums(coded, groups, index, traces, seen, linears[group.names[0]].bias)
                for name, wanted in _wanted(block, group, sums, how, activation):
                    layers[name] = layers[name] or quantized(wanted)
            for name, layer in layers.items():
                if layer is not None:
                    coded.module.set_submodule(name, CodedLinear(layer, dtype))
                    yield layer
        own = [one.result for one in traces if one.result is not None]
        seen = [coded.run(hidden) for hidden in seen]


@dataclass(frozen=True)
class _Sums:
    """Means over all windows of what a group reads.

    Attributes
    ----------
    inputs : Inputs
        Behind quantized layers.
    cross : float32, (in, in) or (out, in)
        Of the float model's inputs, or of what an additive layer should put out, times ``x^T``.
    """

    inputs: Inputs
    cross: Tensor


def _sums(
    coded: Block,
    groups: list[Group],
    index: int,
    traces: list[Trace],
    seen: list[Tensor],
    bias: Tensor | None,
) -> _Sums:
    """Sum what reaches a group.

    Parameters
    ----------
    traces : list of Trace
        Of the float block, for each window.
    seen : list of (1, tokens, width)
        Hidden states before the block, behind the quantized layers.
    """
    known = 0.0 if bias is None else bias.detach()
    hessian = cross = mean = torch.zeros(())
    low = high = sample = torch.zeros(0)
    for number, (float_trace, hidden) in enumerate(zip(traces, seen, strict=True)):
        coded_trace = trace(coded, groups, hidden, last=index)
        x = coded_trace.inputs[index].float()
        added = float_trace.added[index]
        if added is None:
            y = float_trace.inputs[index].float()
        else:
            lacking = float_trace.before(index).float() - coded_trace.before(index).float()
            y = added.float() - known + lacking
        share = 1 / (len(seen) * len(x))
        hessian, cross = hessian + share * (x.T @ x), cross + share * (y.T @ x)
        mean = mean + share * x.sum(0)
        least, most = x.aminmax(dim=0)
        low = least if number == 0 else torch.minimum(low, least)
        high = most if number == 0 else torch.maximum(high, most)
        sample = x[:SAMPLE] if number == 0 else sample
    return _Sums(Inputs(hessian, mean, low, high, sample, None), cross)


def _wanted(
    block: Block, group: Group, sums: _Sums, how: Migration, activation: Activation
) -> Iterator[tuple[str, Wanted]]:
    """Make targets, and change the inputs of all layers of a group alike."""
    linears, inputs = block.linears(), sums.inputs
    weights = {name: linears[name].weight.detach() for name in group.names}
    width = len(inputs.mean)
    if group.norm is not None:
        inputs = replace(inputs, gamma=norm_scale(block, group.norm, width))
    change = equivalence(how, inputs, torch.cat(list(weights.values())), activation)
    hessian = inputs.hessian
    damped = hessian + DAMPING * hessian.diagonal().mean() * torch.eye(width)
    root = torch.linalg.cholesky(damped.double())
    for name, weight in weights.items():
        moment = sums.cross if group.additive else weight @ sums.cross
        lacking = (moment - weight @ hessian).double()
        target = weight + torch.cholesky_solve(lacking.T, root).T.float()
        bias = linears[name].bias
        full, own = f"{block.name}.{name}", None if bias is None else bias.detach()
        yield name, wanted_of(full, target, own, change, (hessian, inputs.mean))
