"""The figures of the simulation's speed belong together."""

import json
from pathlib import Path

import pytest

import sim.__main__
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


def test_build_is_timed_and_recorded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speed, "OUT", 40)
    record = tmp_path / "speed.json"
    small = ["--pe", "4", "--lanes", "8", "--columns", "576"]
    monkeypatch.setattr("sys.argv", ["sim", "speed", *small, "--build", "--record", str(record)])
    sim.__main__.main()
    out = capsys.readouterr()
    ((name, entry),) = json.loads(record.read_text()).items()
    assert name == "pe=4, lanes=8, columns=576"
    assert entry["by"]["command"].startswith("python -m sim speed --pe 4")
    assert entry["speed"]["build_cpu_seconds"] > 0
    assert f"built in {entry['speed']['build_seconds']:.1f} s of wall time" in out.out
    assert "building the simulator" in out.err  # though the engine that ran is in the cache
