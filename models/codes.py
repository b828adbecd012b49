"""How real inputs, and accumulators between stages, become integer codes."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.checks import require, require_array
from models.integers import MOST_COLUMNS, code_magnitude


@dataclass(frozen=True)
class Activation:
    """How real inputs become integer codes.

    ``scale`` is ``token`` (largest magnitude of the token), ``group`` (the same, times a power of
    two for each ``group`` columns) or ``static`` (``value``, fixed by calibration). One-bit codes
    are unsigned: 1 where the input is positive, and the scale is the token's mean magnitude.
    """

    bits: int = 8
    signed: bool = True
    scale: Literal["token", "group", "static"] = "token"
    value: float = 1.0
    group: int = 0
    exponents: int = 0

    @property
    def magnitude(self) -> int:
        """Largest magnitude of a code."""
        return code_magnitude(self.bits, self.signed)

    @property
    def info(self) -> dict[str, str]:
        """What the header of a file says of it."""
        groups = {"act_group": f"{self.group}, {self.exponents} halvings"} if self.group else {}
        return {"act_bits": str(self.bits), **groups}

    def __post_init__(self) -> None:
        require(1 <= self.bits <= 16, "activation bits", "be from 1 to 16", self.bits)
        require(
            self.scale in ("token", "group", "static"),
            "activation scale", "be token, group or static", self.scale,
        )  # fmt: skip
        if self.bits == 1:
            require(not self.signed, "1-bit activations", "be unsigned", "signed")
            require(self.scale == "token", "1-bit activations", "have scale token", self.scale)
        grouped = self.scale == "group"
        require(
            (self.group > 0) == grouped,
            "activation group", "be set for scale group and only then", self.group,
        )  # fmt: skip
        require(
            1 <= self.exponents <= 15 if grouped else self.exponents == 0,
            "activation exponents", "be from 1 to 15 for scale group, else 0", self.exponents,
        )  # fmt: skip
        require(
            2.0**-64 <= self.value <= 2.0**64,
            "activation value", "be from 2**-64 to 2**64", self.value,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Transform:
    """An integer transform of each ``block`` of codes to ``samples`` codes of ``bits``.

    ``hadamard`` (Sylvester order, after the signs), ``repeat`` (sample ``j`` is code
    ``j * block // samples``) or ``matrix`` (int16, (samples, block)). The exact result is
    requantized by ``shift``. Columns are padded with zero codes to whole blocks.
    """

    kind: Literal["hadamard", "repeat", "matrix"]
    block: int
    samples: int
    bits: int
    shift: int = 0
    signs: NDArray[np.int8] | None = None
    matrix: NDArray[np.int16] | None = None

    @property
    def magnitude(self) -> int:
        """Largest magnitude of a code."""
        return code_magnitude(self.bits, signed=True)

    def columns(self, inputs: int) -> int:
        """Return how many samples so many inputs become."""
        return -(-inputs // self.block) * self.samples

    def __post_init__(self) -> None:
        kinds = ("hadamard", "repeat", "matrix")
        require(self.kind in kinds, "transform kind", "be hadamard, repeat or matrix", self.kind)
        fits = 1 <= self.block <= MOST_COLUMNS
        require(fits, "transform block", f"be from 1 to {MOST_COLUMNS}", self.block)
        require(self.samples > 0, "transform samples", "be positive", self.samples)
        require(2 <= self.bits <= 16, "transform bits", "be from 2 to 16", self.bits)
        require(0 <= self.shift <= 32, "transform shift", "be from 0 to 32", self.shift)
        if self.kind == "hadamard":
            power = self.block & (self.block - 1) == 0
            require(power, "hadamard block", "be a power of two", self.block)
            require(self.samples == self.block, "hadamard samples", "equal block", self.samples)
        if self.kind == "repeat":
            require(self.shift == 0, "repeat shift", "be 0", self.shift)
        require(
            (self.matrix is not None) == (self.kind == "matrix"),
            "transform matrix", "be given for kind matrix and only then", self.kind,
        )  # fmt: skip
        if self.signs is not None:
            only = self.kind == "hadamard"
            require(only, "transform signs", "be given for kind hadamard only", self.kind)
            require_array(self.signs, "transform signs", ("int8",), (self.block,), False)
            others = sorted(set(self.signs.tolist()) - {1, -1})
            require(not others, "transform signs", "be 1 or -1", others)
        if self.matrix is not None:
            shape = (self.samples, self.block)
            require_array(self.matrix, "transform matrix", ("int16",), shape, False)


@dataclass(frozen=True, eq=False)
class Requantize:
    """Between the stages of a chain: ``(acc * row_scale) / 2**shift`` to signed ``bits``.

    ``row_scale`` is int16, (views of the next stage, out).
    """

    row_scale: NDArray[np.int16]
    shift: int
    bits: int = 8

    @property
    def magnitude(self) -> int:
        """Largest magnitude of a code."""
        return code_magnitude(self.bits, signed=True)

    def __post_init__(self) -> None:
        require(2 <= self.bits <= 16, "requantize bits", "be from 2 to 16", self.bits)
        require(0 <= self.shift <= 62, "requantize shift", "be from 0 to 62", self.shift)
