"""The blocks of a decoder, one at a time.

No architecture is named: blocks are the entries of the module list with most linear layers.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from transformers import PreTrainedModel


@dataclass(frozen=True)
class Block:
    """A block, the name of its module, and what it is called with beside the hidden states.

    ``alone`` says that it returns hidden states, not a tuple that begins with them.
    """

    name: str
    module: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    alone: bool

    def copy(self, dtype: torch.dtype, device: torch.device) -> "Block":
        """Return a copy that computes in another type, on another device."""

        def moved(x: Any) -> Any:
            if not isinstance(x, Tensor):
                return x
            return x.to(device, dtype if x.is_floating_point() else x.dtype)

        args, kwargs = tree_map(moved, (self.args, self.kwargs))
        module = copy.deepcopy(self.module).to(device, dtype)
        return Block(self.name, module, args, kwargs, self.alone)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the hidden states after the block; (1, tokens, width)."""
        result = self.module(hidden, *self.args, **self.kwargs)
        return result if isinstance(result, Tensor) else result[0]

    def run(self, hidden: Tensor) -> Tensor:
        """As :meth:`forward`, without gradients."""
        with torch.no_grad():
            return self.forward(hidden)

    def linears(self) -> dict[str, nn.Linear]:
        """Return the linear layers by their names in the block."""
        return {
            name: module
            for name, module in self.module.named_modules()
            if isinstance(module, nn.Linear)
        }


class Reached(Exception):
    """Ends a run of a block whose rest is not wanted."""


def blocks_of(model: PreTrainedModel, window: Tensor) -> tuple[list[Block], Tensor]:
    """Find the blocks of a model, and what reaches the first of them.

    Parameters
    ----------
    window : int64, (1, tokens)

    Returns
    -------
    blocks : list of Block
        As they are called for a window of so many tokens.
    hidden : float32, (1, tokens, width)

    Raises
    ------
    ValueError
        The model has no list of blocks, or calls one otherwise than with hidden states.
    """
    prefix, modules = _longest_list(model)
    seen: dict[int, tuple[Tensor, tuple[Any, ...], dict[str, Any]]] = {}
    alone: dict[int, bool] = {}

    def keep(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rest = dict(kwargs)
        hidden = args[0] if args else rest.pop("hidden_states", None)
        if not isinstance(hidden, Tensor):
            raise ValueError(f"blocks must take hidden states first, got {type(hidden).__name__}")
        seen[id(module)] = (hidden.detach(), tuple(args[1:]), rest)

    def look(module: nn.Module, _: tuple[Any, ...], result: Any) -> None:
        alone[id(module)] = isinstance(result, Tensor)

    hooks = [block.register_forward_pre_hook(keep, with_kwargs=True) for block in modules]
    hooks += [block.register_forward_hook(look) for block in modules]
    try:
        with torch.no_grad():
            model(input_ids=window, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    found = [
        Block(f"{prefix}.{index}", module, *seen[id(module)][1:], alone[id(module)])
        for index, module in enumerate(modules)
    ]
    return found, seen[id(modules[0])][0]


def embedded(model: PreTrainedModel, first: Block, window: Tensor) -> Tensor:
    """Return what reaches the first block for a window; (1, tokens, width)."""
    found: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        found.append(args[0] if args else kwargs["hidden_states"])
        raise Reached

    hook = first.module.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        with torch.no_grad():
            model(input_ids=window, use_cache=False)
    except Reached:
        pass
    finally:
        hook.remove()
    return found[0].detach()


def _longest_list(model: PreTrainedModel) -> tuple[str, nn.ModuleList]:
    """Return the module list with most linear layers, and its name."""
    lists = {
        name: sum(isinstance(part, nn.Linear) for part in module.modules())
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList)
    }
    best = max(lists, key=lambda name: lists[name], default="")
    if not best or not lists[best]:
        raise ValueError(f"model must have a list of blocks, got a {type(model).__name__}")
    modules = model.get_submodule(best)
    if not isinstance(modules, nn.ModuleList):
        raise ValueError(f"model must have a list of blocks, got a {type(modules).__name__}")
    return best, modules
