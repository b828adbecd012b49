"""A soak goes on where it stopped, and notices a circuit that is wrong."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.config import HardwareConfig
from sim import soak as soaking
from sim.soak import Soak, random_config, soak
from sim.standard import SMALL


@pytest.fixture(autouse=True)
def one_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all layers run on a circuit that other tests have built."""
    monkeypatch.setattr(soaking, "random_config", lambda rng: SMALL[0])


def test_stopped_soak_goes_on(tmp_path: Path) -> None:
    start = Soak(seed=3, layers=12, circuits=2)
    whole = soak(start, tmp_path / "whole.json")
    assert (whole.done, whole.unequal) == (12, 0)
    assert whole.integers > 0
    assert whole.resets > 0
    assert whole.timed > 0
    assert whole.right
    layers = 0

    def stop() -> None:
        nonlocal layers
        layers += 1
        if layers == 5:
            raise KeyboardInterrupt

    state = tmp_path / "stopped.json"
    with pytest.raises(KeyboardInterrupt):
        soak(start, state, stop)
    assert soaking.resumed(start, state).done == 5
    assert soaking.resumed(Soak(seed=4, layers=12, circuits=2), state).done == 0
    told: list[None] = []
    assert soak(start, state, lambda: told.append(None)) == whole
    assert len(told) == 7


def test_wrong_integers_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = soaking.random_job

    def other(rng: np.random.Generator, config: HardwareConfig, tokens: int) -> object:
        made = job(rng, config, tokens=tokens)
        monkeypatch.setattr(type(made), "expected", lambda self: self.accumulators() + 1)
        return made

    monkeypatch.setattr(soaking, "random_job", other)
    done = soak(Soak(seed=1, layers=3, circuits=1), tmp_path / "soak.json")
    assert done.unequal > 0
    assert not done.right


def test_random_circuits_are_valid_and_differ() -> None:
    configs = {random_config(np.random.default_rng(seed)) for seed in range(300)}
    assert len(configs) > 290
