"""Model of what units cost on an FPGA, fitted to a part of a sweep and tested on the rest."""

from collections import defaultdict
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwgen.config import HardwareConfig

Records = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Errors:
    """Mean absolute error of a model on points that it was not fitted to, as shares.

    Attributes
    ----------
    points : int
    lut, ff, fmax : float
    """

    points: int
    lut: float
    ff: float
    fmax: float


class Model:
    """Predicts LUTs, registers and MHz of a unit; linear in what it is made of.

    One for each FPGA, kind and number of planes. Cells are sums over :func:`cell_terms`, and the
    period one over :func:`period_terms`; both are fitted by least squares of relative errors.
    """

    def __init__(self, records: Records) -> None:
        groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
        for record in records.values():
            groups[_group(record)].append(record)
        self._fits = {group: _fit(members) for group, members in groups.items()}

    def predict(self, record: dict[str, Any]) -> tuple[float, float, float] | None:
        """Return LUTs, registers and MHz for a record's configuration; None for a group unseen."""
        fit = self._fits.get(_group(record))
        if fit is None:
            return None
        config = HardwareConfig(**record["config"])
        cells, period = cell_terms(config), period_terms(config)
        return float(cells @ fit[0]), float(cells @ fit[1]), 1000 / float(period @ fit[2])


def cell_terms(config: HardwareConfig) -> NDArray[np.float64]:
    """Return what cells are counted by: all rows' lanes, and their bits; rows; what all share."""
    lane_bits = config.lanes * (config.digit if config.kind != "popcount" else 1)
    return np.array([
        config.pe * lane_bits,
        config.pe * config.lanes,
        config.pe * config.levels,
        config.pe,
        lane_bits,
        1,
    ])  # fmt: skip


def period_terms(config: HardwareConfig) -> NDArray[np.float64]:
    """Return what the period grows with: the widest adder, and how far signals spread."""
    return np.array([1, config.dot_bits, log2(config.lanes), log2(config.pe * config.lanes)])


def parts(records: Records) -> tuple[Records, Records]:
    """Split records into those to fit to and those to test on: every other one of a group."""
    fit, test = {}, {}
    seen: dict[tuple, int] = defaultdict(int)
    for name, record in records.items():
        part = test if seen[_group(record)] % 3 == 2 else fit
        seen[_group(record)] += 1
        part[name] = record
    return fit, test


def errors(model: Model, records: Records) -> Errors:
    """Return the errors of a model on records."""
    found = []
    for record in records.values():
        predicted = model.predict(record)
        if predicted is not None:
            wanted = [record[name] for name in ("lut", "ff", "fmax")]
            found.append([abs(p / w - 1) for p, w in zip(predicted, wanted, strict=True)])
    means = np.mean(found, axis=0) if found else [float("nan")] * 3
    return Errors(len(found), *(float(mean) for mean in means))


def _group(record: dict[str, Any]) -> tuple[str, str, int]:
    return record["target"], record["config"]["kind"], record["config"]["k"]


def _fit(members: list[dict[str, Any]]) -> list[NDArray[np.float64]]:
    configs = [HardwareConfig(**member["config"]) for member in members]
    cells = np.array([cell_terms(config) for config in configs])
    periods = np.array([period_terms(config) for config in configs])
    lut, ff = (np.array([member[name] for member in members], float) for name in ("lut", "ff"))
    period = 1000 / np.array([member["fmax"] for member in members])
    return [_solve(cells, lut), _solve(cells, ff), _solve(periods, period)]


def _solve(terms: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return factors of least squared relative error."""
    weighted = terms / values[:, np.newaxis]
    return np.linalg.lstsq(weighted, np.ones(len(values)), rcond=None)[0].astype(np.float64)
