"""Units whose figures are kept, and the bars that they are held against."""

from dataclasses import dataclass, replace

from hwgen.config import HardwareConfig


@dataclass(frozen=True)
class Bar:
    """What a unit may cost, and how fast it must be; None where there is no bar.

    Attributes
    ----------
    lut4 : float or None
        LUT4 in all.
    lut4_per_mac : float or None
        LUT4 for each multiplication and addition a cycle.
    fmax : float or None
        MHz of the median seed.
    """

    lut4: float | None = None
    lut4_per_mac: float | None = None
    fmax: float | None = None


_ADDSUB = HardwareConfig(kind="addsub", pe=1, lanes=64, stage_every=1, mapping="ecp5")
_POPCOUNT = HardwareConfig(k=1, pe=1, lanes=64, stage_every=1, mapping="ecp5")
_LUT = HardwareConfig(kind="lut", pe=4, lanes=32, stage_every=1, mapping="ecp5")

UNITS: dict[str, tuple[HardwareConfig, Bar]] = {
    "addsub, 8 bits": (_ADDSUB, Bar(lut4_per_mac=15.0, fmax=240)),
    "popcount, 64 lanes": (_POPCOUNT, Bar(lut4=205, fmax=200)),
    "popcount, 256 lanes": (replace(_POPCOUNT, lanes=256), Bar(lut4=640, fmax=200)),
    "addsub, 4 bits": (replace(_ADDSUB, act_bits=4, digit=0), Bar(lut4_per_mac=9.5)),
    "addsub, 3 bits": (replace(_ADDSUB, act_bits=3, digit=0), Bar(lut4_per_mac=8.4)),
    "addsub, 2 bits": (replace(_ADDSUB, act_bits=2, digit=0), Bar(lut4_per_mac=6.6)),
    "addsub, 1 bits": (replace(_ADDSUB, act_bits=1, act_signed=False, digit=0), Bar()),
    "lut, 4 rows": (_LUT, Bar(lut4_per_mac=36)),
    "addsub, plain": (replace(_ADDSUB, mapping="plain"), Bar()),
    "popcount, plain": (replace(_POPCOUNT, mapping="plain"), Bar()),
    "addsub, digits of 4": (replace(_ADDSUB, digit=4), Bar()),
    "addsub, digits of 2": (replace(_ADDSUB, digit=2), Bar()),
    "lut, plain": (replace(_LUT, mapping="plain"), Bar()),
}
"""By name, in the order of measuring."""


def missed(bar: Bar, figures: dict[str, float]) -> list[str]:
    """Return what a unit misses, in words; ``figures`` as :func:`fpga.qor.record` gives them."""
    found = []
    if bar.lut4 is not None and figures["lut4"] > bar.lut4:
        found.append(f"LUT4 must be at most {bar.lut4}, got {figures['lut4']}")
    if bar.lut4_per_mac is not None and figures["lut4_per_mac_per_cycle"] > bar.lut4_per_mac:
        got = figures["lut4_per_mac_per_cycle"]
        found.append(f"LUT4 per MAC/cycle must be at most {bar.lut4_per_mac}, got {got}")
    if bar.fmax is not None and figures["fmax_median"] < bar.fmax:
        found.append(f"Fmax must be at least {bar.fmax} MHz, got {figures['fmax_median']}")
    return found
