"""Block-wise reconstruction: each block learns to put out what the float block does."""

from collections.abc import Iterator

from torch import Tensor

from models.calibration.blocks import Block
from models.training.optimizer import Optimizer
from models.training.order import Order


def reconstruct(
    block: Block,
    seen: list[Tensor],
    wanted: list[Tensor],
    optimizer: Optimizer,
    batch: int,
    order: Order,
) -> Iterator[float]:
    """Train the layers of a block until the optimizer's steps are used up.

    Parameters
    ----------
    seen, wanted : list of (1, tokens, width)
        For each window the block's inputs, and what its outputs should be.
    batch : int
        Windows a step.

    Yields
    ------
    float
        The loss, after each step.
    """
    for number in range(optimizer.steps):
        total = 0.0
        for index in order.batch(number, batch):
            loss = relative_loss(block.forward(seen[index]), wanted[index]) / batch
            loss.backward()
            total += float(loss.detach())
        optimizer.step(number)
        yield total


def relative_loss(have: Tensor, wanted: Tensor) -> Tensor:
    """Mean over tokens of the error's energy over that of the wanted hidden state.

    Relative, since a few tokens have states a thousand times larger than the others, and the
    normalization behind makes all count alike.
    """
    wanted = wanted.float()
    lost = (have.float() - wanted).square().sum(-1)
    return (lost / wanted.square().sum(-1)).mean()
