"""Shipped prices of every library against that library's own standard units.

Of one library the prices were fitted to other elements; those of the rest are ranges. What is
measured should lie in them, or near; it is of a layer's data, which toggles less than the random
operands that the model counts with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cost.engine import element_area, element_energy
from cost.interval import Interval
from cost.prices import Prices
from cost.standard import UNITS
from cost.technology import Node
from cost.units import Element, Row


@dataclass(frozen=True)
class Held:
    """A figure of a unit: what prices say, and what synthesis gave.

    Attributes
    ----------
    library, unit, figure : str
        ``um2``, ``fJ`` or ``fJ with glitches``, the latter two of a cycle without leakage.
    ours : Interval
    measured : float
    """

    library: str
    unit: str
    figure: str
    ours: Interval
    measured: float

    @property
    def off(self) -> float:
        """How far the measured figure is outside of ours, relative to it; 0 inside."""
        if self.measured < self.ours.low:
            return self.ours.low / self.measured - 1
        return min(0.0, self.ours.high / self.measured - 1)


def held(nodes: list[Node], tables: Mapping[str, Prices]) -> list[Held]:
    """Compare every element of the array among the standard units, library by library."""
    found = []
    for node in nodes:
        tech = tables[node.name]
        for name, unit in UNITS.items():
            if name not in node.records or not isinstance(unit, Element) or isinstance(unit, Row):
                continue
            one, cycle = node.records[name], node.records[name]["cycle_fJ"]
            energy = element_energy(unit.config, tech) * 1e15
            rows = [("um2", element_area(unit.config, tech), one["area_um2"]),
                    ("fJ", energy, cycle["all"] - cycle["leakage"])]  # fmt: skip
            if cycle["all with glitches"]:
                more = energy + energy * tech["glitches"].value
                rows.append(("fJ with glitches", more, cycle["all with glitches"]))
            found += [Held(node.name, name, *row) for row in rows]
    return found


def report(found: list[Held]) -> str:
    """Return all as text, and how many are in their ranges."""
    lines = [
        f"{'library':<9}{'standard unit':<24}{'figure':<18}{'model':>20}{'synthesis':>12}  off"
    ]
    for one in found:
        off = f"{100 * one.off:+.0f} %" if one.off else "inside"
        lines.append(
            f"{one.library:<9}{one.unit:<24}{one.figure:<18}{one.ours.show(digits=4):>20}"
            f"{one.measured:>12.4g}  {off}"
        )
    for library in dict.fromkeys(one.library for one in found):
        mine = [one for one in found if one.library == library]
        worst = max(abs(one.off) for one in mine)
        lines.append(
            f"{library}: {sum(not one.off for one in mine)} of {len(mine)} inside the model's "
            f"range, {100 * worst:.0f} % outside at worst"
        )
    return "\n".join(lines)
