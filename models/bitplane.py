"""The bitplane layer: the one representation of a low-bit linear layer that every consumer reads.

What the numbers mean is in ``docs/arithmetic.md``; how they are stored, in ``docs/bitplane.md``.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.checks import require, require_array
from models.equivalence import Equivalence
from models.stage import Stage

ACCUMULATOR_BITS = 48
"""No accumulator of a stage may need more bits than these."""


@dataclass(frozen=True, eq=False)
class Path:
    """One stage, or a chain of two, and the scale that makes its integers real.

    Attributes
    ----------
    stages : tuple of Stage, one or two
    out_scale : float32, (out,) or (1,)
        With a router, (experts, out).
    router : float32, (experts, in), or None
        Mixes the experts' column and row scales by softmax of its product with the input.
    """

    stages: tuple[Stage, ...]
    out_scale: NDArray[np.float32]
    router: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        require(len(self.stages) in (1, 2), "path", "have 1 or 2 stages", len(self.stages))
        first, last = self.stages[0], self.stages[-1]
        require(first.activation is not None, "first stage", "have an activation", "none")
        require(last.requantize is None, "last stage", "have no requantize", "one")
        if len(self.stages) == 2:
            self._check_chain()
        experts = 1
        if self.router is None:
            require_array(self.out_scale, "out scale", ("float32",), (last.out,), True)
        else:
            require(self.router.ndim == 2, "router", "have 2 dimensions", self.router.ndim)
            experts = self.router.shape[0]
            require_array(self.router, "router", ("float32",), self.router.shape, False)
            require(experts > 0, "router", "have an expert", "none")
            require_array(self.out_scale, "out scale", ("float32",), (experts, last.out), False)
            require(first.views == 1, "views", "be 1 with a router", first.views)
        views = first.views * experts
        have = 1 if first.column_scale is None else first.column_scale.shape[0]
        require(have == views, "column scale", f"have a row for each of {views} views", have)
        for stage, magnitude in zip(self.stages, self.code_magnitudes, strict=True):
            need = stage.accumulator_bits(magnitude)
            rule = f"fit {ACCUMULATOR_BITS} bits"
            require(need <= ACCUMULATOR_BITS, "accumulator", rule, f"{need} bits")

    def _check_chain(self) -> None:
        first, last = self.stages
        requantize = first.requantize
        if requantize is None:
            raise ValueError("the first of two stages must have a requantize, got none")
        require(last.activation is None, "second stage", "have no activation", "one")
        require(last.column_scale is None, "second stage", "have no column scale", "one")
        require(last.gather is None, "second stage", "have no gather", "one")
        last.check_inputs(first.out)
        shape = (last.views, first.out)
        require_array(requantize.row_scale, "row scale", ("int16",), shape, False)

    @property
    def stored_bits(self) -> int:
        """Bits of everything stored in the path."""
        return sum(stage.stored_bits for stage in self.stages) + bits_of(
            self.out_scale, self.router
        )

    @property
    def code_magnitudes(self) -> tuple[int, ...]:
        """Largest magnitude of the integers that meet the planes of each stage."""
        codes = [stage.codes or self.stages[0].requantize for stage in self.stages]
        return tuple(spec.magnitude for spec in codes if spec is not None)


@dataclass(frozen=True, eq=False)
class BitplaneLayer:
    """A linear layer as a sum of paths.

    Attributes
    ----------
    name : str
    inputs : int
        Columns of the real matrix that it stands for.
    paths : tuple of Path
    bias : float32, (out,), or None
    post : "none" or "layernorm"
        Normalization of the output, without affine parameters.
    equivalence : Equivalence or None
        What becomes of the inputs before any path reads them.
    """

    name: str
    inputs: int
    paths: tuple[Path, ...]
    bias: NDArray[np.float32] | None = None
    post: Literal["none", "layernorm"] = "none"
    equivalence: Equivalence | None = None

    def __post_init__(self) -> None:
        require(len(self.paths) > 0, "layer", "have a path", "none")
        for path in self.paths:
            have = path.stages[-1].out
            require(have == self.out, "every path", f"have {self.out} rows", have)
            path.stages[0].check_inputs(self.inputs)
            if path.router is not None:
                have = path.router.shape[1]
                require(have == self.inputs, "router", f"take {self.inputs} inputs", have)
        require(self.post in ("none", "layernorm"), "post", "be none or layernorm", self.post)
        if self.equivalence is not None:
            self.equivalence.check_inputs(self.inputs)
        if self.bias is not None:
            require_array(self.bias, "bias", ("float32",), (self.out,), False)

    @property
    def out(self) -> int:
        """Rows of the real matrix that it stands for."""
        return self.paths[0].stages[-1].out

    @property
    def stored_bits(self) -> int:
        """Bits of everything stored: planes without padding, coefficients, tables, scales."""
        front = 0 if self.equivalence is None else self.equivalence.stored_bits
        return sum(path.stored_bits for path in self.paths) + bits_of(self.bias) + front

    @property
    def bits_per_weight(self) -> float:
        """Stored bits over the weights of the real matrix."""
        return self.stored_bits / (self.out * self.inputs)


def bits_of(*arrays: NDArray | None) -> int:
    """Sum the stored bits of arrays."""
    return sum(8 * array.nbytes for array in arrays if array is not None)
