"""Formats chosen by layer on the command line: budgets that hold, and refusals."""

from pathlib import Path

import pytest
import tiny

import models.__main__
from models.quantize import parts_of
from models.store import open_layers

FORMATS = "signs:k=1..3,group=16,coef_bits=8"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("budget", [2.7, 3.6])
def test_budget_holds(budget: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "layers.safetensors"
    arguments = ["models", "quantize", str(source), "--format", FORMATS, "--budget", str(budget),
                 "--windows", "4", "-o", str(file)]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    models.__main__.main()
    with open_layers(file) as opened:
        layers = [opened.layer(name) for name in opened.names]
    weights = sum(layer.out * layer.inputs for layer in layers)
    bits = sum(layer.stored_bits for layer in layers)
    assert 0.9 * budget < bits / weights <= budget
    kinds = {stage.k for layer in layers for path in layer.paths for stage in path.stages}
    assert len(kinds) > 1


def test_interrupted_runs_keep_their_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "layers.safetensors"
    arguments = ["models", "quantize", str(source), "--format", FORMATS, "--budget", "3.0",
                 "--windows", "4", "-o", str(file)]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    with monkeypatch.context() as patch:
        patch.setattr("models.quantize.save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            models.__main__.main()
    with monkeypatch.context() as patch:
        patch.setattr("models.budget.measure", interrupted)
        models.__main__.main()
    with open_layers(file) as opened:
        assert len(opened.names) == 14
    assert not parts_of(file).exists()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ([FORMATS], "one, or several with --budget, got 3 and no"),
        (["ternary", "--budget", "2"], "one, or several with --budget, got 1 and a budget"),
        ([FORMATS, "--budget", "2", "--calibrate", "none"], "must have a text to calibrate with"),
        ([FORMATS, "--budget", "1.5"], "budget must be at least the 2.4"),
    ],
)
def test_refusals(
    more: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "f"
    arguments = ["models", "quantize", str(source), "--format", *more, "-o", str(file)]
    monkeypatch.setattr("sys.argv", [*arguments, "--windows", "4"])
    with pytest.raises(ValueError, match=line):
        models.__main__.main()
    assert not file.exists()
