"""Which kind of element wins with ternary weights, in area and energy, by activation bits.

``popcount`` takes two passes of a bit each over the two planes, ``addsub`` one pass of all bits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cost.fit import Fit, config_of, counts_of, value_of
from cost.toggling import priced
from hwgen.config import HardwareConfig

BITS = (1, 2, 4, 8)
LANES = 16
PLANES = 2


@dataclass(frozen=True)
class Contest:
    """Two kinds at one width of activations, by one figure for a ternary product a cycle.

    Attributes
    ----------
    figure, truth : str
        ``um2``, ``fJ`` or ``LUT4``; where the second pair of figures is from.
    model, measured : dict of str to float
        By kind; ``model`` is empty where it knows no such figure.
    """

    bits: int
    figure: str
    truth: str
    model: dict[str, float]
    measured: dict[str, float]

    @property
    def agrees(self) -> bool:
        """Whether model and measurement have the same winner."""
        return not self.model or least(self.model) == least(self.measured)

    def show(self) -> str:
        """Return it as a line."""

        def text(figures: Mapping[str, float]) -> str:
            each = ", ".join(f"{kind} {value:.1f}" for kind, value in figures.items())
            return f"{least(figures)} ({each})" if figures else "none"

        verdict = "" if self.agrees else "  DISAGREES"
        return (
            f"{self.bits} bits, {self.figure:<5} model: {text(self.model):<44} "
            f"{self.truth}: {text(self.measured)}{verdict}"
        )


def contests(
    records: Sequence[dict[str, Any]], area: Fit, energy: Fit, ecp5: Mapping[str, Any]
) -> list[Contest]:
    """Return all contests that have a measurement of both kinds."""
    found = []
    for bits in BITS:
        both = {
            config.kind: (config, one) for one in records if _of(config := config_of(one), bits)
        }
        for figure, fit in (("area_um2", area), ("energy", energy)):
            model = {kind: _model(config, fit, figure) for kind, (config, _) in both.items()}
            truth = {
                kind: value_of(one, figure) * _passes(config)
                for kind, (config, one) in both.items()
            }
            name = "um2" if figure == "area_um2" else "fJ"
            found.append(Contest(bits, name, "synthesis", model, truth))
        add, count = ecp5.get(f"addsub, {bits} bits"), ecp5.get("popcount, 64 lanes")
        if add and count:
            luts = {
                "popcount": count["lut4"] / count["config"]["lanes"] * bits * PLANES,
                "addsub": add["lut4_per_mac_per_cycle"],
            }
            model = {kind: figures for c in found[-2:-1] for kind, figures in c.model.items()}
            found.append(Contest(bits, "LUT4", "ECP5", model, luts))
    return found


def _of(config: HardwareConfig, bits: int) -> bool:
    plain = config.stage_every == 0 and config.lanes == LANES and config.act_bits == bits
    if config.kind == "addsub":
        return plain and config.ternary and config.digits == 1
    return plain and config.kind == "popcount" and config.digit == 1


def _passes(config: HardwareConfig) -> float:
    """Return the element-cycles of a ternary product."""
    planes = PLANES if config.kind == "popcount" else 1
    return planes * config.digits / config.lanes


def _model(config: HardwareConfig, fit: Fit, figure: str) -> float:
    return _passes(config) * priced(counts_of(config, figure), fit.prices)


def least(figures: Mapping[str, float]) -> str:
    """Return the kind with the smallest figure."""
    return min(figures, key=lambda kind: figures[kind])
