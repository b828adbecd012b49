"""Measured tokens on a GPU: records as the measuring plan writes them, and costs beside ours."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from cost import pictures
from cost.gpu import GpuToken
from cost.interval import Interval
from cost.measured import measured
from cost.storage import storage_of
from cost.technology import gpus
from cost.versus import ends, on_gpu
from cost.workload import shape_of
from models.gpu.kernels import Kernels
from models.gpu.measure import end_to_end, plan, record
from models.gpu.measure.bench import Bench
from models.gpu.measure.nvml import Nvml

RECORDS = Path(__file__).parents[1] / "docs" / "records" / "gpu"

SECONDS = {1: 0.005, 4: 0.006, 16: 0.008, 64: 0.020}
"""Of a step of the fake model, by batch."""


class FakeRecording:
    """In place of a CUDA graph: the time of a step is that of its batch."""

    batch = 1

    def __init__(self, calls: list[Callable[[], object]], least: int) -> None:
        assert (len(calls), least) == (1, 1)

    def seconds(self) -> list[float]:
        step = SECONDS[self.batch]
        return [step * 0.9, step, step * 1.1]

    def joules(self, nvml: Nvml, idle_watts: float) -> dict[str, float]:
        return {"joules_per_call": 500 * SECONDS[self.batch]}


def fake_model(
    kernels: Kernels, shape: object, batch: int, make: object
) -> Callable[[object], object]:
    FakeRecording.batch = batch
    return lambda x: x


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Write records by the plan's own code, but for what needs a GPU."""
    kernels, nvml = Kernels.__new__(Kernels), Nvml.__new__(Nvml)
    fake = SimpleNamespace(
        randn=lambda *size, **where: None, float16=None, no_grad=torch.no_grad
    )  # fmt: skip
    monkeypatch.setattr(end_to_end, "torch", fake)
    monkeypatch.setattr(end_to_end, "Model", fake_model)
    monkeypatch.setattr(end_to_end, "Recording", FakeRecording)
    monkeypatch.setattr(Bench, "found", lambda bench: {"idle_watts": bench.idle})
    monkeypatch.setattr(record, "make_bench", lambda kernels: Bench(kernels, nvml, 1.0, 60.0))
    conditions = {"command": "test", "gpu": "NVIDIA H100 80GB HBM3"}
    monkeypatch.setattr(record, "conditions", lambda: dict(conditions))
    assert plan.STAGES["end_to_end"][1] is plan.end_to_end
    record.record(kernels, tmp_path, ["end_to_end"], again=False)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "batches"),
    [("fp16", [1, 4, 16, 64]), ("signs:k=2", [1, 4, 16, 64]), ("ternary", [1]), ("binary", [1])],
)
def test_records_of_the_plan_are_read(folder: Path, text: str, batches: list[int]) -> None:
    found = measured(folder, "h100", shape_of("LLaMA-2-7B"), storage_of(text))
    assert [one.batch for one in found] == batches
    for one in found:
        step = SECONDS[one.batch]
        assert one.rate.low == pytest.approx(one.batch / step / 1.1)
        assert one.joules is not None
        assert one.joules.low == one.joules.high == pytest.approx(500 * step / one.batch)
        assert one.source.startswith("measured: ")
        assert (one.bound, one.context) == ("measured", 256)


@pytest.mark.parametrize("text", ["fp16", "signs:k=2"])
def test_the_committed_record_is_read(text: str) -> None:
    found = measured(RECORDS, "h100", shape_of("LLaMA-2-7B"), storage_of(text))
    assert {1, 4, 16, 64} <= {one.batch for one in found}
    assert all(one.read_joules.low > 0 and one.rate.low > 0 for one in found)


def test_the_last_record_of_a_batch_counts(folder: Path) -> None:
    """A record of one batch, begun after the one of all, takes the place of that batch alone."""
    path = folder / "end_to_end.json"
    older = json.loads(path.read_text()) | {"begun": "2026-01-01T00:00:00Z"}
    path.write_text(json.dumps(older))
    row = older["results"]["LLaMA-2-7B, FP16, batch 4"] | {"seconds": [0.002, 0.004]}
    newer = older | {"begun": "2026-01-02T00:00Z", "results": {"LLaMA-2-7B, FP16, batch 4": row}}
    (folder / "end_to_end_again.json").write_text(json.dumps(newer))
    found = measured(folder, "h100", shape_of("LLaMA-2-7B"), storage_of("fp16"))
    assert [one.batch for one in found] == [1, 4, 16, 64]
    assert found[1].rate == Interval(4 / 0.004, 4 / 0.002)
    assert "end_to_end_again.json" in found[1].source
    assert all("end_to_end.json" in one.source for one in found if one.batch != 4)


def test_the_bandwidth_that_a_gpu_reaches_was_measured() -> None:
    """By cuBLAS in FP16 at one token, on the layer that reaches most."""
    decode = json.loads((RECORDS / "decode.json").read_text())["results"]
    rates = {
        2 * one["out"] * one["in"] / median(one["1 tokens"]["cuBLAS FP16"]): name
        for name, one in decode.items()
    }
    h100 = gpus()["h100"]
    assert h100["reached"].value.high == pytest.approx(
        max(rates) / h100["bandwidth"].value.high, abs=0.005
    )
    assert rates[max(rates)].partition(" ")[2] in h100["reached"].source


def test_what_was_not_measured_is_not_there(folder: Path, tmp_path: Path) -> None:
    seven, k3 = shape_of("LLaMA-2-7B"), storage_of("signs:k=3")
    assert measured(folder, "h100", seven, k3) == []
    assert measured(folder, "a100", seven, storage_of("fp16")) == []
    assert measured(tmp_path / "none", "h100", seven, storage_of("fp16")) == []
    path = folder / "end_to_end.json"
    text = json.loads(path.read_text())
    text["results"] = dict.fromkeys(text["results"], "not reached")
    path.write_text(json.dumps(text))
    assert measured(folder, "h100", seven, storage_of("fp16")) == []


def test_measurements_come_before_the_roofline(folder: Path) -> None:
    fp16 = storage_of("fp16")
    found = on_gpu(shape_of("LLaMA-2-7B"), fp16, fp16, gpus()["h100"], 1024, folder)
    assert [one.bound for one in found][:4] == ["measured"] * 4
    assert [one.source for one in found][4:] == ["roofline"] * 2
    assert [one.batch for one in ends(found)] == [1, 64]
    assert all(one.bound == "measured" for one in ends(found))
    assert all(one.source == "roofline" for one in ends(found[4:]))


def test_pictures_tell_measured_from_roofline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark for each figure of a GPU: full where it was measured, else hollow with both ends."""
    drawn: list[Figure] = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: drawn.append(figure))
    fp16, h100 = storage_of("fp16"), gpus()["h100"]
    beside = [
        (name, "fp16", ends(on_gpu(shape_of(name), fp16, fp16, h100, 1024, RECORDS)))
        for name in ("LLaMA-2-7B", "Qwen3-8B")
    ]
    pictures.against([], "h100", beside, Path("x.png"))
    tokens = [token for *_, ones in beside for token in ones]
    for axes, what in zip(drawn[0].axes, ("read_joules", "rate"), strict=True):
        marks = [line for line in axes.lines if line.get_marker() in ("D", "s")]
        assert [mark.get_markerfacecolor() for mark in marks] == ["black"] * 2 + ["white"] * 2
        at = [(float(np.ravel(m.get_xdata())[0]), int(np.ravel(m.get_ydata())[0])) for m in marks]
        middles = [getattr(token, what).middle for token in tokens]
        assert at == list(zip(middles, [0, 0, 1, 1], strict=True))


def test_energy_may_be_missing() -> None:
    one = GpuToken(1, Interval(0.01, 0.02), None, "measured", "measured: x", 256)
    assert "not read J/token" in one.show()
    assert one.as_json()["joules_per_token"] is None


@pytest.mark.parametrize(
    ("text", "line"),
    [("{", "must be JSON, got"), ('{"stage": "decode", "gpu": "x", "results": {}}',
      "must be of the stage end_to_end, got decode"), ("[]", "must be of the stage")],
)  # fmt: skip
def test_bad_records(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "end_to_end.json").write_text(text)
    with pytest.raises(ValueError, match=line):
        measured(tmp_path, "h100", shape_of("LLaMA-2-7B"), storage_of("fp16"))


def test_command_tells_measured_from_roofline(folder: Path) -> None:
    flags = ["LLaMA-2-7B", "--format", "signs:k=2", "--gpu", "h100", "--gpu-records", str(folder)]
    command = [sys.executable, "-m", "sim", "cost", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for text in ("h100, LLaMA-2-7B, fp16:", "h100, LLaMA-2-7B, signs:k=2:"):
        assert text in done.stdout
    assert done.stdout.count("measured: ") == 8
    assert done.stdout.count("; roofline, bound by") == 4
    assert done.stdout.count("of h100 in fp16 at batch 1 (measured, 256 tokens") == 1
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)["gpu"]
    assert [row["batch"] for row in rows if row["bound"] == "measured"] == [1, 4, 16, 64] * 2
