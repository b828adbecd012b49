"""What reaches each linear layer, in the float model and behind layers quantized so far."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.bitplane import BitplaneLayer
from models.calibration.blocks import Block, blocks_of, embedded
from models.calibration.trace import Group, Trace, groups_of, trace
from models.codes import Activation
from models.dense import dense
from models.encode import quantize
from models.llm import LLM

DAMPING = 0.01
"""Part of the mean of a Hessian's diagonal that keeps a target near the float weights."""


@dataclass(frozen=True)
class Wanted:
    """What a linear layer should become.

    Attributes
    ----------
    name : str
    target : float32, (out, in)
        The weights which, on the inputs behind quantized layers, come nearest to what the float
        layer puts out on its own inputs; with an additive layer, plus what the hidden states lack.
    hessian : float32, (in, in)
        Mean of ``x x^T`` over those inputs.
    """

    name: str
    target: Tensor
    hessian: Tensor


class CodedLinear(nn.Module):
    """The real matrix of a layer on the codes of its inputs: what circuits compute, but rounded."""

    def __init__(self, layer: BitplaneLayer, bias: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        activation = layer.paths[0].stages[0].activation
        assert activation is not None
        self.activation: Activation = activation
        self.weight = nn.Parameter(torch.from_numpy(dense(layer)).to(dtype), requires_grad=False)
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; (..., inputs) to (..., out)."""
        codes = quantize(x.float().flatten(0, -2)[:, None], self.activation)
        whole = codes.weighted(self.activation.group)[:, 0].to(x.dtype)
        y = nn.functional.linear(whole, self.weight) * codes.scale[:, None].to(x.dtype)
        y = y if self.bias is None else y + self.bias
        return y.view(*x.shape[:-1], -1)


def calibrate(
    llm: LLM,
    windows: Tensor,
    quantized: Callable[[Wanted], BitplaneLayer | None],
    known: Callable[[str], BitplaneLayer | None],
    dtype: torch.dtype = torch.bfloat16,
) -> Iterator[BitplaneLayer]:
    """Quantize the linear layers of all blocks in order.

    Parameters
    ----------
    windows : int64, (windows, tokens)
        Token numbers of the calibration text.
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
                own_layers = {name: linears[name] for name in layers}
                for wanted in _wanted(coded, groups, index, own_layers, traces, seen):
                    short = wanted.name.removeprefix(f"{block.name}.")
                    layers[short] = layers[short] or quantized(wanted)
            for name, layer in layers.items():
                if layer is not None:
                    bias = linears[name].bias
                    bias = None if bias is None else bias.detach().to(dtype)
                    coded.module.set_submodule(name, CodedLinear(layer, bias, dtype))
                    yield layer
        own = [one.result for one in traces if one.result is not None]
        seen = [coded.run(hidden) for hidden in seen]


def _wanted(
    coded: Block,
    groups: list[Group],
    index: int,
    linears: dict[str, nn.Linear],
    traces: list[Trace],
    seen: list[Tensor],
) -> Iterator[Wanted]:
    """Sum the statistics of a group's inputs, and make targets of them.

    Parameters
    ----------
    linears : dict of Linear
        The layers of the group, by name in the block.
    traces : list of Trace
        Of the float block, for each window.
    seen : list of (1, tokens, width)
        Hidden states before the block, behind the quantized layers.
    """
    count = 0
    bias = next(iter(linears.values())).bias
    known = 0.0 if bias is None else bias.detach()
    hessian = cross = torch.zeros(())
    for float_trace, hidden in zip(traces, seen, strict=True):
        coded_trace = trace(coded, groups, hidden, last=index)
        x = coded_trace.inputs[index].float()
        hessian = hessian + x.T @ x
        added = float_trace.added[index]
        if added is None:
            cross = cross + float_trace.inputs[index].float().T @ x
        else:
            lacking = float_trace.before(index).float() - coded_trace.before(index).float()
            cross = cross + (added.float() - known + lacking).T @ x
        count += len(x)
    hessian, cross = hessian / count, cross / count
    damped = hessian + DAMPING * hessian.diagonal().mean() * torch.eye(len(hessian))
    root = torch.linalg.cholesky(damped.double())
    for name, linear in linears.items():
        weight = linear.weight.detach()
        moment = cross if groups[index].additive else weight @ cross
        lacking = (moment - weight @ hessian).double()
        correction = torch.cholesky_solve(lacking.T, root).T.float()
        yield Wanted(f"{coded.name}.{name}", weight + correction, hessian)
