"""Units whose figures are kept for each library, and the bars that one of them is held against."""

from cost.baseline import Baseline
from cost.units import Element, Plain, Row, Unit
from hwgen.config import HardwareConfig

POPCOUNT = HardwareConfig(pe=1, k=1, lanes=64)

UNITS: dict[str, Unit] = {
    "popcount, 64 lanes": Element(POPCOUNT),
    "popcount, 64 lanes, 32-bit accumulator, operands": Row(POPCOUNT),
    "addsub, 8 bits": Element(HardwareConfig(pe=1, kind="addsub", lanes=32)),
    "addsub, 4 bits": Element(HardwareConfig(pe=1, kind="addsub", lanes=32, act_bits=4)),
    "addsub, 2 bits": Element(HardwareConfig(pe=1, kind="addsub", lanes=32, act_bits=2)),
    "addsub, digits of 4": Element(HardwareConfig(pe=1, kind="addsub", lanes=32, digit=4)),
    "addsub, digits of 2": Element(HardwareConfig(pe=1, kind="addsub", lanes=32, digit=2)),
    "lut, pairs": Element(HardwareConfig(pe=1, kind="lut", lanes=32)),
    "INT8 x INT8, array": Plain(Baseline(8, 8, 16)),
    "INT8 x INT8, booth": Plain(Baseline(8, 8, 16, "booth")),
    "INT4 x INT8, array": Plain(Baseline(4, 8, 16)),
    "INT4 x INT8, booth": Plain(Baseline(4, 8, 16, "booth")),
}
"""By name, in the order of measuring."""

WITH_GLITCHES = (
    "popcount, 64 lanes", "popcount, 64 lanes, 32-bit accumulator, operands", "addsub, 8 bits",
)  # fmt: skip
"""Whose glitches are measured too."""

MOST_AREA, MOST_ENERGY = 4400.0, 60.0
"""Of ``popcount, 64 lanes`` on sky130: um2, and fJ a bit-MAC without glitches."""
