"""Exact changes of a layer's real inputs that its weights undo, so that codes lose less.

A product ``W x`` is ``(W / c) R^T (R (c * (x - z))) + W z`` for any shift z, scale c, rotation R;
what is rounded to codes is ``R (c * (x - z))``.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checks import require, require_array


@dataclass(frozen=True, eq=False)
class Equivalence:
    """A shift, a scale and a rotation of inputs, in this order, each of them optional.

    Attributes
    ----------
    shift : float32, (inputs,), or None
        Taken away; ``W shift`` is part of the layer's bias.
    scale : float32, (inputs,), or None
        Multiplies; not zero.
    rotation : int
        Block of inputs that are rotated by a Hadamard matrix over the root of its size, a power
        of two; 0 for none.
    """

    shift: NDArray[np.float32] | None = None
    scale: NDArray[np.float32] | None = None
    rotation: int = 0

    def __post_init__(self) -> None:
        for name, array in (("shift", self.shift), ("scale", self.scale)):
            if array is not None:
                require_array(array, name, ("float32",), (array.size,), False)
                finite = bool(np.isfinite(array).all())
                require(finite, name, "be finite", "a NaN or an infinity")
        require(self.scale is None or bool(self.scale.all()), "scale", "be other than 0", 0)
        block = self.rotation
        power = block >= 0 and block & (block - 1) == 0 and block != 1
        require(power, "rotation", "be a power of two from 2 on, or 0", block)

    def check_inputs(self, inputs: int) -> None:
        """Raise ``ValueError`` unless it suits so many inputs."""
        for name, array in (("shift", self.shift), ("scale", self.scale)):
            if array is not None:
                require(array.size == inputs, name, f"have {inputs} inputs", array.size)
        if self.rotation:
            rest = inputs % self.rotation
            fitting = [str(1 << n) for n in range(1, 17) if inputs % (1 << n) == 0]
            rule = f"divide {inputs} inputs, as {', '.join(fitting) or 'no power of two'} does"
            require(rest == 0, "rotation", rule, self.rotation)

    @property
    def stored_bits(self) -> int:
        """Bits of shift and scale."""
        return sum(8 * array.nbytes for array in (self.shift, self.scale) if array is not None)

    def inputs(self, x: Tensor) -> Tensor:
        """Change inputs, as ``docs/arithmetic.md`` says; float32, (tokens, inputs)."""
        if self.shift is not None:
            x = x - torch.from_numpy(np.array(self.shift)).to(x.device)
        if self.scale is not None:
            x = x * torch.from_numpy(np.array(self.scale)).to(x.device)
        return rotated(x, self.rotation) if self.rotation else x

    def weights(self, weight: Tensor) -> Tensor:
        """Change a matrix so that products of changed inputs stay; float32, (out, inputs)."""
        if self.scale is not None:
            weight = weight / torch.from_numpy(np.array(self.scale))
        return rotated(weight, self.rotation) if self.rotation else weight

    def undone(self, weight: Tensor) -> Tensor:
        """Return the matrix that changed weights stand for; float32, (out, inputs)."""
        if self.rotation:
            weight = rotated(weight, self.rotation)
        return weight if self.scale is None else weight * torch.from_numpy(np.array(self.scale))

    def moments(self, hessian: Tensor, mean: Tensor) -> Tensor:
        """Change a mean of ``x x^T``, with that of ``x``, to those of changed inputs."""
        if self.shift is not None:
            shift = torch.from_numpy(np.array(self.shift))
            cross = torch.outer(mean, shift)
            hessian = hessian - cross - cross.T + torch.outer(shift, shift)
        if self.scale is not None:
            scale = torch.from_numpy(np.array(self.scale))
            hessian = hessian * scale * scale[:, None]
        if self.rotation:
            hessian = rotated(rotated(hessian, self.rotation).T, self.rotation)
        return hessian


def rotated(x: Tensor, block: int) -> Tensor:
    """Multiply each block of the last axis by the Hadamard matrix over the root of its size.

    Steps of sums and differences at distances 1, 2, 4 ..., then one product by the float32 nearest
    to ``block ** -0.5``. The matrix is its own inverse.
    """
    shape = x.shape
    for step in range(block.bit_length() - 1):
        pairs = x.reshape(-1, 2, 1 << step)
        low, high = pairs[:, 0], pairs[:, 1]
        x = torch.stack([low + high, low - high], 1)
    return x.reshape(shape) * float(np.float32(block**-0.5))
