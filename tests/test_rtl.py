"""The benches of sim/ on small circuits, the lint of the Verilog, and that failures show."""

from pathlib import Path

import numpy as np
import pytest

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from sim import rtl
from sim.cases import every_kind, random_job
from sim.engine import Engine
from sim.jobs import cycles_of
from sim.lint import lint
from sim.standard import SMALL, STANDARD


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("builds")


@pytest.mark.parametrize("config", SMALL, ids=rtl.name)
def test_benches_pass(config: HardwareConfig, builds: Path) -> None:
    assert rtl.run_bench("sim.bench_top", config, builds, seed=2) == 8


@pytest.mark.parametrize("config", STANDARD, ids=rtl.name)
def test_lint_is_clean(config: HardwareConfig, tmp_path: Path) -> None:
    source = tmp_path / "top.v"
    source.write_text(verilog(config))
    lint([source], config.top, rtl.WAIVERS)


def break_verilog(monkeypatch: pytest.MonkeyPatch, module: object, old: str, new: str) -> None:
    """Let a module generate Verilog in which ``old``, which stands there once, is ``new``."""

    def broken(config: HardwareConfig) -> str:
        text = verilog(config)
        assert text.count(old) == 1
        return text.replace(old, new)

    monkeypatch.setattr(module, "verilog", broken)


def test_failing_bench_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_verilog(
        monkeypatch, rtl, "assign chosen = term & digit;", "assign chosen = term | digit;"
    )
    with pytest.raises(RuntimeError, match=r"^sim\.bench_top on .*: \d of 8 tests failed with"):
        rtl.run_bench("sim.bench_top", SMALL[0], tmp_path)


def test_empty_bench_raises(builds: Path) -> None:
    with pytest.raises(RuntimeError, match=r"^sim\.streams on .*: 0 of 0 tests failed with"):
        rtl.run_bench("sim.streams", SMALL[0], builds)


@pytest.mark.parametrize("config", SMALL, ids=rtl.name)
def test_engine_equals_reference(config: HardwareConfig) -> None:
    rng = np.random.default_rng(7)
    jobs = [*every_kind(rng, config), *(random_job(rng, config, tokens=2) for _ in range(5))]
    engine = Engine(config)
    for idle, stall in ((0.0, 0.0), (0.3, 0.6)):
        outcome = engine.run(jobs, idle=idle, stall=stall)
        for number, (job, got) in enumerate(zip(jobs, outcome.results, strict=True)):
            assert (got == job.expected()).all(), f"job {number}, idle {idle}, seed 7"
        if not idle:
            assert outcome.cycles == cycles_of(jobs, config)
    engine.close()


def test_engine_that_is_stuck_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim import drive, engine

    break_verilog(
        monkeypatch, engine, ".word_available(weights__available)", ".word_available(1'b0)"
    )
    monkeypatch.setattr(drive, "PATIENCE", 100)
    stuck = Engine(SMALL[0])
    job = random_job(np.random.default_rng(0), SMALL[0])
    with pytest.raises(RuntimeError, match=r"^the circuit must go on, got 100 cycles of nothing$"):
        stuck.run([job])
