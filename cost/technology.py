"""Technologies: prices of primitives, from the fit and from the standard units of each library.

One library is characterized and fitted. Others have its prices times the ratio of the standard
units' figures on both: the range over these units is the range of every price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cost.fit import fit
from cost.inventory import PRIMITIVES
from cost.prices import Prices, read_tables

INT8 = ("INT8 x INT8, array", "INT8 x INT8, booth")


@dataclass(frozen=True)
class Node:
    """A library's technology: name, node in nm, and where its figures are kept."""

    name: str
    nm: int
    records: Mapping[str, Any]
    file: str


COMMON = """\
real_operation = {value = [0.4, 1.1], unit = "pJ", node = 45, voltage = 0.9, \
source = "Horowitz, ISSCC 2014: FP16 addition and multiplication"}
sram_bit = {value = 0.156, unit = "pJ", node = 45, voltage = 0.9, \
source = "Horowitz, ISSCC 2014: 10 pJ for 64 bits of 8 KB"}
wires_and_clock_tree = {value = [0.2, 1.0], unit = "1", \
source = "assumption: pre-layout figures have neither, and may be off by a factor of 2"}
"""


def ratios(one: Mapping[str, Any], other: Mapping[str, Any], figure: str) -> list[float]:
    """Return one library's figures by another's, for the units that both have."""
    both = [name for name in one if name in other and one[name]["unit"] != "baseline"]

    def value(record: Mapping[str, Any]) -> float:
        if figure == "area":
            return record["area_um2"]
        return record["cycle_fJ"]["all"] - record["cycle_fJ"]["leakage"]

    return [value(one[name]) / value(other[name]) for name in both]


def text_of(characterized: Sequence[dict[str, Any]], fitted: Node, others: Sequence[Node]) -> str:
    """Return ``technologies.toml``."""
    energy, area = fit(characterized, "energy"), fit(characterized, "area_um2")
    lines = [
        "# Prices of primitives (cost/inventory.py) and of what else a token needs, by technology.",
        "# Written by: python -m sim characterize; area in um2, pre-layout.",
    ]
    for node in [fitted, *others]:
        first = next(iter(node.records.values()))
        volts = first["voltage"]
        lines += ["", f"[{node.name}]", f"node = {node.nm}", f"voltage = {volts}"]
        for figure, prices, unit in (("energy", energy, "fJ"), ("area", area, "um2")):
            low = high = 1.0
            source = f"fit to {fitted.file}"
            if node is not fitted:
                found = ratios(node.records, fitted.records, figure)
                low, high = min(found), max(found)
                source += f", times {low:.3g} to {high:.3g}: the standard units of {node.file}"
            for name in PRIMITIVES:
                ends = [float(f"{prices.prices[name] * factor:.4g}") for factor in (low, high)]
                value = ends[0] if ends[0] == ends[1] else ends
                lines.append(
                    f'{figure}_{name} = {{value = {value}, unit = "{unit}", node = {node.nm}, '
                    f'voltage = {volts}, source = "{source}"}}'
                )
        leaks = [one["leakage_nW"] / one["area_um2"] for one in node.records.values()]
        macs, source = _macs(node, fitted)
        lines += [
            (
                f'leakage = {{value = [{min(leaks):.3g}, {max(leaks):.3g}], unit = "nW", '
                f'node = {node.nm}, voltage = {volts}, source = "of a um2, {node.file}"}}'
            ),
            (
                f'int8_mac = {{value = [{min(macs):.4g}, {max(macs):.4g}], unit = "fJ", '
                f'node = {node.nm}, voltage = {volts}, source = "{source}"}}'
            ),
            COMMON.rstrip(),
        ]
    return "\n".join(lines) + "\n"


def _macs(node: Node, fitted: Node) -> tuple[list[float], str]:
    """Return fJ of 8-bit products: of a library's baselines, or of the fitted one's by ratio."""
    if all(name in node.records for name in INT8):
        return [node.records[name]["fJ_per_mac"] for name in INT8], f"baselines of {node.file}"
    found = ratios(node.records, fitted.records, "energy")
    macs = [fitted.records[name]["fJ_per_mac"] for name in INT8]
    source = f"baselines of {fitted.file}, times {min(found):.3g} to {max(found):.3g}"
    return [min(macs) * min(found), max(macs) * max(found)], source


@cache
def technologies() -> dict[str, Prices]:
    """Return the technologies of ``technologies.toml``."""
    return read_tables(Path(__file__).with_name("technologies.toml"))


@cache
def memories() -> dict[str, Prices]:
    """Return the memories of ``memories.toml``."""
    return read_tables(Path(__file__).with_name("memories.toml"))


@cache
def gpus() -> dict[str, Prices]:
    """Return the GPUs of ``gpus.toml``."""
    return read_tables(Path(__file__).with_name("gpus.toml"))
