"""Configurations that every change is checked on."""

from hwgen.config import HardwareConfig

SMALL = (
    HardwareConfig(k=2, pe=4, lanes=8, columns=64),
    HardwareConfig(k=3, pe=7, lanes=24, act_bits=5, digit=2, terms=7, columns=144),
    HardwareConfig(k=1, pe=3, lanes=5, act_bits=1, act_signed=False, columns=40),
)
"""Few processing elements, odd sizes: built in seconds, so the tests run them too."""

AXI = (
    HardwareConfig(k=2, pe=4, lanes=8, columns=64, bus="axi", stream_bits=32),
    HardwareConfig(k=3, pe=5, lanes=6, act_bits=4, columns=36, bus="axi", layer_queue=2),
)
"""Small circuits on AXI: words of several beats, and of one."""

STANDARD = (
    *SMALL,
    *AXI,
    HardwareConfig(k=2, pe=5, lanes=1, act_bits=2, columns=16, requantize_bits=0),
    HardwareConfig(k=4, pe=8, lanes=16, digit=8, columns=128, requantize_bits=12),
    HardwareConfig(kind="addsub", pe=8, lanes=16, columns=128, stage_every=1, mapping="ecp5"),
    HardwareConfig(kind="addsub", pe=9, lanes=8, columns=96, share=4, stage_every=1),
    HardwareConfig(kind="lut", pe=5, lanes=11, act_bits=6, columns=128, table=3),
    HardwareConfig(k=3, pe=6, lanes=20, columns=128, mapping="ecp5"),
    HardwareConfig(k=2, pe=5, lanes=6, act_bits=5, columns=96, views=3, exponents=5),
    HardwareConfig(kind="addsub", pe=3, lanes=4, columns=64, views=2, exponents=1),
    HardwareConfig(),
)
"""What ``make sim`` runs; the last one is the default of the generator."""
