"""Spaces: what TOML may say, and one clear line for what it must not."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import sim.__main__
from cost.compare import Result
from cost.engine import token
from cost.storage import Storage, storage_of
from cost.workload import Linear, Shape
from explore.analytic import MODELLED, estimates, token_of
from explore.candidate import Candidate
from explore.space import DEFAULT, Space, read_space
from explore.storage import seen_of, storage_for, stored_bits
from hwgen.config import HardwareConfig
from hwgen.flags import add_config_flags, config_from
from models.cli import Parser
from models.codes import Activation
from models.formats import parse

GOOD = """
model = "smollm2"
objectives = ["joules_per_token", "tokens_per_second"]
[candidates]
format = ["ternary", "int:bits=4,group=64 weights only"]
kind = ["popcount", "lut"]
digit = [0, 1, 8]
table = [2, 3]
"""


def space(tmp_path: Path, text: str) -> Space:
    file = tmp_path / "space.toml"
    file.write_text(text, "utf-8")
    return read_space(file)


def test_the_default_is_large_enough() -> None:
    found = [one for one in read_space().grid() if isinstance(one, Candidate)]
    assert len(found) >= 200
    assert len({one.format for one in found}) >= 12


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("objectives", "objektives", "did you mean objectives"),
        ('"joules_per_token"', '"joule_per_token"', "did you mean joules_per_token"),
        ('"tokens_per_second"', '"joules_per_token"', "named once each, got joules_per_token"),
        ("kind =", "kinds =", "did you mean kind"),
        ("table = [2, 3]", "table = []", "values of table must be one or more"),
        ("table = [2, 3]", 'table = ["2"]', "value of table must be of type int, got '2'"),
        ("table = [2, 3]", "table = 2", "candidates.table must be a list"),
        ('"ternary"', '"ternery"', "did you mean ternary"),
        ('"ternary"', '"ternary:grup=3"', "option of ternary must be one of"),
        ('"ternary"', '"dbf:bits=1.0"', "costs are known"),
        ('"ternary"', '"ternary:storage=base3"', "storage must be planes in a circuit, got base3"),
        ("table = [2, 3]", 'memory = ["lpddr5"]', "did you mean lpddr5-6400x64"),
        ("table = [2, 3]", 'technology = ["asap8"]', "did you mean asap7"),
        ('"smollm2"', '"smollm3"', "SmolLM2-135M"),
        ('"smollm2"', "2", "model must be of type str"),
        ('model = "smollm2"', "", "space must have model, candidates, objectives, got no model"),
        ("[candidates]", "[at_most]\nperplexty = 3\n[candidates]", "did you mean perplexity"),
        (
            "[candidates]",
            "[at_most]\nluts = 3\n[at_least]\nluts = 4\n[candidates]",
            "at_most.luts must be at_least's 4 or more, got 3",
        ),
        (
            "[candidates]",
            "[at_most]\narea_mm2 = nan\n[candidates]",
            "at_most.area_mm2 must be a finite number, got nan",
        ),
        (
            "[candidates]",
            "[at_least]\nfmax = inf\n[candidates]",
            "at_least.fmax must be a finite number, got inf",
        ),
        ('"lut"]', '"popcnt"]', "value of kind must be a known one (did you mean popcount?)"),
        ("table = [2, 3]", "clock = [500, 0]", "value of clock must be a finite number above 0"),
        ("table = [2, 3]", "clock = [nan]", "value of clock must be a finite number above 0"),
        (
            "[candidates]",
            "[evaluate]\ncontext = 0\n[candidates]",
            "evaluate.context must be 2 tokens or more, got 0",
        ),
        (
            "[candidates]",
            "[evaluate]\ntokens = -5\n[candidates]",
            "evaluate.tokens must be at least one window of 1024, got -5",
        ),
        ("[candidates]", "[evaluate]\nwindows = 0\n[candidates]", "evaluate.windows must be 1"),
        ("[candidates]", "[evaluate]\ntext = 1\n[candidates]", "evaluate.text must be of type str"),
        ("[candidates]", "context = -1\n[candidates]", "context must be 0 or more"),
        ('format = ["ternary", "int:bits=4,group=64 weights only"]', "", "have a format"),
        ('"ternary"', '"ternary rotate 7"', "be a power of two from 2 on, or 0, got 7"),
        ('"ternary"', '"ternary rotate 128"', "divide 576 inputs, as 2, 4, 8, 16, 32, 64 does"),
        ('"ternary"', '"ternary weights only rotate 64"', "format must be one of"),
        ("]", "", "must be TOML"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, old: str, new: str, rule: str) -> None:
    assert old in GOOD
    with pytest.raises(ValueError, match="space") as caught:
        space(tmp_path, GOOD.replace(old, new, 1))
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must be a TOML file, got none"):
        read_space(tmp_path / "none.toml")


def test_a_grid_has_each_candidate_once(tmp_path: Path) -> None:
    found = list(space(tmp_path, GOOD).grid())
    assert len(found) == len(set(found)) == 2 * (2 + 2 * 2)
    candidates = [one for one in found if isinstance(one, Candidate)]
    assert len(candidates) == len(found)
    kinds = {(one.kind, one.table) for one in candidates}
    assert kinds == {("popcount", 2), ("lut", 2), ("lut", 3)}


def test_what_is_no_circuit_is_told(tmp_path: Path) -> None:
    found = list(space(tmp_path, GOOD.replace("[0, 1, 8]", "[9]")).grid())
    assert all("digit must be from 1 to 8" in str(one) for one in found)


FORMATS = [
    "int:bits=4,group=64", "int:bits=4,group=64,coef_bits=8", "int:bits=3,scale=row",
    "int:bits=8,scale=row,range=symmetric", "int:bits=3,group=32,range=symmetric",
    "signs:k=2,group=36,coef_bits=8", "signs:k=3,scale=row", "signs:k=1,group=64", "ternary",
    "ternary:scale=row", "ternary:scale=group,group=64", "ternary:scale=group,group=64,coef_bits=8",
    "binary", "binary:scale=group,group=32", "binary:scale=row,mean=dropped",
    "binary:scale=group,group=32,mean=dropped,coef_bits=8",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMATS)
def test_stored_bits_are_those_of_layers(text: str) -> None:
    """But for what a layer has once, up to 128 bits."""
    weight = np.random.default_rng(1).standard_normal((24, 160), np.float32)
    layer = parse(text).quantize(weight, "x", Activation())
    shape = Shape("x", (Linear("x", 24, 160, 3),), 160, 3, 1, 1, 1, 1, "")
    missing = (layer.bits_per_weight - stored_bits(text, shape)) * weight.size
    assert 0 <= missing <= 128
    (stage,) = layer.paths[0].stages
    assert storage_for(text).planes == stage.k


@pytest.mark.parametrize("kind", ["popcount", "addsub", "lut"])
@pytest.mark.parametrize(
    ("form", "flags"),
    [
        ("ternary", "--calibrate text.txt --windows 8"),
        ("ternary rotate 64", "--rotate 64 --calibrate text.txt --windows 8"),
        ("signs:k=3,group=36 weights only", "--calibrate none"),
        ("signs:k=3,group=36 rotate 4 weights only", "--rotate 4 --calibrate none"),
    ],
)
@pytest.mark.parametrize("digit", [0, 2])
def test_the_command_builds_the_circuit(kind: str, form: str, flags: str, digit: int) -> None:
    one = Candidate(form, kind, 16, 36, act_bits=4, digit=digit, table=3 if kind == "lut" else 2)
    quantize, hwgen = one.command("smollm2", "text.txt", 8).split(" && ")
    parser = Parser()
    add_config_flags(parser)
    arguments = shlex.split(hwgen)[3:-2]
    config = config_from(parser.parse_args(arguments))
    wanted = {**vars(one.config), "columns": HardwareConfig.columns}
    assert {**vars(config), "columns": HardwareConfig.columns} == wanted
    assert f"--format {one.spec} --act-bits 4 {flags} -o" in quantize


@pytest.mark.parametrize("kind", ["popcount", "addsub", "lut"])
@pytest.mark.parametrize(
    "form",
    ["ternary:scale=row", "int:bits=3,group=64 weights only", "binary", "signs:k=2,group=36"],
)
def test_the_command_prices_it_again(
    kind: str, form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same joules, speed and area, to the bit."""
    axes = {"format": [form], "kind": [kind], "digit": [4], "pe": [16], "lanes": [36],
            "technology": ["sky130"], "memory": ["ddr3-1600x16"], "clock": [62.5]}  # fmt: skip
    whole = Space("smollm2", axes, ["joules_per_token"], context=77, head="int4")
    one = whole.candidate({name: values[0] for name, values in axes.items()})
    command = shlex.split(one.price(whole.priced_model, whole.head, whole.context))
    monkeypatch.setattr(sys, "argv", ["sim", *command[3:], "--json"])
    sim.__main__.main()
    (found,) = json.loads(capsys.readouterr().out)
    done = token_of(whole, one)
    assert found == json.loads(json.dumps(Result(whole.shape, seen(one), one.chip, done).as_json()))


def seen(one: Candidate) -> Storage:
    return replace(storage_for(one.spec), name=seen_of(one.spec))


def test_estimates_are_the_cost_models() -> None:
    every = [one for one in read_space(DEFAULT).grid() if isinstance(one, Candidate)][::311]
    whole = read_space(DEFAULT)
    found = estimates(whole, every)
    for one, ends in zip(every, found.ends, strict=True):
        done = token(whole.shape, storage_for(one.spec), storage_of("int8"), one.chip, 1024)
        assert ends[MODELLED.index("joules_per_token")].tolist() == [
            done.joules.low, done.joules.high
        ]  # fmt: skip
        assert ends[MODELLED.index("tokens_per_second")].tolist() == [
            1 / done.seconds.high, 1 / done.seconds.low
        ]  # fmt: skip
        assert token_of(whole, one).joules == done.joules
