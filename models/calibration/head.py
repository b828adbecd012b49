"""What reaches the layer of the logits when the blocks have left given hidden states."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.calibration.blocks import Block, Reached


class _Replay(nn.Module):
    """Stands for a block, whose attributes it has, and puts out hidden states that are known."""

    def __init__(self, block: Block, hidden: Tensor) -> None:
        super().__init__()
        self.original, self.hidden, self.alone = block.module, hidden, block.alone

    def forward(self, *_: Any, **__: Any) -> Tensor | tuple[Tensor]:
        return self.hidden if self.alone else (self.hidden,)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("original"), name)


def head_inputs(
    model: PreTrainedModel, head: nn.Module, blocks: list[Block], window: Tensor, hidden: Tensor
) -> Tensor:
    """Return what the head reads after the blocks have put out hidden states.

    Parameters
    ----------
    window : int64, (1, tokens)
    hidden : (1, tokens, width)

    Returns
    -------
    float32, (tokens, width)
    """
    found: list[Tensor] = []

    def keep(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        found.append(args[0].detach().flatten(0, -2))
        raise Reached

    hook = head.register_forward_pre_hook(keep)
    try:
        with _replayed(model, blocks, hidden.float()), torch.no_grad(), suppress(Reached):
            model(input_ids=window, use_cache=False)
    finally:
        hook.remove()
    return found[0]


@contextmanager
def _replayed(model: PreTrainedModel, blocks: list[Block], hidden: Tensor) -> Iterator[None]:
    """Put replays in place of all blocks."""
    for block in blocks:
        model.set_submodule(block.name, _Replay(block, hidden))
    try:
        yield
    finally:
        for block in blocks:
            model.set_submodule(block.name, block.module)
