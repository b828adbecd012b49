"""How busy the array is with the layers of models whose shapes are known by name."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwgen.config import HardwareConfig
from hwgen.tiling import Tiling
from models.checks import require

SHAPES: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("shapes.toml").read_text(encoding="utf-8")
)
"""By model: ``blocks``, and the outputs and inputs of each kind of linear layer."""


@dataclass(frozen=True)
class Use:
    """A kind of layer on a circuit.

    Attributes
    ----------
    layer : str
    out, inputs, count : int
        Shape, and how many there are in the model.
    cycles : int
        Of one vector in steady state: steps, and where scalers are shared, pauses.
    utilization : float
        Share of lanes, over rows and cycles, that have work of the layer.
    """

    layer: str
    out: int
    inputs: int
    count: int
    cycles: int
    utilization: float


def uses(model: str, group: int, terms: int, config: HardwareConfig) -> list[Use]:
    """Lay the layers of a model over a circuit.

    Parameters
    ----------
    group : int
        Columns that share a coefficient; 0 for whole rows.
    terms : int
        Passes over a weight word.
    """
    require(model in SHAPES, "model", f"be one of {', '.join(SHAPES)}", model)
    require(group >= 0, "group", "be 0 or more", group)
    require(terms >= 1, "terms", "be 1 or more", terms)
    shapes = dict(SHAPES[model])
    blocks = shapes.pop("blocks")
    found = []
    for layer, (out, inputs) in shapes.items():
        tiling = Tiling.shaped(out, inputs, min(group, inputs) or inputs, terms, config)
        useful = out * inputs * terms * config.digits
        share = useful / (tiling.cycles * config.pe * config.lanes)
        count = 1 if layer == "lm_head" else blocks
        found.append(Use(layer, out, inputs, count, tiling.cycles, share))
    return found


def whole(layers: list[Use]) -> float:
    """Return the utilization over all layers of a model, one after the other."""
    cycles = sum(use.cycles * use.count for use in layers)
    return sum(use.utilization * use.cycles * use.count for use in layers) / cycles
