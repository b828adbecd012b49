"""Buffers of an engine: how many bits each holds, and what a bit in or out of one costs."""

from functools import cache

from cost.interval import Interval
from cost.prices import Price, Prices
from hwgen.activations import stored_layout
from hwgen.config import HardwareConfig
from hwgen.layouts import output_layout, parameter_layout, weight_layout, width_of

SIZES = {"sram_bit_8k": 8, "sram_bit_32k": 32, "sram_bit_1m": 1024}
"""Prices of a bit, by the KiB of the memory that they are of."""


@cache
def buffer_bits(config: HardwareConfig) -> dict[str, int]:
    """Return the bits that each buffer holds, as the generated memories have them."""
    rows = config.slots * config.output_bundles
    return {
        "weights": config.weight_places * weight_layout(config).size,
        "activations": (2 << width_of(config.buffer_words - 1)) * stored_layout(config).size,
        "parameters": config.slots * config.parameter_bundles * parameter_layout(config).size,
        "results": rows * output_layout(config).size,
    }


def bit_price(bits: int, tech: Prices) -> Price:
    """Return the price of a bit that goes into a memory or comes out of it.

    It is that of the sizes that are known around its own: a smaller memory than all of these costs
    what the smallest one does, a larger one what the largest does.
    """
    known = list(SIZES)
    above = next((name for name in known if bits <= SIZES[name] * 8192), known[-1])
    whole = bits >= SIZES[above] * 8192
    below = above if whole else known[max(0, known.index(above) - 1)]
    low, high = tech[below], tech[above]
    ends = Interval(low.value.low, high.value.high)
    source = low.source if below == above else f"{low.source}, to {high.source}"
    held = f"{source}; this one holds {bits / 8192:.3g} KiB"
    return Price("sram_bit", ends, high.unit, held, high.node, high.voltage)
