"""Parameters of the generated circuit, and the widths that follow from them."""

from dataclasses import dataclass, field
from math import ceil
from typing import TypeVar

from models.integers import code_magnitude, code_range

T = TypeVar("T")


def parameter(default: T, text: str) -> T:
    """Declare a parameter with its default and its help text."""
    return field(default=default, metadata={"help": text})


def signed_width(low: int, high: int) -> int:
    """Bits of a two's complement number from ``low`` to ``high``."""
    return 1 + max((end if end >= 0 else ~end).bit_length() for end in (low, high))


@dataclass(frozen=True)
class HardwareConfig:
    """Everything that decides the shape of the circuit, and nothing about a particular layer."""

    k: int = parameter(2, "weight planes in a word")
    pe: int = parameter(64, "processing elements, one output row each")
    lanes: int = parameter(32, "activations per processing element and cycle")
    act_bits: int = parameter(8, "bits of an activation")
    act_signed: bool = parameter(True, "activations are two's complement")
    digit: int = parameter(1, "activation bits a cycle")
    terms: int = parameter(0, "most binary terms of a layer; 0 is as many as planes")
    columns: int = parameter(2048, "most inputs of a layer")
    rows: int = parameter(1 << 18, "most outputs of a layer")
    coef_bits: int = parameter(16, "bits of a coefficient, an offset and a row scale")
    acc_bits: int = parameter(48, "bits of an accumulator")
    requantize_bits: int = parameter(8, "bits of a requantized output; 0 leaves the unit out")
    weight_words: int = parameter(16, "weight words held ahead")

    def __post_init__(self) -> None:
        self._check("k", 1, 16)
        self._check("pe", 1, 4096)
        self._check("lanes", 1, 1024)
        self._check("act_bits", 1, 16)
        self._check("digit", 1, self.act_bits)
        self._check("terms", 0, min(64, (1 << self.k) - 1))
        self._check("columns", 1, 1 << 17)
        self._check("rows", 1, 1 << 24)
        self._check("coef_bits", 2, 16)
        if self.requantize_bits:
            self._check("requantize_bits", 2, 16)
        self._check("acc_bits", max(self.dot_bits, self.requantize_bits), 64)
        self._check("weight_words", 2, 1 << 16)
        if self.act_bits == 1 and self.act_signed:
            raise ValueError("act_bits must be 2 or more for signed activations, got 1")

    def _check(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}, got {value}")

    @property
    def most_terms(self) -> int:
        """Binary terms that a layer can have."""
        return self.terms or self.k

    @property
    def digits(self) -> int:
        """Digits of an activation: the cycles of a term."""
        return ceil(self.act_bits / self.digit)

    @property
    def scalers(self) -> int:
        """Rows scaled at once: just as many as keep up with the array, whatever the group."""
        return ceil(self.pe / self.digits)

    @property
    def slots(self) -> int:
        """Cycles in which the scalers take one sum from every processing element."""
        return ceil(self.pe / self.scalers)

    @property
    def buffer_words(self) -> int:
        """Activation words of one input vector that fit the buffer."""
        return ceil(self.columns / self.lanes)

    @property
    def most_row_tiles(self) -> int:
        """Row tiles that a layer can have."""
        return ceil(self.rows / self.pe)

    @property
    def code_magnitude(self) -> int:
        """Largest magnitude of an activation."""
        return code_magnitude(self.act_bits, self.act_signed)

    @property
    def code_range(self) -> tuple[int, int]:
        """Smallest and largest activation."""
        return code_range(self.act_bits, self.act_signed)

    @property
    def digit_range(self) -> tuple[int, int]:
        """Smallest and largest digit: two's complement in the top one of signed activations.

        A single bit is 0 or 1, also where it is the sign.
        """
        if self.digit == 1:
            return 0, 1
        if self.digits == 1:
            return self.code_range
        return code_range(self.digit, self.act_signed)[0], (1 << self.digit) - 1

    @property
    def dot_bits(self) -> int:
        """Signed width of the sum of one word's activations."""
        low, high = self.code_range
        return signed_width(self.lanes * low, self.lanes * high)

    @property
    def sum_bits(self) -> int:
        """Signed width of the sum of a group's activations."""
        low, high = self.code_range
        most = self.buffer_words * self.lanes
        return signed_width(most * low, most * high)

    @property
    def output_bundles(self) -> int:
        """Row tiles that the output buffer holds: enough to hide the way through the pipeline."""
        return 2 + ceil((self.latency + 2) / self.digits)

    @property
    def parameter_bundles(self) -> int:
        """Row tiles' worth of coefficients, offsets or scales held ahead: as many as of results."""
        return self.output_bundles

    @property
    def latency(self) -> int:
        """Cycles of a layer beyond its steps: from the first input to the last output, both in."""
        return 12 + self.slots
