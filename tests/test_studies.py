"""What chains lose, and what formats and activations lose on one layer: `models study`."""

import json
from pathlib import Path

import pytest
import tiny

import models.__main__
from models.studies.formats import parse_activation

LAYER = "model.layers.1.mlp.down_proj"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save the tiny model."""
    return tiny.save(tmp_path / "llama")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Write 45 tokens."""
    return tiny.save_text(tmp_path / "text.txt", 45)


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    """Run a command line; errors of the user are raised."""
    monkeypatch.setattr("sys.argv", ["models", *map(str, arguments)])
    models.__main__.main()


def test_study_of_chains(
    saved: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["study", "chain", saved, "layers.0.mlp.up_proj", LAYER, "--text", text]
    arguments += ["--tokens", 16, "--format", "mdbf:bits=8,steps=2"]
    command(monkeypatch, *arguments)
    assert capsys.readouterr().out.count("\n") == 5
    command(monkeypatch, *arguments, "--json")
    for row in json.loads(capsys.readouterr().out):
        for errors in (row["assumed"], row["calibrated"]):
            assert errors[0] > 10 * errors[2]
            assert 0 < errors[-1] < 1.1 * errors[2]  # the rest is of the 8-bit inputs
    with pytest.raises(ValueError, match=r"^--format must be one of chains, got 'int:bits=4'$"):
        command(monkeypatch, *arguments[:-1], "int:bits=4")


def test_study_of_formats(
    saved: Path,
    text: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Errors fall with the bits of weights and of activations, down to those of the matrix."""
    arguments = ["study", "formats", saved, LAYER, "--text", text, "--tokens", 16]
    formats = ["int:bits=3,group=16", "int:bits=6,group=16"]
    arguments += ["--format", *formats]
    fine = ["token:bits=16", "group:bits=4,group=16,exponents=3", "token:bits=4"]
    arguments += ["--activation", *fine]
    command(monkeypatch, *arguments)
    assert capsys.readouterr().out.count("\n") == 7
    command(monkeypatch, *arguments, "--json")
    rows = json.loads(capsys.readouterr().out)
    assert [(row["format"], row["activation"]) for row in rows] == [
        (one, other) for one in formats for other in fine
    ]
    for few, many in zip(rows[:3], rows[3:], strict=True):
        assert few["matrix"] > 2 * many["matrix"]
        assert few["bits_per_weight"] < many["bits_per_weight"] - 2.9
    for sixteen, groups, four in (rows[:3], rows[3:]):
        assert sixteen["integers"] == pytest.approx(sixteen["matrix"], rel=0.02)
        assert sixteen["integers"] < groups["integers"] < four["integers"]


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("token:bits=x", "bits of activation token:bits=x must be a number, got 'x'"),
        ("tokn", "activation scale must be token, group or static, got tokn"),
        ("token:bit=4", "option of activation token:bit=4 must be one of .*did you mean bits"),
    ],
)
def test_activations_to_study_are_refused(wanted: str, line: str) -> None:
    with pytest.raises(ValueError, match=line):
        parse_activation(wanted)
