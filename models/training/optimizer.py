"""Steps of learning: Adam on all that layers may change, then codes chosen anew."""

from collections.abc import Mapping
from math import cos, pi

import torch
from torch import Tensor

from models.training.linear import TrainedLinear

BETAS = (0.9, 0.95)
EPSILON = 1e-12
"""Gradients of a mean over tokens can be tiny, and Adam is to see their signs."""
WARM = 0.1
"""Part of the steps, at most ``WARMING``, over which rates rise to their full value."""
WARMING = 10
LAST = 0.05
"""Part of the full rates that is left in the end."""


class Optimizer:
    """Adam (Kingma and Ba, 1412.6980), its rates first rising in a line, then falling as a cosine.

    Parameters
    ----------
    layers : mapping of str to TrainedLinear
    rate, slow_rate : float
        By how much a step may move latents, and coefficients, column scales and biases, as a
        part of their sizes.
    steps : int
        How many there will be.
    """

    def __init__(
        self, layers: Mapping[str, TrainedLinear], rate: float, slow_rate: float, steps: int
    ) -> None:
        self.layers, self.steps = layers, steps
        self.parameters = {
            f"{name}.{key}": parameter
            for name, layer in layers.items()
            for key, parameter in layer.named_parameters()
        }
        groups = []
        for name, layer in layers.items():
            for key, size in layer.sizes.items():
                full = size * (rate if key.endswith("latents") else slow_rate)
                parameter = self.parameters[f"{name}.{key}"]
                groups.append({"params": [parameter], "lr": full, "full": full})
        self._adam = torch.optim.Adam(groups, betas=BETAS, eps=EPSILON, fused=True)

    def step(self, number: int) -> float:
        """Take the step of this number, from 0; return the part of the codes that changed."""
        warming = min(WARMING, max(1, round(WARM * self.steps)))
        fall = (1 + cos(pi * number / self.steps)) / 2
        part = min(1.0, (number + 1) / warming) * (LAST + (1 - LAST) * fall)
        for group in self._adam.param_groups:
            group["lr"] = group["full"] * part
        levels = [one for layer in self.layers.values() for one in layer.levels()]
        for one in levels:
            one.gather()
        self._adam.step()
        changed = torch.stack([one.choose() for one in levels]).sum()
        self.forget()
        return float(changed) / sum(one.latents.numel() for one in levels)

    def state(self) -> dict[str, Tensor]:
        """Return everything that a step changes, by name."""
        found: dict[str, Tensor] = {}
        for name, parameter in self.parameters.items():
            found[name] = parameter.detach()
            for key, value in self._adam.state[parameter].items():
                found[f"{name}.{key}"] = value
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a state that :meth:`state` returned after a step, or as far as it goes."""
        for name, parameter in self.parameters.items():
            if f"{name}.step" in state:
                self._adam.state[parameter] = {
                    key: state[f"{name}.{key}"].to(parameter.device).clone()
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }

    def forget(self) -> None:
        """Drop the gradients."""
        for parameter in self.parameters.values():
            if parameter.grad is not None:
                parameter.grad.zero_()
