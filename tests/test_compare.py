"""Comparison of formats: lists, records that are resumed, the Pareto front, table and picture."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

import models.__main__
from models import eval as evaluation
from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.compare.picture import write_report
from models.compare.record import Made, Record, read_record, write_record
from models.compare.report import front, points, table
from models.compare.rows import Row, choose, read_rows
from models.formats import FORMATS
from models.formats.ternary import Ternary
from models.llm import load
from models.store import open_layers

KEYS = "format, act_bits, calibrate, layers, rotate"
LIST = """
[[row]]
format = "signs:k=1,group=16"
[[row]]
format = "ternary:scale=row"
act_bits = 4
calibrate = false
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


# --- lists ---


def test_the_usual_list_has_every_format_once_and_files_of_their_own() -> None:
    rows = read_rows()
    assert {row.format.split(":")[0] for row in rows} == set(FORMATS)
    assert len({row.stem for row in rows}) == len(rows)


def test_rows_are_read_and_chosen(tmp_path: Path) -> None:
    rows = read_rows(write(tmp_path / "list.toml", LIST))
    assert rows == [Row("signs:k=1,group=16"), Row("ternary:scale=row", 4, False)]
    assert [row.stem for row in rows] == [
        "signs_k=1_group=16", "ternary_scale=row_a4_weights_only"
    ]  # fmt: skip
    assert choose(rows, "*a4*") == rows[1:]
    line = "--only must fit one of 2 rows, got 'sign'; there are: "
    with pytest.raises(ValueError, match=f"^{re.escape(line)}"):
        choose(rows, "sign")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "LIST must hold tables [[row]] and nothing else, got none"),
        ("row = 3", "LIST must hold tables [[row]] and nothing else, got row"),
        ("row = []", "LIST must hold tables [[row]] and nothing else, got row"),
        ("row = [3]", "row 1 of LIST: it must be a table, got 3"),
        ("x = 1\n" + LIST, "LIST must hold tables [[row]] and nothing else, got x, row"),
        ("[[row]]\nact_bits = 8", "row 1 of LIST: keys must include format, got act_bits"),
        (
            LIST + 'formt = "int"',
            f"row 2 of LIST: key must be one of {KEYS}, got 'formt'; did you mean format?",
        ),
        (
            "[[row]]\nformat = 3",
            "row 1 of LIST: format must be of type str, got 3",
        ),
        (
            '[[row]]\nformat = "int"\nact_bits = true',
            "row 1 of LIST: act_bits must be of type int, got True",
        ),
        (
            '[[row]]\nformat = "int"\nact_bits = 17',
            "row 1 of LIST: activation bits must be from 1 to 16, got 17",
        ),
        (
            '[[row]]\nformat = "int"\nrotate = 3',
            "row 1 of LIST: rotation must be a power of two from 2 on, or 0, got 3",
        ),
        (
            LIST + '[[row]]\nformat = "signs:group=16, k=1"',
            "LIST must hold signs:k=1,group=16 once, got it 2 times",
        ),
    ],
)
def test_bad_lists_are_refused(tmp_path: Path, text: str, line: str) -> None:
    path = write(tmp_path / "list.toml", text)
    with pytest.raises(ValueError, match=f"^{re.escape(line.replace('LIST', str(path)))}$"):
        read_rows(path)


def test_lists_that_are_no_toml_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "list.toml", "[[row")
    with pytest.raises(ValueError, match=f"^{path} must be TOML, got: "):
        read_rows(path)
    with pytest.raises(FileNotFoundError, match=f"^{tmp_path} must be a TOML file, got none$"):
        read_rows(tmp_path)


# --- the command ---


class Bench:
    """The command on the tiny model, counting the layers that it quantizes."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        words = np.random.default_rng(0).choice(tiny.WORDS[2:], 400)
        self.text = write(folder / "text.txt", " ".join(words))
        self.model, self.folder = tiny.save(folder / "llama"), folder / "out"
        self.list = write(folder / "list.toml", LIST)
        self.quantized: list[str] = []
        self.fault: Exception | None = None
        self._patch, fit = monkeypatch, Ternary.fit

        def counted(
            spec: Ternary, weight: torch.Tensor, name: str, activation: Activation
        ) -> BitplaneLayer:
            self.quantized.append(name)
            if self.fault and len(self.quantized) > 5:
                raise self.fault
            return fit(spec, weight, name, activation)

        monkeypatch.setattr(Ternary, "fit", counted)

    def run(self, *options: object, tokens: int = 40) -> None:
        arguments = ["compare", self.list, "--model", self.model, "--calibrate", self.text,
                     "--windows", 4, "--text", self.text, "--tokens", tokens, "--context", 8,
                     "-o", self.folder, *options]  # fmt: skip
        self._patch.setattr("sys.argv", ["models", *map(str, arguments)])
        self.quantized.clear()
        models.__main__.main()

    def record(self, stem: str) -> dict:
        return json.loads((self.folder / f"{stem}.json").read_text("utf-8"))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


SIGNS, TERNARY = "signs_k=1_group=16", "ternary_scale=row_a4_weights_only"


def test_rows_are_recorded_and_not_done_again(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.run()
    shown = capsys.readouterr().out.splitlines()
    labels = ["signs:k=1,group=16", "ternary:scale=row a4 weights only"]
    assert [line.split(": ")[0] for line in shown[:2]] == labels
    record = bench.record(TERNARY)
    assert record["asked"]["quantize"]["options"]["scale"] == "row"
    assert record["asked"]["quantize"]["calibrate"] == "none"
    assert bench.record(SIGNS)["asked"]["quantize"]["calibrate"] == str(bench.text)
    assert record["made"]["seconds"] > 0
    assert record["by"]["command"].startswith("python -m models compare ")
    llm = load(str(bench.model))
    windows = evaluation.read_windows(llm, bench.text, 40, 8)
    with open_layers(bench.folder / f"{TERNARY}.safetensors") as file:
        want = list(evaluation.evaluate(llm, file, windows))
    assert record["evaluated"] == [evaluation.figures(want, windows)]
    made = {path.name: path.read_bytes() for path in bench.folder.iterdir()}
    assert {"table.md", "perplexity.png", "perplexity.svg"} < set(made)
    bench.run()
    assert not bench.quantized
    assert {path.name: path.read_bytes() for path in bench.folder.iterdir()} == made


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (["--calibrate", "none.txt"], "calibration text none.txt must be a text file, self or hub"),
        (["--windows", "0"], "calibration windows must be from 1 to 100000, got 0"),
        (["--windows", "9999"], "must have at least [0-9]+ tokens, 9999 windows of [0-9]+, got"),
        (["--text", "none.txt"], "none.txt must be a text file, got none"),
    ],
)
def test_wrong_texts_cost_no_record(bench: Bench, wrong: list[str], line: str) -> None:
    bench.run()
    made = {path.name: path.read_bytes() for path in bench.folder.iterdir()}
    with pytest.raises((ValueError, FileNotFoundError), match=line):
        bench.run(*wrong)
    assert {path.name: path.read_bytes() for path in bench.folder.iterdir()} == made


def test_rows_with_rotated_inputs(bench: Bench) -> None:
    """Beside the same format as it is: files and records of their own."""
    plain = '[[row]]\nformat = "signs:k=1,group=16"\n'
    write(bench.list, plain + plain + "rotate = 8\n")
    bench.run()
    asked = [bench.record(stem)["asked"]["quantize"] for stem in (SIGNS, f"{SIGNS}_rotate_8")]
    assert [one.get("rotate") for one in asked] == [None, 8]
    for stem, rotation in ((SIGNS, 0), (f"{SIGNS}_rotate_8", 8)):
        with open_layers(bench.folder / f"{stem}.safetensors") as file:
            changes = [file.layer(name).equivalence for name in file.names]
        assert {0 if one is None else one.rotation for one in changes} == {rotation}
    shown = (bench.folder / "table.md").read_text("utf-8")
    assert "signs:k=1,group=16, a8, rotated in blocks of 8" in shown


def test_other_text_needs_no_other_layers(bench: Bench) -> None:
    bench.run("--only", "ternary*")
    assert len(bench.quantized) == 14
    assert not (bench.folder / f"{SIGNS}.json").exists()
    before = bench.record(TERNARY)
    bench.run("--only", "ternary*", "--integer-tokens", 16, tokens=48)
    assert not bench.quantized
    after = bench.record(TERNARY)
    assert after["made"] == before["made"]
    most, fewer = after["evaluated"]
    assert [one["version"] for one in most["results"]] == ["float", "fake quant"]
    assert [one["version"] for one in fewer["results"]] == ["float", "fake quant", "integer"]
    assert (most["tokens"], fewer["tokens"]) == (48, 16)
    bench.run("--only", "ternary*", "--windows", 5)  # rows without calibration do not care
    assert not bench.quantized


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (RuntimeError("no\ngood"), "RuntimeError: no good"),
        (ValueError("x must y"), "layer model.layers.0.mlp.up_proj: x must y"),
    ],
)
def test_a_failing_row_leaves_the_others(bench: Bench, fault: Exception, reason: str) -> None:
    bench.fault = fault
    line = "^rows must all have figures, got 1 of 2 without$"
    with pytest.raises(ValueError, match=line):
        bench.run()
    assert bench.record(TERNARY)["reason"] == reason
    assert bench.record(SIGNS)["evaluated"]
    assert f"- ternary:scale=row a4 weights only: {reason}\n" in (
        bench.folder / "table.md"
    ).read_text("utf-8")
    bench.fault = None
    bench.run()
    assert len(bench.quantized) == 14 - 5
    record = bench.record(TERNARY)
    assert (record["reason"], record["made"]["resumed"]) == ("", True)


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"made": 3}'])
def test_damaged_records_are_made_anew(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "x.json", damage)
    asked = {"quantize": {}, "evaluate": {}}
    assert read_record(path, asked) == Record(asked)
    write_record(path, Record(asked, Made(1.0, 2, False), [{"x": 1}]))
    assert read_record(path, asked).evaluated == [{"x": 1}]
    other = asked | {"evaluate": {"tokens": 3}}
    assert read_record(path, other) == Record(other, Made(1.0, 2, False))
    other = asked | {"quantize": {"model": "x"}}
    assert read_record(path, other) == Record(other)


def test_options_younger_than_a_record_had_their_defaults(tmp_path: Path) -> None:
    old = {"quantize": {"options": {"a": 1}}, "evaluate": {}}
    new = {"quantize": {"options": {"a": 1, "b": 2}}, "evaluate": {}}
    write_record(tmp_path / "x", Record(old, None, [{"y": 3}]))
    assert read_record(tmp_path / "x", new, {"a": 0, "b": 2}).evaluated == [{"y": 3}]
    assert read_record(tmp_path / "x", new, {"a": 0, "b": 5}).evaluated == []


def test_another_calibration_text_is_another_row(tmp_path: Path) -> None:
    asked = [{"quantize": {"calibrate_sha256": text}, "evaluate": {}} for text in "ab"]
    write_record(tmp_path / "x", Record(asked[0], None, [{"y": 3}]))
    assert [read_record(tmp_path / "x", one).evaluated for one in asked] == [[{"y": 3}], []]
    write_record(tmp_path / "x", Record({"quantize": {}, "evaluate": {}}, None, [{"y": 3}]))
    assert read_record(tmp_path / "x", asked[1]).evaluated == [{"y": 3}]


# --- table and picture ---


def record(bits: float, integers: float | None) -> Record:
    results = [
        {"version": version, "perplexity": value, "bits_per_weight": bits, "size_bytes": 10,
         "seconds": 2.0, "peak_bytes": 3, "reason": ""}
        for version, value in (("float", 20.0), ("fake quant", 24.0), ("integer", integers))
    ]  # fmt: skip
    asked = {
        "quantize": {"model": "m", "calibrate": "self", "windows": 4},
        "evaluate": {"text": "t", "tokens": 9, "integer_tokens": 9, "context": 3},
    }
    by = {"commit": "c", "torch": "1", "transformers": "2"}
    return Record(asked, Made(1.0, 2_000_000, True), [{"results": results}], "", by)


def rows_of(figures: list[tuple[float, float | None]]) -> dict[Row, Record]:
    names = [f"int:bits={1 + n % 8},group={16 + n}" for n in range(len(figures))]
    return {Row(name): record(*one) for name, one in zip(names, figures, strict=True)}


SMALL = st.integers(1, 5).map(float)


@given(st.lists(st.tuples(SMALL, st.none() | SMALL), max_size=12))
def test_nothing_beats_the_front_and_it_beats_the_rest(
    figures: list[tuple[float, float | None]],
) -> None:
    found = points(rows_of(figures))
    best = front(found)
    known = [(one.bits, one.integers) for one in found if one.integers is not None]
    chosen = [(one.bits, one.integers) for one in best]
    assert chosen == sorted(set(chosen))
    for bits, loss in known:
        beaten = [(b, x) for b, x in known if b <= bits and x <= loss and (b, x) != (bits, loss)]
        assert ((bits, loss) in chosen) == (not beaten)


def test_table_and_picture_show_every_row(tmp_path: Path) -> None:
    rows = rows_of([(4.0, 30.0), (2.0, 60.0), (3.0, 1e9), (2.5, None)])
    lines = table(rows).splitlines()
    assert lines[0] == "m: perplexity on the first 9 tokens of t, windows of 3."
    assert lines[1] == "Float: 20."
    assert [line.split(" | ")[2] for line in lines[-4:]] == ["2.000", "2.500", "3.000", "4.000"]
    assert lines[-4] == (
        "| **int:bits=2,group=17, a8** | 4 windows | 2.000 | 0.0 | 24 | 60 | 3 | 2.5000 | > 1 | 2 "
        "| 4 |"
    )
    assert [line.startswith("| **") for line in lines[-4:]] == [True, False, False, True]
    write_report(rows, tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["perplexity.png", "perplexity.svg", "table.md"]
    assert first["perplexity.png"].startswith(b"\x89PNG")
    write_report(rows, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    for row in rows:
        assert f"<!-- {row.label} -->".encode() in first["perplexity.svg"]
