"""Cells of a library in SI units: functions, areas, capacitances, tables of delay and energy."""

import math
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cost.functions import Function, parse
from cost.liberty import Group
from models.checks import require

KINDS = {"total_output_net_capacitance": "load", "related_pin_transition": "clock"}
"""What the axes of tables are; slews but for these."""


@dataclass(frozen=True)
class Table:
    """A value over the slew of an input, the load of an output, or both; bilinear, SI units.

    Outside its axes the nearest segment is continued.

    Attributes
    ----------
    slews, loads : float64, (s,), (l,)
        Seconds and farads; of one element where the value does not depend on it.
    values : float64, (s, l)
    """

    slews: NDArray[np.float64]
    loads: NDArray[np.float64]
    values: NDArray[np.float64]

    def at(self, slew: float, load: float) -> float:
        """Return the value."""
        row, along = _segment(self.slews, slew)
        column, across = _segment(self.loads, load)
        rows = min(row + 1, len(self.slews) - 1)
        columns = min(column + 1, len(self.loads) - 1)
        low = self.values[row, column] * (1 - across) + self.values[row, columns] * across
        high = self.values[rows, column] * (1 - across) + self.values[rows, columns] * across
        return float(low * (1 - along) + high * along)


def _segment(axis: NDArray[np.float64], at: float) -> tuple[int, float]:
    if len(axis) == 1:
        return 0, 0.0
    place = min(max(int(np.searchsorted(axis, at)) - 1, 0), len(axis) - 2)
    return place, float((at - axis[place]) / (axis[place + 1] - axis[place]))


@dataclass(frozen=True)
class Arc:
    """Delay from a pin to an output: tables of delay and slew for its rise and fall.

    Attributes
    ----------
    related, kind, sense : str
        The pin; Liberty's ``timing_type``, empty for ``combinational``; its ``timing_sense``.
    delays, slews : dict of str to Table
        By edge of the output, ``rise`` and ``fall``.
    """

    related: str
    kind: str
    sense: str
    delays: dict[str, Table]
    slews: dict[str, Table]


@dataclass(frozen=True)
class Energy:
    """Internal energy of a pin's toggles, for one condition and related pin.

    Attributes
    ----------
    tables : list of Table
        Joules; for each edge and supply.
    supplies : int
        Whose energies add up.
    """

    tables: list[Table]
    supplies: int

    def at(self, slew: float, load: float) -> float:
        """Return the mean over edges."""
        return sum(t.at(slew, load) for t in self.tables) * self.supplies / len(self.tables)


@dataclass(frozen=True)
class Pin:
    """A pin of a cell.

    Attributes
    ----------
    capacitance : float
        Farads; 0 for outputs.
    function : Function or None
        Of outputs, over inputs or the states of flip-flops.
    arcs : list of Arc
    setups : list of Table
        Of inputs: seconds before a rising clock, over the input's slew, for each edge.
    energies : list of Energy
        For each condition and related pin.
    """

    name: str
    capacitance: float
    function: Function | None
    arcs: list[Arc]
    setups: list[Table]
    energies: list[Energy]

    def energy(self, slew: float, load: float) -> float:
        """Return the mean internal energy of one toggle, over edges, related pins, conditions."""
        found = [energy.at(slew, load) for energy in self.energies]
        return sum(found) / len(found) if found else 0.0


@dataclass(frozen=True)
class State:
    """What a flip-flop does: ``next`` at the edge of ``clock``, unless cleared or preset.

    Attributes
    ----------
    names : tuple of str
        Of the state and its inverse, as outputs' functions call them.
    """

    names: tuple[str, str]
    clock: Function
    next: Function
    clear: Function | None
    preset: Function | None


@dataclass(frozen=True)
class Gate:
    """A clock gate: its ``out`` is ``clock`` in the cycles in which ``enable`` or ``test`` is 1."""

    enable: str
    clock: str
    out: str


@dataclass(frozen=True)
class Cell:
    """A cell; its area in the library's unit (square micrometers in all libraries we know).

    Attributes
    ----------
    leakage : float
        Watts; the mean over its conditions where the library gives no single figure.
    """

    name: str
    area: float
    leakage: float
    pins: dict[str, Pin]
    state: State | None
    gate: Gate | None

    @cached_property
    def inputs(self) -> list[str]:
        """Names of its inputs."""
        return [pin.name for pin in self.pins.values() if pin.capacitance > 0]

    @cached_property
    def outputs(self) -> list[str]:
        """Names of its outputs."""
        return [pin.name for pin in self.pins.values() if pin.function or self._gated(pin.name)]

    def _gated(self, pin: str) -> bool:
        return self.gate is not None and self.gate.out == pin

    @property
    def powered(self) -> bool:
        """Whether it has tables of internal energy."""
        return any(pin.energies for pin in self.pins.values())


class Library:
    """Cells of a Liberty library, each read when it is first asked for.

    Attributes
    ----------
    name : str
    voltage : float
    groups : dict of str to Group
        Cells as the file has them.

    Raises
    ------
    ValueError
        Units are missing or unknown.
    """

    def __init__(self, group: Group) -> None:
        self.group = group
        self.name = group.name
        self.voltage = group.number("nom_voltage")
        self.temperature = group.get("nom_temperature", "unknown")
        self.groups = {cell.name: cell for cell in group.of("cell")}
        self._time = _unit(group, "time_unit", "s")
        self._volt = _unit(group, "voltage_unit", "V")
        self._leak = _unit(group, "leakage_power_unit", "W")
        load = "".join(group.attributes.get("capacitive_load_unit", []))
        self._farad = _quantity(load, "capacitive_load_unit", group, "F")
        kinds = ("lu_table_template", "power_lut_template")
        self._templates = {g.name: g for kind in kinds for g in group.of(kind)}
        self._cells: dict[str, Cell] = {}

    def cell(self, name: str) -> Cell:
        """Return a cell.

        Raises
        ------
        ValueError
            The library has none of this name, or it lacks what every cell must have.
        """
        require(name in self.groups, f"library {self.name}", "have every cell of a netlist", name)
        if name not in self._cells:
            self._cells[name] = self._read(self.groups[name])
        return self._cells[name]

    def of_shape(self, inputs: int, outputs: int) -> list[str]:
        """Return the names of cells with so many inputs and outputs."""

        def shape(cell: Group) -> tuple[int, int]:
            ways = [pin.get("direction") for pin in cell.of("pin")]
            return ways.count("input"), ways.count("output")

        return [name for name, cell in self.groups.items() if shape(cell) == (inputs, outputs)]

    def _read(self, group: Group) -> Cell:
        pins = {
            pin.name: self._pin(pin)
            for pin in group.of("pin") if pin.get("direction") in ("input", "output")
        }  # fmt: skip
        return Cell(
            group.name, group.number("area"), _leakage(group) * self._leak, pins,
            next((_state(ff) for ff in group.of("ff")), None), _gate(group),
        )  # fmt: skip

    def _pin(self, group: Group) -> Pin:
        output = group.get("direction") == "output"
        text = group.get("function")
        return Pin(
            group.name,
            0.0 if output else group.number("capacitance") * self._farad,
            parse(text) if output and text else None,
            [self._arc(arc) for arc in group.of("timing")] if output else [],
            [] if output else self._setups(group),
            self._energies(group),
        )

    def _arc(self, group: Group) -> Arc:
        tables = {g.kind: self._table(g, self._time) for g in group.groups if g.attributes}
        delays = {edge: tables.get(f"cell_{edge}") for edge in ("rise", "fall")}
        slews = {edge: tables.get(f"{edge}_transition") for edge in ("rise", "fall")}
        return Arc(
            group.get("related_pin"),
            group.get("timing_type").replace("combinational", ""),
            group.get("timing_sense"),
            {edge: table for edge, table in delays.items() if table is not None},
            {edge: table for edge, table in slews.items() if table is not None},
        )

    def _setups(self, pin: Group) -> list[Table]:
        arcs = [arc for arc in pin.of("timing") if arc.get("timing_type") == "setup_rising"]
        return [self._table(g, self._time) for arc in arcs for g in arc.groups if g.attributes]

    def _energies(self, pin: Group) -> list[Energy]:
        """Collect tables by related pin and condition; those of several supplies add up."""
        unit = self._farad * self._volt**2
        found: dict[tuple[str, str], list[Table]] = {}
        supplies: dict[tuple[str, str], set[str]] = {}
        for power in pin.of("internal_power"):
            key = (power.get("related_pin"), power.get("when"))
            tables = [self._table(g, unit) for g in power.groups if g.kind.endswith("power")]
            supplies.setdefault(key, set()).add(power.get("related_pg_pin"))
            found.setdefault(key, []).extend(tables)
        return [Energy(tables, len(supplies[key])) for key, tables in found.items() if tables]

    def _table(self, group: Group, unit: float) -> Table:
        """Read a table; of one over a clock's slew too, the part for the steepest clock."""
        template = self._templates.get(group.name, group)
        kinds, axes = [], []
        for place in ("1", "2"):
            index = group.attributes.get(
                f"index_{place}", template.attributes.get(f"index_{place}")
            )
            if index is not None:
                kinds.append(KINDS.get(template.get(f"variable_{place}"), "slew"))
                axes.append(
                    _numbers(" ".join(index)) * (self._farad if kinds[-1] == "load" else self._time)
                )
        rows = group.attributes.get("values", [])
        values = np.concatenate([_numbers(row) for row in rows] or [np.zeros(0)]) * unit
        size = math.prod(map(len, axes))
        require(values.size == size, f"table {group.kind} {group.name}",
                f"have {size} values", values.size)  # fmt: skip
        values = values.reshape(tuple(map(len, axes)))
        if "clock" in kinds:
            place = kinds.index("clock")
            values = values.take(int(axes[place].argmin()), place)
            del kinds[place], axes[place]
        if kinds == ["load", "slew"]:
            axes, values = axes[::-1], values.T
        one = np.zeros(1)
        slews = axes[0] if "slew" in kinds else one
        loads = axes[-1] if "load" in kinds else one
        return Table(slews, loads, values.reshape(len(slews), len(loads)))

    @cached_property
    def slew(self) -> float:
        """A usual slew in seconds: that of the smallest inverter that drives four of its kind."""
        inverters = [
            cell for cell in (self.cell(name) for name in self.of_shape(1, 1))
            if cell.area and cell.state is None
            and (f := cell.pins[cell.outputs[0]].function) and f.truth(f.pins) == 1
        ]  # fmt: skip
        require(bool(inverters), f"library {self.name}", "have an inverter", "none")
        cell = min(inverters, key=lambda cell: cell.area)
        load = 4 * cell.pins[cell.inputs[0]].capacitance
        arc, slew = cell.pins[cell.outputs[0]].arcs[0], 0.0
        for _ in range(10):  # each slew makes the next: it settles after a few
            slew = sum(table.at(slew, load) for table in arc.slews.values()) / len(arc.slews)
        return slew


def _numbers(text: str) -> NDArray[np.float64]:
    return np.array([float(word) for word in text.replace(",", " ").split()])


PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15, "a": 1e-18}


def _unit(library: Group, name: str, of: str) -> float:
    return _quantity(library.get(name), name, library, of)


def _quantity(text: str, name: str, library: Group, of: str) -> float:
    match = re.fullmatch(rf"\s*([\d.]+)\s*([munpfa]?){of}\s*", text, re.IGNORECASE)
    known = match is not None and match[2].lower() in PREFIXES
    if match is None or not known:
        raise ValueError(
            f"{name} of library {library.name} must be a number and a unit of {of}, "
            f"got {text or 'none'}"
        )
    return float(match[1]) * PREFIXES[match[2].lower()]


def _leakage(group: Group) -> float:
    """Return the cell's leakage; without a figure for all, the mean over conditions.

    Of a condition, supplies that it is given for are added up.

    Raises
    ------
    ValueError
        There is none: a cell without leakage is not free of it.
    """
    if "cell_leakage_power" in group.attributes:
        return group.number("cell_leakage_power")
    states = [g for g in group.of("leakage_power") if g.get("value")]
    conditions = {g.get("when") for g in states}
    require(bool(conditions), f"cell {group.name}", "have cell_leakage_power or leakage_power",
            "none")  # fmt: skip
    return sum(g.number("value") for g in states) / len(conditions)


def _state(group: Group) -> State:
    def function(name: str) -> Function | None:
        text = group.get(name)
        return parse(text) if text else None

    clock, after = function("clocked_on"), function("next_state")
    if clock is None or after is None:
        raise ValueError(f"ff {group.name} must have clocked_on and next_state, got none")
    names = (group.arguments[0], group.arguments[1])
    return State(names, clock, after, function("clear"), function("preset"))


def _gate(group: Group) -> Gate | None:
    if not group.get("clock_gating_integrated_cell").startswith("latch_posedge"):
        return None
    found = {}
    for role in ("enable", "clock", "out"):
        pins = [p.name for p in group.of("pin") if p.get(f"clock_gate_{role}_pin") == "true"]
        require(len(pins) == 1, f"clock gate {group.name}", f"have one {role} pin", len(pins))
        found[role] = pins[0]
    return Gate(**found)
