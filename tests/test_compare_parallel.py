"""Rows in processes of their own: the same figures, whatever becomes of a process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from models.compare.parallel import run_all
from models.compare.record import Record
from models.compare.rows import Row
from models.compare.run import Comparison, Plan

LIST = """
[[row]]
format = "signs:k=1,group=16"
[[row]]
format = "ternary:scale=row"
calibrate = false
[[row]]
format = "dbf:bits=0.01"
[[row]]
format = "int:bits=4,group=16"
"""
"""The third fails: no rank is so small."""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Return the command on the tiny model, without folder and processes."""
    words = np.random.default_rng(0).choice(tiny.WORDS[2:], 400)
    text, rows = tmp_path / "text.txt", tmp_path / "list.toml"
    text.write_text(" ".join(words), "utf-8")
    rows.write_text(LIST, "utf-8")
    model = tiny.save(tmp_path / "llama")
    return [sys.executable, "-m", "models", "compare", str(rows), "--model", str(model),
            "--calibrate", str(text), "--windows", "4", "--text", str(text),
            "--tokens", "40", "--context", "8", "--device", "cpu"]  # fmt: skip


def figures(folder: Path) -> dict[str, list]:
    """Why a record has no figures, and its perplexities."""
    found = {}
    for path in folder.glob("*.json"):
        record = json.loads(path.read_text("utf-8"))
        results = record["evaluated"][0]["results"] if record["evaluated"] else []
        found[path.stem] = [record["reason"], *(one["perplexity"] for one in results)]
    return found


def test_processes_give_the_figures_of_one(tmp_path: Path, command: list[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, more in ((one, []), (two, ["--jobs", "2"])):
        done = subprocess.run([*command, "-o", str(folder), *more], capture_output=True, text=True)
        assert done.returncode == 2
        line = "python -m models: error: rows must all have figures, got 1 of 4 without"
        assert done.stderr.strip().splitlines()[-1] == line
        assert len(done.stdout.splitlines()) == 5
    assert figures(one) == figures(two)
    assert len(figures(two)) == 4
    names = [sorted(path.name for path in folder.iterdir()) for folder in (one, two)]
    assert names[0] == names[1]


def ends(group: int) -> bool:
    """Wait for the last process of a group; a helper of multiprocessing leaves a moment later."""
    for _ in range(600):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_all_and_the_next_run_goes_on(
    number: int, status: int, tmp_path: Path, command: list[str]
) -> None:
    folder = tmp_path / "out"
    whole = [*command, "-o", str(folder), "--jobs", "2"]
    process = subprocess.Popen(whole, start_new_session=True)
    while not list(folder.glob("*.parts/*.safetensors")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=60) == status
    assert ends(process.pid)
    assert not [path for path in folder.rglob(".*") if path.is_file()]
    assert subprocess.run(whole, capture_output=True).returncode == 2
    assert len([one for one in figures(folder).values() if one[0] == ""]) == 3


class Killed(Comparison):
    """A comparison whose process dies from signs."""

    def run(self, row: Row) -> Record:
        if row.format.startswith("signs"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(row)


def test_a_process_that_dies_leaves_the_others(tmp_path: Path, command: list[str]) -> None:
    model, text = (command[command.index(flag) + 1] for flag in ("--model", "--text"))
    plan = Plan(model, "none", 4, Path(text), 40, 8)
    comparison = Killed(plan, tmp_path / "out", torch.device("cpu"))
    rows, before = [Row("signs:k=1,group=16"), Row("int:bits=4,group=16")], dict(os.environ)
    assert set(run_all(comparison, rows, 1)) == set(rows)
    first, second = map(comparison.record, rows)
    assert first.reason == "its process ended with status -9"
    assert second.evaluated
    assert list(run_all(comparison, rows[1:], 1)) == rows[1:]
    assert os.environ == before
