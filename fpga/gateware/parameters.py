"""Parameters of the circuit around an engine on a board."""

from dataclasses import dataclass
from math import ceil

from hwgen.config import HardwareConfig
from hwgen.layouts import (
    activation_layout,
    layer_layout,
    output_layout,
    parameter_layout,
    weight_layout,
)
from models.checks import require

UNIT_BITS = 32
"""Bits of a unit: what a host reads and writes, and a bank of the memory has side by side."""


@dataclass(frozen=True)
class BoardConfig:
    """The memory, the serial line and the watchdog.

    Attributes
    ----------
    banks : int
        Units side by side in the memory: a beat, what is read in one cycle. A power of two.
    depth : int
        Beats of the memory. A power of two.
    divisor : int
        Cycles of a bit on the serial line.
    gap : int
        Cycles of a quiet line after which a frame counts as cut.
    patience : int
        Cycles without a transfer to or from the engine after which a run counts as stuck.
    """

    banks: int
    depth: int
    divisor: int
    gap: int
    patience: int

    def __post_init__(self) -> None:
        for name in ("banks", "depth"):
            value = getattr(self, name)
            rule = "be a power of two, 2 or more"
            require(value >= 2 and value & (value - 1) == 0, name, rule, value)
        require(4 <= self.divisor < 1 << 16, "divisor", "be from 4 to 65535", self.divisor)
        require(self.gap > 20 * self.divisor, "gap", "be more than two bytes", self.gap)
        require(self.patience > 0, "patience", "be positive", self.patience)

    @property
    def beat_bits(self) -> int:
        """Bits of a beat."""
        return self.banks * UNIT_BITS

    @property
    def beat_bytes(self) -> int:
        """Bytes of a beat."""
        return self.beat_bits // 8

    @property
    def address_bits(self) -> int:
        """Bits of the number of a beat."""
        return (self.depth - 1).bit_length()

    @property
    def bits(self) -> int:
        """Bits of the memory."""
        return self.depth * self.beat_bits

    def beats(self, bits: int) -> int:
        """Beats of a word of so many bits."""
        return ceil(bits / self.beat_bits)


def stream_bits(config: HardwareConfig) -> dict[str, int]:
    """Bits of a word of each stream of the engine, by name; ``results`` is its output."""
    parameter = parameter_layout(config).size
    return {
        "layers": layer_layout(config).size,
        "coefficients": parameter,
        "offsets": parameter,
        "scales": parameter,
        "activations": activation_layout(config).size,
        "weights": weight_layout(config).size,
        "results": output_layout(config).size,
    }
