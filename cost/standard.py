"""Units whose figures are kept for each library, and the bars that one of them is held against."""

from dataclasses import replace

from cost.baseline import Baseline
from cost.counter import Counter
from cost.units import Counting, Element, Plain, Row, Unit
from hwgen.config import HardwareConfig

POPCOUNT = HardwareConfig(pe=1, k=1, lanes=64)

UNITS: dict[str, Unit] = {
    "popcount, 64 lanes": Element(POPCOUNT),
    "popcount, 64 lanes, 32-bit accumulator, operands": Row(POPCOUNT),
    "counter, 64 lanes, 32-bit accumulator": Counting(Counter(64)),
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
    "INT4 x INT4, array": Plain(Baseline(4, 4, 16)),
    "INT2 x INT2, array": Plain(Baseline(2, 2, 16)),
}
"""By name, in the order of measuring."""

WITH_GLITCHES = (
    "popcount, 64 lanes", "popcount, 64 lanes, 32-bit accumulator, operands",
    "counter, 64 lanes, 32-bit accumulator", "addsub, 8 bits", "INT8 x INT8, array",
)  # fmt: skip
"""Whose glitches are measured too."""

_SMALL = HardwareConfig(pe=8, lanes=32, columns=1536, rows=4096)
_ADDSUB = replace(_SMALL, kind="addsub", digit=0)
_LUT = replace(_SMALL, kind="lut", digit=0)

ENGINES = [
    _ADDSUB,
    replace(_ADDSUB, pe=4, lanes=16),
    _SMALL,
    replace(_SMALL, pe=16, lanes=64),
    replace(_ADDSUB, digit=4),
    replace(_ADDSUB, pe=16, lanes=16, digit=2),
    replace(_ADDSUB, pe=4, lanes=64),
    replace(_SMALL, pe=24, lanes=16),
    replace(_LUT, pe=4, lanes=16),
    replace(_LUT, digit=4),
    replace(_ADDSUB, pe=16, stage_every=2),
    replace(_SMALL, pe=32, digit=4),
]
"""Whole engines whose components' figures are kept; every second one is for testing."""

MOST_AREA, MOST_ENERGY = 4400.0, 60.0
"""Of ``popcount, 64 lanes`` on sky130: um2, and fJ a bit-MAC without glitches."""
