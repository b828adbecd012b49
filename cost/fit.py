"""Prices of primitives, fitted to half of what synthesis gave and tested on the other half."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost.inventory import PRIMITIVES, element
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

    Parameters
    ----------
    figure : str
        ``area_um2``, or ``energy``: fJ of a cycle without leakage.
    """
    configs = [config_of(one) for one in records]
    counts = np.array([_features(config, figure) for config in configs])
    truth = np.array([value_of(one, figure) for one in records])
    training = np.arange(len(records)) % 2 == 0
    prices = _not_negative(counts[training] / truth[training, None], np.ones(training.sum()))
    model = counts @ prices
    rows = [(name_of(c), float(t), float(m)) for c, t, m in zip(configs, truth, model, strict=True)]
    return Fit(
        dict(zip(PRIMITIVES, map(float, prices), strict=True)),
        [row for row, first in zip(rows, training, strict=True) if first],
        [row for row, first in zip(rows, training, strict=True) if not first],
    )


@cache
def worked(config: HardwareConfig) -> Mapping[str, float]:
    """Return the primitives that work in a cycle.

    A gated register that is loaded works as any register; weights and sums are once for all digits
    of a word, the sum so far in each.
    """
    counts: dict[str, float] = {name: float(count) for name, count in element(config).items()}
    each = config.dot_bits if config.digits > 1 else 0
    gated = counts.pop("gated")
    counts["register"] += each + (gated - each) / config.digits
    return {name: counts.get(name, 0.0) for name in PRIMITIVES}


def _features(config: HardwareConfig, figure: str) -> list[float]:
    counts = element(config) if figure == "area_um2" else worked(config)
    return [float(counts[name]) for name in PRIMITIVES]


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


def _not_negative(rows: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
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
