"""The sweep's points, and the model that is fitted to them."""

from dataclasses import asdict

import pytest

from fpga.predict import Model, cell_terms, errors, parts, period_terms
from fpga.sweep import name_of, points
from fpga.targets import TARGETS, count


def records() -> dict[str, dict]:
    """Return records whose figures are exactly what the model can say."""
    found = {}
    for number, (target, config) in enumerate(points()):
        cells = float(cell_terms(config).sum())
        found[name_of(target, config)] = {
            "target": target,
            "config": asdict(config),
            "lut": 3 * cells,
            "ff": 2 * cells,
            "fmax": 1000 / float(period_terms(config).sum()),
            "number": number,
        }
    return found


def test_points_have_names_of_their_own() -> None:
    names = [name_of(target, config) for target, config in points()]
    assert len(set(names)) == len(names)
    assert {name.split(",")[0] for name in names} == set(TARGETS)


def test_what_is_fitted_is_not_tested() -> None:
    fit, test = parts(records())
    assert not fit.keys() & test.keys()
    assert fit.keys() | test.keys() == records().keys()
    assert 0.25 < len(test) / len(records()) < 0.4


def test_an_exact_law_is_found() -> None:
    fit, test = parts(records())
    found = errors(Model(fit), test)
    assert found.points == len(test)
    assert max(found.lut, found.ff, found.fmax) < 1e-6


def test_errors_are_shares_of_what_was_measured() -> None:
    fit, test = parts(records())
    for record in test.values():
        record["lut"] *= 2
    assert errors(Model(fit), test).lut == pytest.approx(0.5)


def test_a_group_that_was_not_fitted_is_left_out() -> None:
    fit, test = parts(records())
    some = {name: record for name, record in fit.items() if record["config"]["kind"] != "lut"}
    lut = sum(record["config"]["kind"] == "lut" for record in test.values())
    assert errors(Model(some), test).points == len(test) - lut


def test_cells_are_counted_by_the_beginnings_of_their_names() -> None:
    types = ["SB_DFF", "SB_DFFESR", "SB_LUT4", "SB_CARRY"]
    cells = {str(number): {"type": kind} for number, kind in enumerate(types)}
    netlist = {"modules": {"wrapper": {"cells": cells}}}
    assert count(netlist, TARGETS["ice40"].registers) == 2
    assert count(netlist, TARGETS["ice40"].lut) == 1
