"""Components of an engine around its elements: what of them is counted, and prices fitted to gates.

Each has a few features that its area or energy grows with; prices of these are fitted to the even
records of whole engines (:mod:`cost.whole`) and tested on the odd ones, elements included at the
prices that :mod:`cost.fit` gave them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from cost.fit import Fit, counts_of, not_negative
from cost.toggling import priced
from cost.whole import config_of
from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout, operand_layout, weight_layout
from hwgen.scaling import slot_layout
from hwgen.sequencer import step_layout

Counts = dict[str, dict[str, float]]
"""By component, of its features."""


@dataclass(frozen=True)
class Rates:
    """What an engine does: in a cycle, or in all.

    Attributes
    ----------
    cycles, steps : float
        Of the clock; with work for the array.
    sums, products : float
        Sums of words that reach scalers; sums of groups that meet their coefficients.
    """

    cycles: float
    steps: float
    sums: float
    products: float


def area_counts(config: HardwareConfig) -> Counts:
    """Return what the area of components grows with."""
    scalers, sums, slots = config.scalers, config.sum_bits, config.slots
    stored = slots * (config.most_terms * sums + config.acc_bits)
    return {
        "scalers": {"cell": scalers * 2 * sums * config.coef_bits, "stored": scalers * stored},
        "requantizers": {"cell": _requantizers(config) * config.acc_bits * config.coef_bits},
        "array's controls": {
            "operand": _operand_bits(config),
            "register": _weight_bits(config) + array_step_bits(config),
        },
        "scaling's controls": {
            "value": config.pe * config.dot_bits,
            "step": scaling_step_bits(config),
        },
        "sequencer": {"each": 1},
        "buffers": {"each": 1, "read": PARAMETERS * scalers * config.coef_bits},
        "other": {"each": 1},
    }


def energy_counts(config: HardwareConfig, rates: Rates) -> Counts:
    """Return what the energy of components grows with."""
    product = config.sum_bits * config.coef_bits
    share = min(1.0, _requantizers(config))
    return {
        "scalers": {
            "sum": rates.sums * product,
            "product": rates.products * product,
            "cycle": rates.cycles * config.scalers,
        },
        "requantizers": {
            "sum": share * rates.sums * config.acc_bits * config.coef_bits,
            "product": share * rates.products * config.acc_bits * config.coef_bits,
        },
        "array's controls": {
            "operand": rates.steps * _operand_bits(config),
            "register": rates.cycles * (_weight_bits(config) + array_step_bits(config)),
        },
        "scaling's controls": {
            "value": rates.sums * config.dot_bits,
            "step": rates.cycles * scaling_step_bits(config),
        },
        "sequencer": {"cycle": rates.cycles},
        "buffers": {"cycle": rates.cycles},
        "other": {"cycle": rates.cycles},
    }


def key_of(component: str, feature: str) -> str:
    """Name the price of a component's feature."""
    return f"{component.replace(APOSTROPHE, '_')}_{feature}"


APOSTROPHE = "'s "


PARAMETERS = 3
"""Buffers of parameters, each with a register of the word that was read: coefficients, offsets,
row scales."""


@cache
def _operand_bits(config: HardwareConfig) -> int:
    """Count bits that a step loads: all digits of a word, the one chosen, and operands of it."""
    digit = digit_layout(config).size
    return digit * (config.digits + 1) + operand_layout(config).size


@cache
def _weight_bits(config: HardwareConfig) -> int:
    return weight_layout(config).size


@cache
def array_step_bits(config: HardwareConfig) -> int:
    """Count bits of registers that a step goes through beside the array (:mod:`hwgen.array`).

    Issued, read, fetched, selected, added, and ``depth`` cycles of waiting between these.
    """
    return step_layout(config).size * (5 + config.depth)


@cache
def scaling_step_bits(config: HardwareConfig) -> int:
    """Count bits of registers that a step and its slot go through beside the scalers.

    Drained, with its value, held, with its factor, products, sum and total; with ``exponents``
    grown; and summed before where rows gather (:mod:`hwgen.scaling`).
    """
    step, slotted = step_layout(config).size, slot_layout(config).size
    return slotted * (7 + bool(config.exponents)) + step * config.gathers


def _requantizers(config: HardwareConfig) -> int:
    return config.scalers if config.requantize_bits else 0


def rates_of(one: Mapping[str, Any]) -> Rates:
    """Return what an engine of a record did in a cycle."""
    config = config_of(one)
    sums = one["works"] * config.pe / config.digits
    return Rates(1.0, one["works"], sums, sums / one["group_words"])


@dataclass(frozen=True)
class EngineFit:
    """Prices of components and how far they are off.

    Attributes
    ----------
    prices : dict of str to dict of str to float
        By component and feature.
    rows : list of tuple
        Name of an engine, component, what synthesis gave, what the prices give; engines in order.
    """

    prices: dict[str, dict[str, float]]
    rows: list[tuple[str, str, float, float]]

    def totals(self, half: int) -> list[tuple[str, float, float]]:
        """Return whole engines of a half, 0 the fitted and 1 the tested one."""
        names = list(dict.fromkeys(name for name, *_ in self.rows))[half::2]
        parts = {name: [row for row in self.rows if row[0] == name] for name in names}
        return [
            (name, sum(row[2] for row in rows), sum(row[3] for row in rows))
            for name, rows in parts.items()
        ]

    def errors(self, half: int = 1) -> tuple[float, float]:
        """Return the mean and the largest absolute relative error of whole engines of a half."""
        off = [abs(model / truth - 1) for _, truth, model in self.totals(half)]
        return float(np.mean(off)), max(off)


def fit_engines(records: Sequence[Mapping[str, Any]], elements: Fit, figure: str) -> EngineFit:
    """Fit prices of components to every second record of whole engines.

    Parameters
    ----------
    elements : Fit
        Of the same figure, ``area_um2`` or ``energy``.
    """
    every = [_counts(one, figure) for one in records]
    truth = [one["area_um2" if figure == "area_um2" else "cycle_fJ"] for one in records]
    prices: dict[str, dict[str, float]] = {}
    for component, features in every[0].items():
        rows = np.array([list(counts[component].values()) for counts in every[::2]])
        wanted = np.array([values[component] for values in truth[::2]])
        found = not_negative(rows / wanted[:, None], np.ones(len(wanted)))
        prices[component] = dict(zip(features, map(float, found), strict=True))
    rows = []
    for one, counts, values in zip(records, every, truth, strict=True):
        config = config_of(one)
        each = priced(counts_of(config, figure), elements.prices)
        often = one["works"] if figure == "energy" else 1.0
        rows.append((_name(config), "elements", values["elements"], (config.pe + 1) * each * often))
        rows += [
            (_name(config), component, value, priced(counts[component], prices[component]))
            if component in prices else (_name(config), component, value, 0.0)
            for component, value in values.items() if component != "elements"
        ]  # fmt: skip
    return EngineFit(prices, rows)


def _counts(one: Mapping[str, Any], figure: str) -> Counts:
    config = config_of(one)
    return area_counts(config) if figure == "area_um2" else energy_counts(config, rates_of(one))


def _name(config: HardwareConfig) -> str:
    staged = f", registers every {config.stage_every}" if config.stage_every else ""
    return (
        f"{config.kind}, {config.pe} x {config.lanes}, {config.digit} of {config.act_bits} bits"
        f"{staged}"
    )


def report(found: EngineFit, figure: str) -> str:
    """Return errors as text: engines of the tested half, whole and by component."""
    unit = "um2" if figure == "area_um2" else "fJ a cycle"
    lines = [f"whole engines, {unit}: tested half"]
    for name, truth, model in found.totals(1):
        lines.append(
            f"  {name:<52}{truth:>10.0f}{model:>10.0f}{100 * (model / truth - 1):>+8.1f} %"
        )
        lines += [
            f"    {component:<50}{true:>10.0f}{ours:>10.0f}{100 * (ours / true - 1):>+8.1f} %"
            for engine, component, true, ours in found.rows
            if engine == name
        ]
    mean, worst = (100 * error for error in found.errors())
    own_mean, own = (100 * error for error in found.errors(0))
    lines.append(
        f"whole engines, {unit}: mean error {mean:.2f} %, worst {worst:.2f} %; "
        f"of the fitted half {own_mean:.2f} % and {own:.2f} %"
    )
    return "\n".join(lines)
