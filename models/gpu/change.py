"""An equivalence's change of inputs on the kernels; ``csrc/change.h`` has the other side."""

import numpy as np
import torch
from torch import Tensor

from models.equivalence import Equivalence
from models.exact import tensor
from models.gpu.device import address
from models.gpu.kernels import ChangeStruct, Kernels
from models.gpu.plain import REALS

MOST_ROTATION = 4096
"""Inputs of a rotation's block that a block of threads holds."""


def change_tensors(change: Equivalence | None) -> dict[str, Tensor]:
    """Return ``shift`` and ``scale``, float32, (inputs,), where there are any."""
    parts = {} if change is None else {"shift": change.shift, "scale": change.scale}
    return {name: tensor(part) for name, part in parts.items() if part is not None}


def changed(
    kernels: Kernels, change: Equivalence, tensors: dict[str, Tensor], x: Tensor, stream: int
) -> Tensor:
    """Change inputs.

    Parameters
    ----------
    tensors : those of :func:`change_tensors`, on the device of the kernels
    x : of one of ``REALS``, (tokens, inputs), there too

    Returns
    -------
    float32, (tokens, inputs)
        What :meth:`models.equivalence.Equivalence.inputs` gives for ``x`` in float32.
    """
    y, struct = torch.empty_like(x, dtype=torch.float32), ChangeStruct()
    struct.x, struct.y, struct.real = address(x), address(y), REALS[x.dtype]
    struct.shift, struct.scale = (address(tensors.get(name)) for name in ("shift", "scale"))
    struct.tokens, struct.inputs = x.shape
    struct.rotation = change.rotation
    struct.factor = float(np.float32(change.rotation**-0.5)) if change.rotation else 1.0
    kernels.change(struct, stream)
    return y
