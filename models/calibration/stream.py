"""What reaches each linear layer, in the float model and behind layers quantized so far."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.calibration.blocks import blocks_of, embedded
from models.calibration.coded import CodedLinear
from models.calibration.head import head_inputs
from models.calibration.lockstep import Lockstep
from models.calibration.migration import Migration
from models.calibration.trace import Group, Trace, groups_of, norm_scale, trace
from models.calibration.wanted import Sums, Wanted, targets
from models.codes import Activation
from models.device import product_type
from models.llm import LLM, linear_layers
from models.notes import say_once


def calibrate(
    llm: LLM,
    windows: Tensor,
    how: Migration,
    activation: Activation,
    quantized: Callable[[Wanted], BitplaneLayer | None],
    known: Callable[[str], BitplaneLayer | None],
    head: str = "",
    names: Collection[str] | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | None = None,
) -> Iterator[BitplaneLayer]:
    """Quantize the linear layers of all blocks in order, and then the head.

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
    head : str
        Name of the layer of the logits, one of ``names``; it stays as it is without.
    names : collection of str or None
        Full names of the layers that may be quantized; what only others need is left out. None
        for all layers.
    dtype : torch.dtype or None
        Of the streams, the device's type of products if not said; Hessians are summed in float32.
    device : torch.device or None
        Where streams are computed; the CPU if not said. Targets are made on the CPU.

    Raises
    ------
    ValueError
        Layers read what is not finite, or too large; the text names them.
    """
    blocks, _ = blocks_of(llm.model, windows[:1])
    device = device or torch.device("cpu")
    dtype = dtype or product_type(device)
    own = [embedded(llm.model, blocks[0], window[None]).to(device, dtype) for window in windows]
    seen, left = own, None if names is None else set(names)
    singular: list[str] = []
    plans: dict[tuple[type, tuple[str, ...]], list[Group]] = {}
    for block in blocks:
        linears = block.linears()
        mine = {f"{block.name}.{name}" for name in linears}
        if left is not None:
            if not left:
                break
            mine &= left
            left -= mine
        if not mine:
            plain = block.copy(dtype, device)
            same = seen is own
            own = [plain.run(hidden) for hidden in own]
            seen = own if same else [plain.run(hidden) for hidden in seen]
            continue
        key = (type(block.module), tuple(block.linears()))
        if key not in plans:
            plans[key] = groups_of(block, own[0].to("cpu", torch.float32))
        groups = plans[key]
        plain, coded = block.copy(dtype, device), block.copy(dtype, device)
        traces = [trace(plain, groups, hidden) for hidden in own]
        with Lockstep(coded, groups, seen) as steps:
            for index, group in enumerate(groups):
                full = {f"{block.name}.{name}": linears[name] for name in group.names}
                if mine.isdisjoint(full):
                    continue
                layers = {name: known(name) for name in full}
                if any(layer is None for layer in layers.values()):
                    bias = linears[group.names[0]].bias
                    with _naming(full):
                        sums = _sums(steps, index, traces, bias)
                    singular += [name for name in full if sums.singular and name in mine]
                    width = len(sums.mean)
                    gamma = None if group.norm is None else norm_scale(block, group.norm, width)
                    for wanted in targets(full, group.additive, sums, gamma, how, activation):
                        layers[wanted.name] = layers[wanted.name] or quantized(wanted)
                for name, layer in zip(group.names, layers.values(), strict=True):
                    if layer is not None:
                        steps.replace(name, CodedLinear(layer, dtype).to(device))
                        yield layer
            seen = list(steps.results())
        own = [one.result for one in traces]
    if head and (found := known(head)) is not None:
        yield found
    elif head:
        module = linear_layers(llm, head=True)[head]
        sums = Sums()
        for window, mine, other in zip(windows, own, seen, strict=True):
            x, y = (
                head_inputs(llm.model, module, blocks, window[None], hidden.cpu())
                for hidden in (other, mine)
            )
            with _naming([head]):
                sums.add(x, y, torch.ones(len(x)))
        singular += [head] if sums.singular else []
        for wanted in targets({head: module}, False, sums, None, how, activation):
            if (layer := quantized(wanted)) is not None:
                yield layer
    if singular:
        why = "fewer calibration tokens than inputs, or inputs that are always zero (damped)"
        say_once(f"{len(singular)} of the layers have {why}, such as {singular[0]}")


@contextmanager
def _naming(layers: Collection[str]) -> Iterator[None]:
    """Let a ``ValueError`` name the layers that it is about."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{', '.join(layers)}: {error}") from error


def _sums(steps: Lockstep, index: int, traces: list[Trace], bias: Tensor | None) -> Sums:
    """Sum what reaches a group.

    What is added to hidden states counts by the inverse of their size: between equal errors of all
    tokens, where a few would decide all whose hidden states are a thousand times those of others
    (Sun et al., "Massive Activations in Large Language Models", arXiv 2402.17762), and equal errors
    of what the next norm leaves, where these would be lost, though all tokens attend to them.

    Parameters
    ----------
    steps : Lockstep
        Of the block with layers quantized so far.
    traces : list of Trace
        Of the float block, for each window.
    """
    sums = Sums()
    for float_trace, (read, total) in zip(traces, steps.reads(index), strict=True):
        x, added = read.float(), float_trace.added[index]
        if added is None:
            sums.add(x, float_trace.inputs[index].float(), x.new_ones(len(x)))
        else:
            known = 0.0 if bias is None else bias.detach().to(x.device)
            before, added = float_trace.before(index).float(), added.float()
            y = before - total.float() + added - known
            sums.add(x, y, 1 / _size(before + added))
    sums.to_cpu()
    return sums


def _size(hidden: Tensor) -> Tensor:
    """Return the root mean square of each token's hidden state, above zero; float32, (tokens,)."""
    size = hidden.square().mean(1).sqrt()
    return size.clamp(min=1e-6 * float(size.max().clamp(min=1e-6)))
