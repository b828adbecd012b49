"""Formats chosen by layer on the command line: budgets that hold, and refusals."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import tiny

import models.__main__
from models import trials
from models.allocation import Choices
from models.calibration.wanted import Wanted
from models.commands import show
from models.quantize import parts_of
from models.store import open_layers

FORMATS = "signs:k=1..3,group=16,coef_bits=8"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("budget", [2.7, 3.6])
def test_budget_holds(
    budget: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
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
    check_formats(file, capsys)


def check_formats(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Check that the file says which layer has which format, and that ``show`` does."""
    with open_layers(file) as opened:
        found = {name: opened.format_of(name) for name in opened.names}
        for name, text in found.items():
            stage = opened.layer(name).paths[0].stages[0]
            assert text == f"signs:k={stage.k},group=16,coef_bits=8"
    capsys.readouterr()
    show.run(Namespace(file=file, json=False))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[: len(found)]] == list(found)
    assert [line.split()[-1] for line in lines[: len(found)]] == list(found.values())
    assert "{" not in lines[-2]
    show.run(Namespace(file=file, json=True))
    rows = json.loads(capsys.readouterr().out)["layers"]
    assert {row["layer"]: row["format"] for row in rows} == found


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
        monkeypatch.setattr("sys.argv", [*arguments[:6], "2.7", *arguments[7:]])
        patch.setattr("models.quantize.save", interrupted)
        with pytest.raises(KeyboardInterrupt):  # another budget needs no other measurement
            models.__main__.main()
    with monkeypatch.context() as patch:
        patch.setattr("models.budget.measure", interrupted)
        patch.setattr("sys.argv", arguments)
        models.__main__.main()
    with open_layers(file) as opened:
        assert len(opened.names) == 14
        assert opened.info["budget"] == "3.0"
    assert not parts_of(file).exists()


def test_interrupted_measurements_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "layers.safetensors"
    arguments = ["models", "quantize", str(source), "--format", FORMATS, "--budget", "3.0",
                 "--windows", "4", "-o"]  # fmt: skip
    monkeypatch.setattr("sys.argv", [*arguments, str(tmp_path / "whole")])
    models.__main__.main()
    tried, plain = list[str](), trials.candidates

    def counted(wanted: Wanted, *rest: Any) -> Choices:
        tried.append(wanted.name)
        if len(tried) == 6:
            raise KeyboardInterrupt
        return plain(wanted, *rest)

    monkeypatch.setattr(trials, "candidates", counted)
    monkeypatch.setattr("sys.argv", [*arguments, str(file)])
    with pytest.raises(KeyboardInterrupt):
        models.__main__.main()
    models.__main__.main()
    assert len(set(tried)) == 14
    assert tried[6] == tried[5], "the one that was interrupted is the only one to be tried again"
    assert len(tried) == 15
    assert file.read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("damage", ["", "{}", '{"info": 1}', "[1]"])
def test_damaged_measurements_are_made_anew(
    damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "layers.safetensors"
    parts_of(file).mkdir()
    (parts_of(file) / "measured.json").write_text(damage)
    arguments = ["models", "quantize", str(source), "--format", FORMATS, "--budget", "3",
                 "--windows", "4", "-o", str(file)]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    models.__main__.main()
    assert file.is_file()
    assert not parts_of(file).exists()


@pytest.mark.parametrize("changed", ["model", "text"])
def test_measurements_of_others_are_not_taken(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, text, file = tiny.save(tmp_path / "llama"), tmp_path / "text", tmp_path / "f"
    text.write_text("o n on two " * 30)
    arguments = ["models", "quantize", str(source), "--format", FORMATS, "--budget", "3",
                 "--calibrate", str(text), "--windows", "4", "-o", str(file)]  # fmt: skip
    monkeypatch.setattr("sys.argv", arguments)
    with monkeypatch.context() as patch:
        patch.setattr("models.quantize.save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            models.__main__.main()
    if changed == "text":
        text.write_text("o two n " * 30)
    else:
        other = tiny.model("llama")
        other.model.norm.weight.data *= 2
        other.save_pretrained(source)
    monkeypatch.setattr("models.budget.measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        models.__main__.main()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ([FORMATS], "--format must be one without --budget, got 3"),
        (
            ["ternary", "ternary", "--budget", "2"],
            "--format must be two or more different ones with --budget, got 1",
        ),
        ([FORMATS, "--budget", "nan"], "--budget must be a number of bits a weight, above 0"),
        ([FORMATS, "--budget", "inf"], "--budget must be a number of bits a weight, above 0"),
        ([FORMATS, "--budget", "0"], "--budget must be a number of bits a weight, above 0"),
        ([FORMATS, "--budget", "-1"], "--budget must be a number of bits a weight, above 0"),
        ([FORMATS, "--budget", "2", "--calibrate", "none"], "must have a text to calibrate with"),
        ([FORMATS, "--budget", "1.5"], "budget must be at least the 2.4"),
        (["dbf:bits=3|4", "--budget", "1.5"], "budget must be at least the 2.9"),
        (
            ["ternary", "signs:group=999", "--budget", "3"],
            "layer model.layers.0.self_attn.q_proj: group must be at most the layer's 32 inputs",
        ),
    ],
)
def test_refusals(
    more: list[str], line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, file = tiny.save(tmp_path / "llama"), tmp_path / "f"
    arguments = ["models", "quantize", str(source), "--format", *more, "-o", str(file)]
    monkeypatch.setattr("sys.argv", [*arguments, "--windows", "4"])
    monkeypatch.setattr("models.budget.measure", interrupted)  # nothing is measured before
    with pytest.raises(ValueError, match=line):
        models.__main__.main()
    assert not file.exists()
    assert not parts_of(file).exists()
