"""Random weights, and layers of a format given as text."""

import numpy as np
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.formats import parse, quantize
from models.planes import unpack
from models.stage import Stage


def weights(rows: int, columns: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw Gaussian weights."""
    return np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)


def layer_of(
    spec: str, weight: NDArray[np.float32], activation: Activation | None = None
) -> BitplaneLayer:
    """Quantize, with the default activations unless others are given."""
    return quantize("x", weight, parse(spec), activation or Activation())


def stage_of(layer: BitplaneLayer, path: int = 0) -> Stage:
    """Return the only stage of a path."""
    (stage,) = layer.paths[path].stages
    return stage


def planes_of(layer: BitplaneLayer, path: int = 0) -> NDArray[np.float64]:
    """Unpack the planes of a path's only stage, (k, out, columns)."""
    stage = stage_of(layer, path)
    return unpack(stage.planes, stage.columns).astype(np.float64)
