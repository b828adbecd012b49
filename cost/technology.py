"""Technologies: prices of primitives, from the fit and from the standard units of each library.

One library is characterized and fitted. Others have its prices times the ratio of the standard
units' figures on both: the range over these units is the range of every price.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cost.components import fit_engines, key_of
from cost.fit import Fit, fit
from cost.prices import Prices, read_tables
from cost.toggling import CLOCK, DATA

INT8 = ("INT8 x INT8, array", "INT8 x INT8, booth")


@dataclass(frozen=True)
class Node:
    """A library's technology: name, node in nm, and where its figures are kept."""

    name: str
    nm: int
    records: Mapping[str, Any]
    file: str


LIBRARIES = {"sky130": 130, "sg13g2": 130, "asap7": 7}
"""Names and nodes in nm of the libraries that there are records of; the first one is fitted."""


def nodes_of(records: Path) -> list[Node]:
    """Read the records of all libraries from a folder."""
    return [
        Node(name, nm, json.loads((records / f"{name}.json").read_text()),
             f"docs/records/{name}.json")
        for name, nm in LIBRARIES.items()
    ]  # fmt: skip


COMMON = """\
real_operation = {value = [0.4, 1.1], unit = "pJ", node = 45, voltage = 0.9, \
source = "Horowitz, ISSCC 2014: FP16 addition and multiplication"}
sram_bit_8k = {value = 0.156, unit = "pJ", node = 45, voltage = 0.9, \
source = "Horowitz, ISSCC 2014: 10 pJ for 64 bits of 8 KB"}
sram_bit_32k = {value = 0.313, unit = "pJ", node = 45, voltage = 0.9, \
source = "Horowitz, ISSCC 2014: 20 pJ for 64 bits of 32 KB"}
sram_bit_1m = {value = 1.563, unit = "pJ", node = 45, voltage = 0.9, \
source = "Horowitz, ISSCC 2014: 100 pJ for 64 bits of 1 MB"}
wires_and_clock_tree = {value = [0.2, 1.0], unit = "1", \
source = "assumption: pre-layout figures have neither, and may be off by a factor of 2"}
"""


def ratios(one: Mapping[str, Any], other: Mapping[str, Any], figure: str) -> list[float]:
    """Return one library's figures by another's, for the units that both have.

    Parameters
    ----------
    figure : str
        ``area``, or ``clock`` or ``data``: the parts of a cycle's energy.
    """
    both = [name for name in one if name in other and one[name]["unit"] != "baseline"]

    def value(record: Mapping[str, Any]) -> float:
        cycle = record["cycle_fJ"]
        if figure == "area":
            return record["area_um2"]
        return cycle["clock"] if figure == "clock" else cycle["switching"] + cycle["internal"]

    return [value(one[name]) / value(other[name]) for name in both]


@dataclass(frozen=True)
class _Group:
    """Prices of one kind: names with values, by whose ratio they go to other libraries."""

    prefix: str
    unit: str
    figures: tuple[str, ...]
    source: str
    prices: Mapping[str, float]


def _groups(
    characterized: Sequence[dict[str, Any]], engines: Sequence[dict[str, Any]]
) -> list[_Group]:
    area, energy = fit(characterized, "area_um2"), fit(characterized, "energy")
    element, engine = "docs/records/characterization.json", "docs/records/engines.json"
    clock = {name: energy.prices[name] for name in CLOCK}
    data = {name: energy.prices[name] for name in DATA}
    return [
        _Group("energy", "fJ", ("clock",), element, clock),
        _Group("energy", "fJ", ("data",), element, data),
        _Group("energy", "fJ", ("clock", "data"), engine, _flat(engines, energy, "energy")),
        _Group("area", "um2", ("area",), element, area.prices),
        _Group("area", "um2", ("area",), engine, _flat(engines, area, "area_um2")),
    ]


def _flat(engines: Sequence[dict[str, Any]], elements: Fit, figure: str) -> dict[str, float]:
    prices = fit_engines(engines, elements, figure).prices
    return {
        key_of(component, feature): price
        for component, features in prices.items()
        for feature, price in features.items()
    }


def text_of(
    characterized: Sequence[dict[str, Any]],
    engines: Sequence[dict[str, Any]],
    fitted: Node,
    others: Sequence[Node],
) -> str:
    """Return ``technologies.toml``."""
    groups = _groups(characterized, engines)
    lines = [
        "# Prices of primitives (cost/inventory.py, toggling.py), of components' features",
        "# (components.py) and of what else a token needs, by technology; pre-layout.",
        "# Written by: python -m sim characterize docs/records --prices cost/technologies.toml",
    ]
    for node in [fitted, *others]:
        volts = next(iter(node.records.values()))["voltage"]
        at = f"node = {node.nm}, voltage = {volts}"
        lines += ["", f"[{node.name}]", f"node = {node.nm}", f"voltage = {volts}"]
        for group in groups:
            low, high, source = 1.0, 1.0, f"fit to {group.source}"
            if node is not fitted:
                found = [r for f in group.figures for r in ratios(node.records, fitted.records, f)]
                low, high = min(found), max(found)
                source += f", times {low:.3g} to {high:.3g}: the standard units of {node.file}"
            for name, price in group.prices.items():
                ends = [float(f"{price * factor:.4g}") for factor in (low, high)]
                value = ends[0] if ends[0] == ends[1] else ends
                lines.append(
                    f'{group.prefix}_{name} = {{value = {value}, unit = "{group.unit}", {at}, '
                    f'source = "{source}"}}'
                )
        leaks = [one["leakage_nW"] / one["area_um2"] for one in node.records.values()]
        macs, source = _macs(node, fitted)
        more, paths = _glitches(node), _paths(node, fitted, engines)
        lines += [
            (
                f'glitches = {{value = [{min(more):.3g}, {max(more):.3g}], unit = "1", '
                f'source = "standard units of {node.file}: energy with glitches over that without, '
                f'less 1"}}'
            ),
            (
                f'slowest_path = {{value = [{paths[0]:.3g}, {paths[1]:.3g}], unit = "ns", '
                f'source = "{paths[2]}"}}'
            ),
            (
                f'leakage = {{value = [{min(leaks):.3g}, {max(leaks):.3g}], unit = "nW", {at}, '
                f'source = "of a um2, {node.file}"}}'
            ),
            (
                f'int8_mac = {{value = [{min(macs):.4g}, {max(macs):.4g}], unit = "fJ", {at}, '
                f'source = "{source}"}}'
            ),
            COMMON.rstrip(),
        ]
    return "\n".join(lines) + "\n"


def _glitches(node: Node) -> list[float]:
    """By how much glitches raise the energy of our own units, where they were measured."""
    cycles = [one["cycle_fJ"] for one in node.records.values() if one["unit"] != "baseline"]
    return [one["all with glitches"] / one["all"] - 1 for one in cycles if one["all with glitches"]]


def _paths(node: Node, fitted: Node, engines: Sequence[dict[str, Any]]) -> tuple[float, float, str]:
    """Return the shortest and longest of whole engines' slowest paths in ns, and the source."""
    paths = [one["critical_ns"] for one in engines]
    source = "slowest paths of docs/records/engines.json, no wires"
    if node is fitted:
        return min(paths), max(paths), source
    found = [
        one["critical_ns"] / fitted.records[name]["critical_ns"]
        for name, one in node.records.items() if name in fitted.records
    ]  # fmt: skip
    low, high = min(found), max(found)
    more = f", times {low:.3g} to {high:.3g}: those of the standard units of {node.file}"
    return min(paths) * low, max(paths) * high, source + more


def _macs(node: Node, fitted: Node) -> tuple[list[float], str]:
    """Return fJ of 8-bit products, without and with glitches.

    Of a library's baselines, or of the fitted one's by ratio.
    """
    own = [node.records[name]["fJ_per_mac"] for name in INT8 if name in node.records]
    if own:
        cycle = node.records[INT8[0]]["cycle_fJ"]
        glitches = cycle["all with glitches"] / cycle["all"]
        return [min(own), max(own) * glitches], f"baselines of {node.file}, up to with glitches"
    found = [r for f in ("clock", "data") for r in ratios(node.records, fitted.records, f)]
    macs, _ = _macs(fitted, fitted)
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
