"""Matrices of a model that are in no linear layer, and so stay as they are."""

from torch import nn
from transformers import PreTrainedModel

from models.notes import say_once

SMALL = 0.01
"""Part of a model's matrices below which nothing is said: kernels of convolutions, for example."""


def say_left(model: PreTrainedModel) -> None:
    """Say in a line what stays in float, such as experts that are one parameter together.

    Embeddings do not count, nor does what has fewer than two dimensions.
    """
    left, linear = dict[str, int](), 0
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            linear += module.weight.numel()
        elif not isinstance(module, nn.Embedding):
            own = module.named_parameters(name, recurse=False)
            left |= {key: value.numel() for key, value in own if value.ndim > 1}
    total = sum(left.values())
    if total > SMALL * (total + linear):
        largest = max(left, key=lambda name: left[name])
        part = 100 * total / (total + linear)
        say_once(
            f"left in float: {total} weights in no linear layer ({part:.0f} % of all in matrices), "
            f"in {len(left)} parameters such as {largest}"
        )
