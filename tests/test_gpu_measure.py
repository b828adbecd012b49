"""The measuring plan as far as it goes without a GPU: records, pictures, shapes, commands."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.cli import run as run_command
from models.gpu import __main__ as command
from models.gpu.kernels import Kernels
from models.gpu.layout import pack_stage
from models.gpu.measure import plots, record
from models.gpu.measure.bench import Bench
from models.gpu.measure.linear import first_rows
from models.gpu.measure.peers import available
from models.gpu.measure.plan import STAGES
from models.gpu.measure.shapes import MODELS, STORAGES, random_layer, shapes
from models.gpu.measure.timing import LEAST, Recording
from models.reference import Reference

KERNELS = Kernels.__new__(Kernels)
"""Nothing here calls them."""
NO_GPU = "GPU must be one that PyTorch finds; --device cpu emulates the kernels, got none"
NO_RECORD = "record must be there: run python -m models.gpu record"


def in_turn(
    monkeypatch: pytest.MonkeyPatch, stages: dict[str, Callable], commit: str = "1"
) -> None:
    monkeypatch.setattr(record, "STAGES", {name: (1.0, does) for name, does in stages.items()})
    monkeypatch.setattr(record, "make_bench", lambda kernels: Bench(kernels, None, 1.0, 0.0))
    now = {"command": "test", "commit": commit, "gpu": "test", "torch": "2"}
    monkeypatch.setattr(record, "conditions", lambda: now)


def test_interrupted_plan_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[str] = []

    def first(bench: Bench) -> dict[str, str]:
        done.append("first")
        return {"a": "b"}

    def fails(bench: Bench) -> dict[str, str]:
        raise KeyboardInterrupt

    in_turn(monkeypatch, {"first": first, "second": fails})
    with pytest.raises(KeyboardInterrupt):
        record.record(KERNELS, tmp_path, [], again=False)
    in_turn(monkeypatch, {"first": first, "second": lambda bench: done.append("second") or {}})
    lines = record.record(KERNELS, tmp_path, [], again=False)
    assert done == ["first", "second"]
    assert lines[0].startswith("first        there already: ")
    found = json.loads((tmp_path / "first.json").read_text())
    assert (found["results"], found["copy_bytes_per_second"]) == ({"a": "b"}, 1.0)
    record.record(KERNELS, tmp_path, ["first"], again=True)
    assert done == ["first", "second", "first"]
    with pytest.raises(ValueError, match=r"^stage must be one of the plan: did you mean first\?"):
        record.record(KERNELS, tmp_path, ["frist"], again=False)


def test_records_of_other_commits_are_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for commit in ("1", "1", "2"):
        in_turn(monkeypatch, {"first": lambda _, now=commit: {"of": now}}, commit)
        record.record(KERNELS, tmp_path, [], again=False)
        assert json.loads((tmp_path / "first.json").read_text())["results"] == {"of": commit}
    (tmp_path / "first.json").write_text("{")
    assert "there already" not in record.record(KERNELS, tmp_path, [], again=False)[0]


def test_failed_cases_are_recorded_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def breaks() -> None:
        raise RuntimeError("no such\nkernel")

    def first(bench: Bench) -> dict[str, str]:
        return bench.cases([("a", breaks), ("b", lambda: 2)])

    in_turn(monkeypatch, {"first": first, "second": lambda _: {"c": 3}})
    with pytest.raises(ValueError, match=r"^cases must end well, got 1 that did not: first, a$"):
        record.record(KERNELS, tmp_path, [], again=False)
    results = json.loads((tmp_path / "first.json").read_text())["results"]
    assert results == {"a": "failed: no such kernel", "b": 2}
    assert json.loads((tmp_path / "second.json").read_text())["results"] == {"c": 3}


def test_spent_budget_leaves_cases_by_name() -> None:
    bench = Bench(KERNELS, None, 1.0, 0.0, budget=-1.0)
    assert bench.cases([("a", lambda: 1)]) == {"a": "not reached"}


def test_budgets_fit_a_lease() -> None:
    assert sum(budget for budget, _ in STAGES.values()) <= 25 * 60
    assert all(budget <= 10 * 60 for budget, _ in STAGES.values())


def test_series_of_the_pictures(tmp_path: Path) -> None:
    row = {"out": 8, "in": 16, "storage": "k2", "1 tokens": {"ratio": 4.0, "bandwidth_share": 0.5}}
    results = {"k2 8 x 16": row, "k2 9 x 9": "not reached"}
    (tmp_path / "decode.json").write_text(json.dumps({"results": results}))
    assert plots.speedups(tmp_path, 1) == {"k2": [("8 x 16", 4.0)]}
    assert plots.shares(tmp_path) == {"k2": [("8 x 16", 0.5)]}
    assert plots.speedups(tmp_path, 16) == {}
    with pytest.raises(ValueError, match=r"^record must be there: .*, got .*decode\.json$"):
        plots.draw(tmp_path / "none")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"results": []}', '{"results": {"k2 8 x 16": {"1 tokens": {}}}}']
)
def test_broken_records_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "decode.json").write_text(text)
    with pytest.raises(ValueError, match=r"decode\.json must (be|have)"):
        plots.draw(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "decode.json"]


def test_recordings_go_round_their_calls() -> None:
    recording = Recording.__new__(Recording)  # making one needs a GPU
    recording.calls, recording.least = [lambda: None] * 5, LEAST
    assert recording.count == 65


def test_shapes_are_those_of_the_models() -> None:
    assert MODELS["LLaMA-3-8B"].linear["k"] == (1024, 4096)
    assert MODELS["SmolLM2-135M"].linear["down"] == (576, 1536)
    assert "LLaMA-2-7B gate" in shapes()[11008, 4096]
    assert set(shapes(("LLaMA-2-7B",))) == {(4096, 4096), (11008, 4096), (4096, 11008)}


@pytest.mark.parametrize("name", [n for n, storage in STORAGES.items() if not storage.chain])
def test_stored_bits_are_as_documented(name: str) -> None:
    layer = random_layer(np.random.default_rng(0), 32, 512, STORAGES[name])
    packed = pack_stage(layer.paths[0].stages[0])
    planes = STORAGES[name].planes
    terms = planes + STORAGES[name].offset
    coefficients = 16 * terms / (STORAGES[name].group or 512)
    assert 8 * packed.weight_bytes / (32 * 512) == planes + coefficients
    assert packed.aligned == (STORAGES[name].group != 64)


def test_chain_takes_the_bits_it_says() -> None:
    rng = np.random.default_rng(0)
    layer = random_layer(rng, 384, 768, STORAGES["dbf"])
    first, last = layer.paths[0].stages
    assert (first.planes.size + last.planes.size) * 8 == 384 * 768
    x = torch.from_numpy(rng.standard_normal((2, 768)).astype(np.float32))
    y = Reference(layer)(x)
    assert y.unique().numel() > 700  # codes between are neither lost nor at their ends
    assert torch.equal(Reference(first_rows(layer, 80))(x), y[:, :80])


def test_peers_are_there_or_skipped_with_a_reason() -> None:
    found = available()
    assert found["cuBLAS FP16"].startswith("2.")
    assert found["Marlin INT4"] == "skipped: marlin is not installed"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["check"], NO_GPU),
        (["check", "--layers", "0"], "layers must be 1 or more, got 0"),
        (["check", "--seconds", "nan"], "seconds must be above 0, got nan"),
        (["check", "--seed", "-1"], "seed must be 0 or more, got -1"),
        (["plot", "no"], f"{NO_RECORD}, got no/decode.json"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(
    words: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["gpu", *words])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match=r"^2$"):
        run_command(command.PROGRAM, command.main)
    assert capsys.readouterr().err == f"{command.PROGRAM}: error: {line}\n"
