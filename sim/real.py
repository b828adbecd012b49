"""Layers of a file with what really reaches them: prompts through the float model."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.dense import relative_error
from models.llm import LLM, capture, linear_layers
from sim.layer import LayerRun

PROMPT = "The capital of France is"
"""Read by the float model when no other prompt is given."""


@dataclass(frozen=True)
class Errors:
    """How far a layer is from the float one.

    Attributes
    ----------
    weight : float or None
        ``||W - W'||**2 / ||W||**2``; None for layers that are no matrix.
    output : float
        The same of the outputs for the prompt, activation quantization included.
    """

    weight: float | None
    output: float


def inputs_of(llm: LLM, names: Sequence[str], prompt: str) -> dict[str, Tensor]:
    """Return what reaches the layers while the float model reads the prompt.

    Returns
    -------
    dict of float32, (tokens, in)
    """
    return capture(llm, prompt, names)


def errors_of(llm: LLM, layer: BitplaneLayer, x: Tensor, run: LayerRun) -> Errors:
    """Compare a layer that has run with the float layer that it stands for."""
    float_layer = linear_layers(llm)[layer.name]
    with torch.no_grad():
        wanted = float_layer(x)
    lost = torch.linalg.vector_norm(torch.from_numpy(run.output) - wanted) ** 2
    output = float(lost / torch.linalg.vector_norm(wanted) ** 2)
    plain = all(
        len(path.stages) == 1 and path.stages[0].transform is None and path.router is None
        for path in layer.paths
    )
    weight = relative_error(float_layer.weight.detach(), layer) if plain else None
    return Errors(weight, output)
