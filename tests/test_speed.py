"""The figures of the simulation's speed belong together."""

import pytest

from hwgen.config import HardwareConfig
from sim import speed
from sim.speed import measure, report


@pytest.mark.parametrize("kind", ["popcount", "addsub"])
def test_figures_of_a_small_circuit(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(speed, "OUT", 40)
    config = HardwareConfig(kind=kind, pe=4, lanes=8, columns=576)
    done = measure(config, tokens=2, runs=3)
    passes = 16 if kind == "popcount" else 1
    assert done.steps == 2 * 10 * 9 * 8 * passes
    taken = (done.steps + config.latency) / done.cycles
    assert done.operations * taken == pytest.approx(2 * 40 * 576 * 8 * 2)
    assert done.loop_cycles > 0
    assert done.reference_operations > 0
    assert f"{100 * done.cycles / done.loop_cycles:.0f} % of it" in report(done)
