"""Metrics: what candidates are compared by, and what is known of one figure."""

from dataclasses import dataclass
from typing import Literal

from cost.interval import Interval

EVIDENCE = {
    "measured": "a run of the model itself, on the tokens or the GPU named",
    "routed": "placed and routed by the tools named",
    "synthesized": "synthesized by the tools named, before layout",
    "modelled": "count times price; each price has its source",
    "published": "by others, source named",
}
"""Where figures are from, the strongest first."""


@dataclass(frozen=True)
class Metric:
    """What candidates are compared by.

    Attributes
    ----------
    title, unit : str
    better : str
        ``less`` or ``more``.
    """

    title: str
    unit: str
    better: Literal["less", "more"] = "less"


METRICS = {
    "perplexity": Metric("perplexity of the integers", ""),
    "joules_per_token": Metric("energy of a token", "J"),
    "tokens_per_second": Metric("speed", "tokens/s", "more"),
    "area_mm2": Metric("area of logic", "mm2"),
    "luts": Metric("LUTs", "LUT"),
    "bits_per_weight": Metric("stored bits of a weight", "bits"),
    "fmax": Metric("clock that is met", "MHz", "more"),
}
"""By name, in the order of tables."""


@dataclass(frozen=True)
class Figure:
    """What is known of a metric of a candidate.

    Attributes
    ----------
    low, high : float
        In the metric's unit.
    evidence : str
        One of :data:`EVIDENCE`.
    source : str
        What it follows from, in words.
    """

    low: float
    high: float
    evidence: str
    source: str

    @classmethod
    def of(cls, value: Interval | float, evidence: str, source: str) -> "Figure":
        """Return a figure of an interval or a number."""
        ends = Interval.of(value)
        return cls(ends.low, ends.high, evidence, source)

    @property
    def middle(self) -> float:
        """Between both ends."""
        return (self.low + self.high) / 2
