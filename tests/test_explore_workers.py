"""Workers by Dask: lost ones, wrong ones, none; every answer comes all the same."""

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from distributed import LocalCluster
from exploring import explored, tiny_space

from explore import circuits, elements, task, workers
from explore.candidate import Candidate
from explore.space import Cells
from explore.task import Outcome, Task
from models.kept import Kept

ROOT = Path(__file__).parents[1]


def tasks(cells: Cells, count: int) -> list[Task]:
    """Return elements to synthesize, each another one."""
    found = []
    for lanes in range(2, 2 + count):
        one = Candidate("ternary", "addsub", 2, lanes)
        inputs = elements.inputs_of("synthesize", one, cells)
        found.append(Task("synthesize", inputs, circuits.question_of("synthesize", inputs)))
    return found


def test_eight_workers_of_which_three_are_killed_lose_nothing(tmp_path: Path) -> None:
    cells = tiny_space(tmp_path).synthesize
    every = tasks(cells, 16)
    with workers.workers(8, None, tmp_path / "kept") as some:
        assert isinstance(some, workers.Workers)
        info = some._client.run(os.getpid)
        assert isinstance(info, dict)
        pids, found = list(info.values()), dict[int, Outcome]()
        for place, outcome in some.run(every):
            found[place] = outcome
            if len(found) == 3:
                for pid in pids[:3]:
                    os.kill(pid, signal.SIGKILL)
    assert sorted(found) == list(range(16))
    assert [one.reason + one.log for one in found.values() if one.answer is None] == []
    alone = Path(tmp_path / "alone")
    for place, outcome in workers.Here(alone).run(every[:3]):
        assert found[place] == outcome
    assert all(Kept(tmp_path / "kept").find(one.question) for one in every)


def test_an_exploration_on_workers_is_the_same(tmp_path: Path) -> None:
    space = tiny_space(tmp_path)
    here = explored(space, tmp_path / "here")
    there = explored(space, tmp_path / "there", count=2)
    assert there.scores == here.scores
    assert there.circuits == here.circuits
    assert (there.standing.front() == here.standing.front()).all()


@contextmanager
def scheduler(count: int = 0) -> Iterator[str]:
    options: dict[str, Any] = {
        "n_workers": count, "threads_per_worker": 1, "dashboard_address": ":0",
        "silence_logs": logging.CRITICAL, "memory_limit": 0,
    }  # fmt: skip
    cluster: Any = LocalCluster(**options)
    with cluster:
        yield cluster.scheduler_address


def test_a_scheduler_that_is_there(tmp_path: Path) -> None:
    every = tasks(tiny_space(tmp_path).synthesize, 2)
    with scheduler(1) as address, workers.workers(9, address, tmp_path / "kept") as some:
        assert all(outcome.answer for _, outcome in some.run(every))


def test_a_scheduler_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with (
        pytest.raises(OSError, match=r"scheduler tcp://127\.0\.0\.1:9 must be reachable, got"),
        workers.workers(1, "tcp://127.0.0.1:9", tmp_path),
    ):
        pass
    with (
        scheduler() as address,
        pytest.raises(ValueError, match="must have a worker, got none"),
        workers.workers(1, address, tmp_path),
    ):
        pass


def test_workers_of_another_version_are_refused(tmp_path: Path) -> None:
    """A worker whose sources differ by a comment; both versions are named."""
    for package in ("models", "hwgen", "fpga", "cost", "explore"):
        shutil.copytree(ROOT / package, tmp_path / "other" / package)
    with (tmp_path / "other/explore/front.py").open("a") as file:
        file.write("# changed\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "other")}
    with scheduler() as address:
        worker = subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1",
             "--no-dashboard"],
            cwd=tmp_path / "other", env=environment, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            with (
                pytest.raises(ValueError, match="must have the client's planesmith") as caught,
                workers.workers(1, address, tmp_path / "kept"),
            ):
                pass
        finally:
            worker.terminate()
            worker.wait()
    mine = task.signature()["planesmith"]
    assert mine in str(caught.value)
    assert str(caught.value).count(", got ") == 1


def test_a_worker_that_joins_later_is_refused_too(tmp_path: Path) -> None:
    one = tasks(tiny_space(tmp_path).synthesize, 1)[0]
    other = task.signature() | {"torch": "0.1"}
    with pytest.raises(task.OtherVersions, match=r"must have the client's torch 0\.1, got"):
        task.perform(one, str(tmp_path), other)


def test_unfinished_work_needs_no_folder_for_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where answers cannot be kept, it lies in a folder that is gone afterwards."""
    places = []

    def evaluate(inputs: dict[str, Any], scratch: Path) -> dict[str, Any]:
        places.append(scratch)
        (scratch / "one").mkdir(parents=True)
        return {"there": True}

    monkeypatch.setattr("explore.accuracy.evaluate", evaluate)
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file/kept", tmp_path / "kept"):
        done = task.perform(Task("evaluate", {}, {}), str(folder), task.signature())
        assert done.answer == {"there": True}
    assert not places[0].exists()
    assert places[1] == tmp_path / "kept/unfinished"
