"""Measured tokens on a GPU: records as the measuring plan writes them, and costs beside ours."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

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

    def __init__(self, calls: list[Callable[[], object]]) -> None:
        self.calls = calls

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
    assert done.stdout.count("of h100 in fp16 at batch 1 (measured)") == 1
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)["gpu"]
    assert [row["batch"] for row in rows if row["bound"] == "measured"] == [1, 4, 16, 64] * 2
