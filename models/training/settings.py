"""What a training run is to do."""

from dataclasses import dataclass, field
from typing import Any

from models.checks import require


def _option(default: float, text: str) -> Any:
    """Return a field with the text of its command-line option."""
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """How long and how fast to learn.

    Rates are by how much a step may move latents, as a part of the root mean square of their
    levels, or coefficients and scales, as a part of their own. Each attribute says what it is.
    """

    block_steps: int = _option(0, "steps of reconstruction for each block, 0 for none")
    block_windows: int = _option(48, "the first so many windows are for reconstruction")
    block_rate: float = _option(0.025, "rate of latents in reconstruction")
    block_slow_rate: float = _option(0.001, "rate of coefficients and scales in reconstruction")
    steps: int = _option(100, "steps of distillation, 0 for none")
    rate: float = _option(0.008, "rate of latents in distillation")
    slow_rate: float = _option(0.0006, "rate of coefficients and scales in distillation")
    batch: int = _option(4, "windows a step")
    at_once: int = _option(1, "windows in memory at once; on a GPU, all of a step are faster")
    seed: int = _option(0, "of the order of the windows")

    def __post_init__(self) -> None:
        require(self.block_steps >= 0, "block steps", "be 0 or more", self.block_steps)
        require(self.steps >= 0, "steps", "be 0 or more", self.steps)
        some = self.block_steps + self.steps > 0
        require(some, "steps", "be 1 or more, of blocks or of distillation", "none")
        require(self.block_windows >= 1, "block windows", "be 1 or more", self.block_windows)
        require(self.batch >= 1, "batch", "be 1 window or more", self.batch)
        require(self.at_once >= 1, "windows at once", "be 1 or more", self.at_once)
        require(0 <= self.seed <= 1 << 62, "seed", "be from 0 to 2**62", self.seed)
        for name in ("block_rate", "rate", "block_slow_rate", "slow_rate"):
            value = getattr(self, name)
            require(0 <= value <= 1, name.replace("_", " "), "be from 0 to 1", value)
