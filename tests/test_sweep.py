"""Sweeps: what they draw, that they go on where they stopped, and that failures shrink."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from hwgen.config import HardwareConfig
from sim import sweep as module
from sim.configurations import parameters
from sim.sweep import Sweep, jobs_for, resumed, sweep


@settings(max_examples=200, deadline=None)
@given(parameters())
def test_parameters_make_a_circuit_or_one_line(chosen: dict[str, Any]) -> None:
    refused = "it must do"
    try:
        HardwareConfig(**chosen)
    except ValueError as error:
        refused = str(error)
    assert " must " in refused
    assert "\n" not in refused


def test_every_circuit_gets_layers() -> None:
    config = HardwareConfig(k=1, pe=2, lanes=3, columns=9, coef_bits=2, acc_bits=40)
    jobs = jobs_for(config)
    assert len(jobs) > 4
    assert all(job.tiling(config).steps > 0 for job in jobs)


def test_sweep_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[HardwareConfig] = []

    def compare(config: HardwareConfig, folder: Path) -> int:
        ran.append(config)
        if len(ran) == 5:
            raise KeyboardInterrupt
        return 7

    monkeypatch.setattr(module, "compare", compare)
    state = tmp_path / "sweep.json"
    with pytest.raises(KeyboardInterrupt):
        sweep(Sweep(3, 20), state, lambda number: None)
    kept = resumed(Sweep(3, 20), state)
    assert len(kept.equal) == 4
    done = sweep(kept, state, lambda number: None)
    assert not set(map(json.dumps, (vars(config) for config in ran[:4]))) & set(
        map(json.dumps, (vars(config) for config in ran[5:]))
    )
    assert done.failed is None
    assert sum(done.equal.values()) == 7 * len(done.equal)
    assert resumed(Sweep(4, 20), state).done == 0


def test_failures_shrink(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def compare(config: HardwareConfig, folder: Path) -> int:
        assert config.lanes < 4 or config.kind != "lut", "lut of four lanes is wrong"
        return 1

    monkeypatch.setattr(module, "compare", compare)
    done = sweep(Sweep(0, 100), tmp_path / "sweep.json", lambda number: None)
    assert done.failed is not None
    smallest = done.failed["parameters"]
    assert (smallest["kind"], smallest["lanes"], smallest["pe"]) == ("lut", 4, 1)
    assert done.failed["what"].startswith("lut of four lanes is wrong")
