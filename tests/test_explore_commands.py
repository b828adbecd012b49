"""The commands explore and report: what they print, and one clear line for bad input."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import sim.__main__
from explore import api, workers
from models.cli import run

ROOT = Path(__file__).parents[1]
SPACE = """
model = "SmolLM2-135M"
objectives = ["tokens_per_second", "area_mm2"]
[candidates]
format = ["ternary", "int:bits=4,group=64 weights only"]
pe = [16, 64]
"""

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> Call:
    """Run a command of sim in this process; return its exit status, output and errors."""
    monkeypatch.setattr(api, "kept_folder", lambda: tmp_path / "kept")
    (tmp_path / "space.toml").write_text(SPACE, "utf-8")

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sim", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run(sim.__main__.PROGRAM, sim.__main__.main)
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return command


def error(result: tuple[int, str, str]) -> str:
    """Return the one line that a command ended with."""
    status, _, err = result
    lines = [line for line in err.splitlines() if line.startswith("python -m sim: error: ")]
    assert status == 2
    assert "Traceback" not in err
    (line,) = lines
    return line


def test_explore_and_report(call: Call, tmp_path: Path) -> None:
    status, out, err = call("explore", tmp_path / "space.toml", "-o", tmp_path / "run")
    assert status == 0
    assert out.splitlines()[0].split()[:2] == ["point", "format"]
    assert "4 candidates priced (grid)" in err
    status, out, _ = call("report", tmp_path / "run", "-o", tmp_path / "report.html")
    assert status == 0
    assert re.fullmatch(rf"{re.escape(str(tmp_path))}/report\.html: 0\.\d\d MB\n", out)
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    status, out, _ = call("explore", tmp_path / "space.toml", "--json", "-o", tmp_path / "run")
    rows = json.loads(out)
    assert {row["pe"] for row in rows} == {16, 64}
    assert all(row["tokens_per_second"] > 0 for row in rows)


def test_a_large_space_is_sampled(call: Call, tmp_path: Path) -> None:
    status, _, err = call(
        "explore", tmp_path / "space.toml", "--points", 3, "-o", tmp_path / "run"
    )  # fmt: skip
    assert status == 0
    assert "TPESampler of Optuna" in err


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["none.toml"], "none.toml must be a TOML file, got none"),
        (["--points", "0"], "points must be 1 or more, got 0"),
        (["--route", "-1"], "route must be 0 or more, got -1"),
        (["--workers", "-1", "--trust", "synthesized"], "workers must be 0 or more, got -1"),
        (["--text", "none.txt"], "none.txt must be a text file, got none"),
        (["--trust", "measured"], "invalid choice"),
        (["--liberty", "none.lib", "--trust", "synthesized"], "none.lib"),
        (["--scheduler", "foo"], "as tcp://10.0.0.1:8786, got foo: missing port number"),
        (["--scheduler", "http://a:1"], "got http://a:1: unknown address scheme 'http'"),
        (["--scheduler", "tcp://a:99999"], "port below 65536, got tcp://a:99999"),
    ],
)
def test_bad_flags(call: Call, tmp_path: Path, arguments: list[str], rule: str) -> None:
    file = [] if arguments[0].endswith(".toml") else [tmp_path / "space.toml"]
    assert rule in error(call("explore", *file, *arguments, "-o", tmp_path / "run"))


def test_a_scheduler_out_of_reach_loses_no_prices(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 1)
    line = error(call(
        "explore", tmp_path / "space.toml", "--trust", "synthesized", "--scheduler",
        "tcp://127.0.0.1:9", "-o", tmp_path / "run",
    ))  # fmt: skip
    assert "scheduler tcp://127.0.0.1:9 must be reachable" in line
    assert call("report", tmp_path / "run", "-o", tmp_path / "report.html")[0] == 0


def test_a_later_search_loses_nothing_of_the_run(call: Call, tmp_path: Path) -> None:
    """With less trust it finds what was synthesized; what would lose that is refused."""
    folder, file = tmp_path / "run", tmp_path / "run/run.json"
    luts = SPACE.replace('["tokens_per_second"', '["luts", "tokens_per_second"')
    (tmp_path / "luts.toml").write_text(luts, "utf-8")

    def explore(space: str, *rest: object) -> tuple[int, str, str]:
        return call("explore", tmp_path / space, "-o", folder, "--workers", 0, *rest)

    assert explore("space.toml")[0] == 0
    status, out, err = explore("luts.toml", "--synthesize", 1, "--trust", "synthesized")
    assert "prices of a space of other objectives are replaced" in err
    assert "cannot be kept" not in err
    assert status == 0
    again = explore("luts.toml", "--synthesize", 1, "--trust", "analytic")
    assert again[:2] == (0, out)
    before = file.read_text("utf-8")
    line = error(explore("space.toml", "--trust", "synthesized"))
    assert f"{folder} must have a run of the same space (or give another -o), got one" in line
    line = error(explore("luts.toml", "--kept", tmp_path / "other"))
    assert "must keep its 1 answers (or give another -o), got a search that" in line
    assert file.read_text("utf-8") == before
    file.write_text(before[:99], "utf-8")
    assert "got: " in error(explore("luts.toml"))
    assert file.read_text("utf-8") == before[:99]


def test_answers_that_cannot_be_kept_are_told_of(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    status, _, err = call(
        "explore", tmp_path / "space.toml", "-o", tmp_path / "run", "--workers", 0,
        "--trust", "synthesized", "--synthesize", 1, "--kept", tmp_path / "file/kept",
    )  # fmt: skip
    assert status == 0
    assert err.count(f"answers cannot be kept in {tmp_path}/file/kept: Not a directory\n") == 1


def test_a_calibration_text_is_looked_for_before_it_is_needed(call: Call, tmp_path: Path) -> None:
    asks = SPACE.replace('["tokens', '["perplexity", "tokens')
    (tmp_path / "asks.toml").write_text(asks, "utf-8")
    (tmp_path / "text.txt").write_text("on two on", "utf-8")
    line = error(call(
        "explore", tmp_path / "asks.toml", "--trust", "evaluated", "--text", tmp_path / "text.txt",
        "--calibrate", "slef", "-o", tmp_path / "run",
    ))  # fmt: skip
    assert "calibration text slef must be a text file, self or hub:NAME, got none" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["foo", "tcp://:x", "inproc://x"])
def test_no_address_ends_at_once(tmp_path: Path, address: str) -> None:
    """As a process of its own: threads of Dask must not hold it."""
    (tmp_path / "space.toml").write_text(SPACE, "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "sim", "explore", str(tmp_path / "space.toml"), "--trust",
         "synthesized", "--scheduler", address, "-o", str(tmp_path / "run")],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    assert f"got {address}" in error((done.returncode, done.stdout, done.stderr))


def test_a_full_disk_is_one_line_and_leaves_the_last_result(call: Call, tmp_path: Path) -> None:
    assert call("explore", tmp_path / "space.toml", "-o", tmp_path / "run")[0] == 0
    before = (tmp_path / "run/run.json").read_text("utf-8")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (99, 99));"
        "sys.argv[0] = 'sim'; from sim.__main__ import main, PROGRAM; from models.cli import run;"
        "run(PROGRAM, main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "explore", str(tmp_path / "space.toml"),
         "-o", str(tmp_path / "run")],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    line = error((done.returncode, done.stdout, done.stderr))
    assert "run.json must be writable, got: File too large" in line
    assert (tmp_path / "run/run.json").read_text("utf-8") == before
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["run.json"]


def test_bad_reports(call: Call, tmp_path: Path) -> None:
    assert "must be a run of python -m sim explore, got none" in error(call("report", tmp_path))
    assert call("explore", tmp_path / "space.toml", "-o", tmp_path / "run")[0] == 0
    line = error(call("report", tmp_path / "run", "-o", tmp_path / "none" / "report.html"))
    assert "must be writable" in line
