"""Prices: what one of something costs, in which unit, at which node, by which source."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost.interval import Interval
from cost.scaling import energy_factor, warning
from models.checks import require
from models.cli import nearest

UNITS = {
    "fJ": 1e-15, "pJ": 1e-12, "nJ": 1e-9, "J": 1.0, "nW": 1e-9, "mW": 1e-3, "W": 1.0, "um2": 1.0,
    "mm2": 1e6, "ns": 1e-9, "B/s": 1.0, "GB/s": 1e9, "TB/s": 1e12, "TFLOP/s": 1e12, "GB": 1e9,
    "1": 1.0,
}  # fmt: skip
"""To joules, watts, square micrometers, seconds, bytes and operations a second."""

JOULES, SQUARES = ("fJ", "pJ", "nJ", "J"), ("um2", "mm2")
KINDS = {
    "energy": JOULES, "int8_mac": JOULES, "real_operation": JOULES, "sram": JOULES,
    "area": SQUARES, "leakage": ("nW", "mW", "W"), "power": ("mW", "W"), "slowest_path": ("ns",),
    "wires_and_clock_tree": ("1",), "glitches": ("1",), "reached": ("1",),
    "bandwidth": ("B/s", "GB/s", "TB/s"), "fp16": ("TFLOP/s",), "capacity": ("GB",),
}  # fmt: skip
"""Units of prices, by their names or the first words of them."""


@dataclass(frozen=True)
class Price:
    """A price.

    Attributes
    ----------
    name, unit, source : str
    value : Interval
        In base units: see :data:`UNITS`.
    node, voltage : float or None
        In nm and volts; None where they mean nothing.
    """

    name: str
    value: Interval
    unit: str
    source: str
    node: int | None = None
    voltage: float | None = None

    def show(self) -> str:
        """Return its text in its own unit."""
        where = f" ({self.node:g} nm, {self.voltage:g} V)" if self.node and self.voltage else ""
        return f"{self.value.show(1 / UNITS[self.unit])} {self.unit}{where}"


class Prices:
    """A table of prices, of a technology at its node and voltage or of a part.

    Energies that are known at another node are scaled (:mod:`cost.scaling`), memories' from not at
    all to that: they do not scale as logic does.

    Attributes
    ----------
    name : str
    node, voltage : float or None
    warnings : set of str
        What was scaled, and what must be said of that; grows as prices are asked for.
    """

    def __init__(
        self, name: str, prices: dict[str, Price], node: int | None = None,
        voltage: float | None = None,
    ) -> None:  # fmt: skip
        self.name, self.node, self.voltage = name, node, voltage
        self.warnings = set[str]()
        self._prices = prices
        self._here: dict[str, Price] = {}

    def __getitem__(self, name: str) -> Price:
        """Return a price, at the table's node and voltage.

        Raises
        ------
        ValueError
            The table has none of this name (what has no price is not free), or it is of a node
            from which nothing is known to scale.
        """
        if name not in self._here:
            self._here[name] = self._scaled(name)
        return self._here[name]

    def _scaled(self, name: str) -> Price:
        require(name in self._prices, f"table {self.name}", "have a price of every term", name)
        price = self._prices[name]
        here = (self.node, self.voltage)
        if self.node is None or self.voltage is None or price.node is None or (
            (price.node, price.voltage) == here
        ) or not price.unit.endswith("J") or price.voltage is None:  # fmt: skip
            return price
        factor = energy_factor((price.node, price.voltage), (self.node, self.voltage))
        ends = sorted([1.0, factor]) if name.startswith("sram") else [factor, factor]
        self.warnings.add(
            warning(price.node, self.node)
            or f"{name} is scaled from {price.node} nm, {price.voltage} V to {self.node} nm, "
            f"{self.voltage} V by Stillmaker and Baas 2017"
        )
        source = f"{price.source}; times {factor:.4g} of Stillmaker and Baas 2017"
        value = price.value * Interval(*ends)
        return Price(name, value, price.unit, source, self.node, self.voltage)

    def __contains__(self, name: str) -> bool:
        return name in self._prices

    def names(self) -> list[str]:
        """Return the names in order."""
        return list(self._prices)


def price_of(table: str, name: str, entry: dict[str, Any]) -> Price:
    """Read one entry.

    Raises
    ------
    ValueError
        It lacks a field, has an unknown unit, or a value that is negative or no number.
    """
    subject = f"price {name} of {table}"
    for key in ("value", "unit", "source"):
        require(key in entry, subject, "have value, unit and source", f"none as {key}")
    unknown = set(entry) - {"value", "unit", "source", "node", "voltage"}
    require(not unknown, subject, "have value, unit, source, node and voltage only",
            ", ".join(sorted(unknown)))  # fmt: skip
    unit, value = entry["unit"], entry["value"]
    require(unit in UNITS, f"unit of {subject}", f"be one of {', '.join(UNITS)}", unit)
    ends = value if isinstance(value, list) else [value, value]
    numbers = len(ends) == 2 and all(isinstance(end, int | float) for end in ends)
    require(numbers and 0 <= ends[0] <= ends[1], f"value of {subject}",
            "be 0 or more, or two such numbers, the lower one first", value)  # fmt: skip
    interval = Interval(ends[0] * UNITS[unit], ends[1] * UNITS[unit])
    units = next((KINDS[key] for key in KINDS if name == key or name.startswith(f"{key}_")), ())
    rule = f"be or begin with one of {', '.join(KINDS)}"
    require(len(units) > 0, f"name of {subject}", rule, name)
    require(unit in units, f"unit of {subject}", f"be one of {', '.join(units)}", unit)
    require(bool(str(entry["source"]).strip()), f"source of {subject}", "say where it is from",
            "nothing")  # fmt: skip
    _check_place(subject, entry)
    return Price(name, interval, unit, entry["source"], entry.get("node"), entry.get("voltage"))


def _check_place(subject: str, entry: dict[str, Any]) -> None:
    """Check that node and voltage are both given, or neither."""
    node, voltage = entry.get("node"), entry.get("voltage")
    require((node is None) == (voltage is None), subject, "have node and voltage, or neither",
            "one of them")  # fmt: skip
    require(voltage is None or voltage > 0, f"voltage of {subject}", "be above 0 V", voltage)


def read_tables(path: Path) -> dict[str, Prices]:
    """Read tables of prices: TOML, a table of entries each.

    Raises
    ------
    ValueError
        It is no TOML, or an entry is no price.
    """
    try:
        tables = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path} must be TOML, got: {error}") from error
    return {table: _table(table, entries) for table, entries in tables.items()}


def _table(name: str, entries: dict[str, Any]) -> Prices:
    """Read a table; energies of one that has a node must say their own."""
    _check_place(f"table {name}", entries)
    prices = {
        key: price_of(name, key, one) for key, one in entries.items() if isinstance(one, dict)
    }
    for key, price in prices.items():
        placed = entries.get("node") is None or price.unit not in JOULES or price.node is not None
        require(placed, f"price {key} of {name}", "have node and voltage", "none")
    return Prices(name, prices, entries.get("node"), entries.get("voltage"))


def table_of(tables: dict[str, Prices], what: str, name: str) -> Prices:
    """Return a table by its name, or say which there are."""
    require(name in tables, what, f"be a known one ({nearest(name, tables)})", name)
    return tables[name]
