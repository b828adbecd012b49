"""Distillation: a model learns the chances that another one gives the next tokens."""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.checks import require
from models.llm import check_chances
from models.training.optimizer import Optimizer
from models.training.order import Order

ROWS = {"cpu": 32, "cuda": 2048}
"""Tokens whose chances are held in float32 at once: few enough to stay in a cache; on a GPU,
enough to keep it busy."""


def distill(
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    windows: Tensor,
    optimizer: Optimizer,
    batch: int,
    at_once: int,
    order: Order,
    first: int = 0,
) -> Iterator[tuple[int, float]]:
    """Train the layers of the student until the optimizer's steps are used up.

    Parameters
    ----------
    windows : int64, (windows, tokens)
    batch : int
        Windows a step.
    at_once : int
        At most so many of them are in memory together.
    first : int
        The step to begin with.

    Yields
    ------
    step : int
        The step under way: nothing but gradients has changed since it began.
    loss : float
        Mean divergence in nats a token, after each time that windows were read.

    Raises
    ------
    ValueError
        What the teacher gives is not finite; or the loss is not: rates were too high.
    """
    for step in range(first, optimizer.steps):
        chosen = order.batch(step, batch)
        for start in range(0, batch, at_once):
            tokens = windows[chosen[start : start + at_once]]
            with torch.no_grad():
                wanted = teacher(input_ids=tokens, use_cache=False).logits
            check_chances(teacher, tokens, wanted)
            have = student(input_ids=tokens, use_cache=False).logits.flatten(0, 1)
            loss = divergence(have, wanted.flatten(0, 1))
            (loss * (len(tokens) / batch)).backward()
            value = float(loss.detach())
            require(isfinite(value), "the loss", "be finite; lower the rates", value)
            yield step, value
        optimizer.step(step)


def divergence(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean Kullback-Leibler divergence from wanted chances, in nats a token.

    ``sum over words of p (log p - log q)`` with p the softmax of ``wanted``, q that of ``logits``,
    in float32; its gradient, ``(q - p) / tokens``, has the type of the logits. It can be taken
    once.

    Parameters
    ----------
    logits, wanted : float, (tokens, words)
        Only the first has a gradient.
    """
    return _Divergence.apply(logits, wanted)


class _Divergence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, wanted: Tensor) -> Tensor:
        slope, total = torch.empty_like(logits), torch.zeros((), device=logits.device)
        step = ROWS[logits.device.type]
        for start in range(0, len(logits), step):
            rows = slice(start, start + step)
            have = logits[rows].float().log_softmax(1)
            want = wanted[rows].float().log_softmax(1)
            chances = want.exp()
            total += want.sub_(have).mul_(chances).sum()
            slope[rows] = have.exp_().sub_(chances)
        ctx.save_for_backward(slope)
        return total / len(logits)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (slope,) = ctx.saved_tensors
        return slope.mul_(gradients[0] / len(slope)), None
