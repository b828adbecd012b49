"""What the linear layers of a block read and write, in the order in which it uses them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from models.calibration.blocks import Block

NEAR = 1e-3
"""Of the largest hidden state: what float32 sums may differ by."""
LARGE = 1e3
"""Beside it, what norms add to a variance is nothing."""


@dataclass(frozen=True)
class Group:
    """Linear layers of a block that read the same input.

    Attributes
    ----------
    names : tuple of str
        In the block.
    additive : bool
        There is one, and what it puts out is added to the block's hidden states as it is.
    norm : str or None
        The module with a scale for each channel whose output the input is.
    """

    names: tuple[str, ...]
    additive: bool
    norm: str | None


@dataclass(frozen=True)
class Trace:
    """What happened in a block for one window.

    Attributes
    ----------
    inputs : list of (tokens, in)
        What each group read.
    added : list of (tokens, width) or None
        What each additive group put out.
    hidden : (1, tokens, width)
        What the block read.
    result : (1, tokens, width)
        What it put out.
    """

    inputs: list[Tensor]
    added: list[Tensor | None]
    hidden: Tensor
    result: Tensor

    def before(self, group: int) -> Tensor:
        """Return the sum to which an additive group adds; (tokens, width)."""
        total = self.hidden.flatten(0, -2)
        for added in self.added[:group]:
            total = total if added is None else total + added
        return total


def groups_of(block: Block, hidden: Tensor) -> list[Group]:
    """Return the linear layers of a block by input, in the order in which it uses them."""
    calls: list[tuple[str, Tensor]] = []
    hooks = [
        linear.register_forward_pre_hook(_reading(lambda x, name=name: calls.append((name, x))))
        for name, linear in block.linears().items()
    ]
    norms: list[tuple[str, Tensor]] = []
    hooks += [
        module.register_forward_hook(_writing(lambda y, name=name: norms.append((name, y))))
        for name, module in block.module.named_modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 1
    ]
    with _hooked(hooks):
        block.run(hidden)
    by_input: list[tuple[Tensor, list[str]]] = []
    for name, x in calls:
        if by_input and by_input[-1][0] is x:
            by_input[-1][1].append(name)
        elif not any(name in names for _, names in by_input):
            by_input.append((x, [name]))
    order = [name for _, names in by_input for name in names]
    return [
        Group(
            tuple(names),
            len(names) == 1 and _is_additive(block, names[0], order, hidden),
            next((name for name, y in norms if y is x), None),
        )
        for x, names in by_input
    ]


def norm_scale(block: Block, name: str, width: int) -> Tensor:
    """Return by what a norm multiplies each channel; float32, (width,).

    Inputs of one magnitude and alternating signs are their own norm, so half the difference of
    what opposite ones give is the scale.
    """
    signs = torch.ones(width)
    signs[1::2] = -1.0
    norm = block.module.get_submodule(name)
    with torch.no_grad():
        high, low = (norm(sign * LARGE * signs[None, None])[0, 0] for sign in (1.0, -1.0))
    return (high - low) / 2 * signs


def trace(block: Block, groups: list[Group], hidden: Tensor) -> Trace:
    """Run a block for one window."""
    inputs: list[Tensor] = []
    added: list[Tensor | None] = []

    def read(x: Tensor) -> None:
        inputs.append(x.detach().flatten(0, -2))

    def wrote(group: Group, y: Tensor) -> None:
        # A copy: models may add to what a layer puts out, in place.
        added.append(y.detach().flatten(0, -2).clone() if group.additive else None)

    hooks = []
    for group in groups:
        first = block.module.get_submodule(group.names[0])
        hooks.append(first.register_forward_pre_hook(_reading(read)))
        hooks.append(first.register_forward_hook(_writing(partial(wrote, group))))
    with _hooked(hooks):
        result = block.run(hidden)
    return Trace(inputs, added, hidden, result)


def _is_additive(block: Block, name: str, order: list[str], hidden: Tensor) -> bool:
    """Whether a layer's output is added to the block's input, whatever the layers before do."""
    linears = block.linears()
    if linears[name].out_features != hidden.shape[-1]:
        return False
    change = torch.linspace(-1.0, 2.0, hidden.shape[-1]).expand_as(hidden)
    rest = [linears[other] for other in order[order.index(name) :]]
    with _silent(list(linears.values())):
        nothing = block.run(hidden)
    with _silent(rest):
        without = block.run(hidden)
    with _silent(rest, change):
        moved = block.run(hidden) - without
    near = NEAR * float(hidden.abs().max())
    return torch.allclose(nothing, hidden, atol=near) and torch.allclose(moved, change, atol=near)


@contextmanager
def _silent(modules: list[nn.Linear], output: Tensor | None = None) -> Iterator[None]:
    """Let linear layers put out zeros, or the first of them a given tensor."""
    hooks = [module.register_forward_hook(_writing(torch.zeros_like)) for module in modules]
    if output is not None:
        given = _writing(lambda y: output.reshape(y.shape).clone())  # as `trace` does
        hooks.append(modules[0].register_forward_hook(given))
    with _hooked(hooks):
        yield


@contextmanager
def _hooked(hooks: list[torch.utils.hooks.RemovableHandle]) -> Iterator[None]:
    """Remove hooks in the end."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _reading(use: Callable[[Tensor], None]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Return a hook that gives what a module reads to ``use``."""

    def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        use(args[0])

    return hook


def _writing(
    use: Callable[[Tensor], Tensor | None],
) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]:
    """Return a hook that gives what a module puts out to ``use``, and passes on what it returns."""

    def hook(_: nn.Module, __: tuple[Tensor, ...], y: Tensor) -> Tensor | None:
        return use(y)

    return hook
