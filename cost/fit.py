"""Prices of primitives, fitted to half of what synthesis gave and tested on the other half."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost.inventory import PRIMITIVES, element
from cost.toggling import CLOCK, DATA, priced, worked
from hwgen.config import HardwareConfig


@dataclass(frozen=True)
class Fit:
    """Prices and how far they are off.

    Attributes
    ----------
    prices : dict of str to float
        Of each primitive, in the figure's unit.
    train, test : list of tuple
        Name of a configuration, what synthesis gave, what the prices give.
    """

    prices: dict[str, float]
    train: list[tuple[str, float, float]]
    test: list[tuple[str, float, float]]

    def errors(self, half: str = "test") -> tuple[float, float]:
        """Return the mean and the largest absolute relative error of a half."""
        rows = self.test if half == "test" else self.train
        off = [abs(model / truth - 1) for _, truth, model in rows]
        return float(np.mean(off)), max(off)


def fit(records: Sequence[dict[str, Any]], figure: str) -> Fit:
    """Fit prices to every second record, by least squares of relative errors.

    Energy is fitted in two parts, of the clock and of data, each relative to both together.

    Parameters
    ----------
    figure : str
        ``area_um2``, or ``energy``: fJ of a cycle without leakage.
    """
    configs = [config_of(one) for one in records]
    truth = np.array([value_of(one, figure) for one in records])
    prices: dict[str, float] = {}
    for names, values in _parts(records, figure, truth):
        counts = np.array([[counts_of(c, figure)[name] for name in names] for c in configs])
        relative = counts[::2] / truth[::2, None]
        found = not_negative(relative, values[::2] / truth[::2])
        prices |= dict(zip(names, map(float, found), strict=True))
    rows = [
        (name_of(config), float(true), priced(counts_of(config, figure), prices))
        for config, true in zip(configs, truth, strict=True)
    ]
    return Fit(prices, rows[::2], rows[1::2])


def _parts(
    records: Sequence[dict[str, Any]], figure: str, truth: NDArray[np.float64]
) -> list[tuple[tuple[str, ...], NDArray[np.float64]]]:
    if figure == "area_um2":
        return [(PRIMITIVES, truth)]
    clock = np.array([one["cycle_fJ"]["clock"] for one in records])
    return [(CLOCK, clock), (DATA, truth - clock)]


def counts_of(config: HardwareConfig, figure: str) -> dict[str, float]:
    """Return how many primitives an element has, or for ``energy`` how many work in a cycle."""
    if figure == "area_um2":
        return {name: float(element(config)[name]) for name in PRIMITIVES}
    return worked(config)


def value_of(one: dict[str, Any], figure: str) -> float:
    """Return a figure of a record."""
    if figure == "area_um2":
        return one["area_um2"]
    return one["cycle_fJ"]["all"] - one["cycle_fJ"]["leakage"]


def config_of(one: dict[str, Any]) -> HardwareConfig:
    """Return the configuration of a record."""
    return HardwareConfig(**{f.name: one[f.name] for f in fields(HardwareConfig) if f.name in one})


def name_of(config: HardwareConfig) -> str:
    """Name a configuration by what sets it apart."""
    table = f" of {config.table}" if config.kind == "lut" else ""
    plain = "" if config.ternary or config.kind == "popcount" else " binary"
    staged = f", registers every {config.stage_every}" if config.stage_every else ""
    return (
        f"{config.kind}{table}{plain}, {config.lanes} lanes, "
        f"{config.digit} of {config.act_bits} bits{staged}"
    )


def not_negative(rows: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least squares without negative prices: those that would be are left out, one by one."""
    used = list(range(rows.shape[1]))
    while True:
        prices = np.zeros(rows.shape[1])
        prices[used] = np.linalg.lstsq(rows[:, used], wanted, rcond=None)[0]
        if (prices >= 0).all():
            return prices
        used.remove(int(prices.argmin()))


BARS = {"area_um2": (0.05, 0.12), "energy": (0.10, 0.25)}
"""Mean and largest error that the test half may have, by figure."""


def report(found: Fit, figure: str) -> str:
    """Return prices and errors as text, every configuration of the test half with its own."""
    unit = "um2" if figure == "area_um2" else "fJ a cycle"
    prices = ", ".join(f"{name} {price:.4g}" for name, price in found.prices.items())
    lines = [f"{figure}: prices in {unit}: {prices}"]
    lines += [
        f"  {name:<52}{truth:>10.1f}{model:>10.1f}{100 * (model / truth - 1):>+8.1f} %"
        for name, truth, model in found.test
    ]
    mean, worst = (100 * error for error in found.errors())
    own_mean, own = (100 * error for error in found.errors("train"))
    most_mean, most = (100 * bar for bar in BARS[figure])
    lines.append(
        f"{figure}: {len(found.train)} fitted, {len(found.test)} tested: mean error {mean:.2f} % "
        f"(bar {most_mean:g} %), worst {worst:.2f} % (bar {most:g} %); "
        f"of the fitted half {own_mean:.2f} % and {own:.2f} %"
    )
    return "\n".join(lines)
