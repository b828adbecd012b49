"""Tables of lut: sums of a few lanes' digits, built once and shared by all rows."""

from amaranth import Const, Value
from amaranth.lib import data

from hwgen.config import HardwareConfig
from hwgen.patterns import patterns


def tables(digits: data.View, config: HardwareConfig) -> list[list[Value]]:
    """Return for each group of lanes the sum of each pattern, from code 1 on.

    Parameters
    ----------
    digits : ``digit_layout(config)``
        Lanes missing in the last group count as 0.
    """
    lanes = [digits[lane] for lane in range(config.lanes)]
    lanes += [Const(0, lanes[0].shape())] * (config.table_groups * config.table - config.lanes)
    groups = [lanes[start : start + config.table] for start in range(0, len(lanes), config.table)]
    return [[_sum(group, weights) for weights in patterns(config)[1:]] for group in groups]


def _sum(group: list[Value], weights: tuple[int, ...]) -> Value:
    """Add up the lanes with weight +1, and subtract those with -1."""
    used = [(lane, weight) for lane, weight in zip(group, weights, strict=True) if weight]
    total = used[0][0]
    for lane, weight in used[1:]:
        total = total + lane if weight > 0 else total - lane
    return total
