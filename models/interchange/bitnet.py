"""Import BitNet checkpoints of Transformers: packed ternary layers with one scale each.

As Transformers' ``integrations/bitnet.py``: ``weight``, uint8 (out / 4, in), has in its bits
``2 * n`` and ``2 * n + 1`` the rows ``n * out / 4`` on, plus 1. ``weight_scale`` divides the
product in the linear class ``bitlinear``; in ``autobitlinear`` it multiplies it, bias included.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from models.checks import require
from models.interchange.blocks import ternary
from models.interchange.grid import Grid
from models.interchange.source import Source
from models.interchange.weights import Weights

CLASSES = ("bitlinear", "autobitlinear")


def open_bitnet(weights: Weights, settings: dict[str, Any]) -> Source:
    """Open a BitNet checkpoint.

    Parameters
    ----------
    settings : dict
        The ``quantization_config`` of the model's configuration.

    Raises
    ------
    ValueError
        Its layers are not packed, or normalize their inputs.
    """
    kind = settings.get("linear_class", CLASSES[0])
    require(kind in CLASSES, "linear_class", f"be {' or '.join(CLASSES)}", kind)
    normed = bool(settings.get("use_rms_norm", False))
    require(not normed, "BitNet layers", "take inputs as they are", "use_rms_norm")
    names = weights.layers("weight_scale")
    require(len(names) > 0, str(weights.folder), "hold packed layers with a weight_scale", "none")
    grids = {name: partial(_read, weights, name, kind == CLASSES[1]) for name in names}
    return Source("BitNet", grids, weights.left_out(names))


def _read(weights: Weights, name: str, multiplies: bool) -> Grid:
    """Read a layer."""
    packed, scale = weights.array(f"{name}.weight"), weights.array(f"{name}.weight_scale")
    fits = packed.dtype == np.uint8 and packed.ndim == 2
    require(fits, f"{name}.weight", "be uint8 (out / 4, in)", f"{packed.dtype} {packed.shape}")
    require(scale.size == 1, f"{name}.weight_scale", "be one number", scale.shape)
    require(scale.item() != 0, f"{name}.weight_scale", "be a number but 0", 0)
    digits = np.concatenate([packed >> shift & 3 for shift in (0, 2, 4, 6)])
    bias = weights.bias(name)
    if multiplies and bias is not None:
        bias = (bias * scale.item()).astype(np.float32)
    real = scale.item() if multiplies else 1 / scale.item()
    grid = ternary(digits, np.full((len(digits), 1), real), packed.shape[1])
    return replace(grid, bias=bias)
