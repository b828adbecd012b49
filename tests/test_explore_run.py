"""Explorations from end to end: real quantizing, evaluating and synthesis of small things."""

import json
import os
import random
import signal
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from exploring import OBJECTIVES, SMALL, explored, tiny_space

from cost.inventory import element
from explore import result
from explore.accuracy import Score
from explore.analytic import estimates
from explore.bench import few_formats, fronts
from explore.candidate import Candidate
from explore.elements import element_of
from explore.front import front
from explore.result import Result, result_of, write_result
from explore.run import Plan, Progress, explore
from explore.search import grid, sampled
from explore.space import read_space
from explore.standing import Standing
from explore.workers import workers
from models.compare.rows import Row
from models.kept import Kept

RECORDS = Path(__file__).parents[1] / "docs/records"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Small operations on waiting threads are slow on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("explored")


@pytest.fixture(scope="module")
def done(folder: Path) -> Progress:
    """One undisturbed exploration."""
    return explored(tiny_space(folder), folder / "kept")


def labels(progress: Progress) -> set[str]:
    """Return the front, with all figures."""
    standing = progress.standing
    return {
        f"{standing.candidates[place]} {standing.figures(int(place))}"
        for place in np.flatnonzero(standing.front())
    }


def test_stages_and_evidence(done: Progress) -> None:
    standing = done.standing
    assert len(done.scores) == 4
    assert len(done.circuits) == 2
    assert not done.failed
    assert standing.decided().all()
    places = np.flatnonzero(standing.front())
    assert len(places)
    kinds = {
        figure.evidence for place in places for figure in standing.figures(int(place)).values()
    }
    assert {"measured", "modelled", "synthesized"} <= kinds
    values = np.stack([standing.middles(name) for name in OBJECTIVES], 1)
    values[:, OBJECTIVES.index("tokens_per_second")] *= -1
    assert (standing.front() == front(values)).all()


def test_synthesis_replaces_the_elements_part(done: Progress) -> None:
    """The area is the model's but for elements, which are as Yosys made them."""
    standing = done.standing
    (key, answer) = next((key, one) for (stage, key), one in done.circuits.items())
    place = next(p for p in range(len(standing.candidates)) if standing.key("synthesize", p) == key)
    one = standing.candidates[place]
    model = one.chip.technology
    config = element_of(one)
    counts = element(config)
    whole = element(one.config)
    prices = {name: model[f"area_{name}"].value.middle for name in counts}
    a_model = sum(prices[name] * count for name, count in counts.items())
    array = sum(prices[name] * count for name, count in whole.items()) * (one.pe + 1) / 1e6
    before = standing._modelled(place)["area_mm2"].middle
    wanted = before - array + array * answer["area_um2"] / a_model
    assert np.isclose(standing.figures(place)["area_mm2"].middle, wanted, rtol=1e-12)
    assert answer["library"] == "tiny"


def test_a_kept_run_does_nothing_again(folder: Path, done: Progress) -> None:
    def start():
        raise AssertionError("no worker is needed")

    again = explore(tiny_space(folder), SMALL, folder / "none", Kept(folder / "kept"), start)
    assert labels(again) == labels(done)


def test_killed_ten_times_it_finds_the_same_front(folder: Path, done: Progress) -> None:
    """SIGKILL at random moments, each time with what the runs before left."""
    rng, kept, space = random.Random(11), folder / "killed", tiny_space(folder)
    context = get_context("fork")
    killed, ended = 0, False
    while not ended:
        child = context.Process(target=explored, args=(space, kept))
        child.start()
        child.join(rng.uniform(0.05, 1.0) if killed < 10 else 300)
        if child.exitcode is None:
            os.kill(child.pid or 0, signal.SIGKILL)
            child.join()
            killed += 1
            assert killed <= 10
        elif killed == 10:
            assert child.exitcode == 0
            ended = True
        else:  # it was done too soon: begin again
            for file in kept.rglob("*.json"):
                file.unlink()
    assert labels(explored(space, kept)) == labels(done)


def test_a_poisoned_answer_is_measured_again(folder: Path, done: Progress) -> None:
    kept = folder / "kept"
    file = next(f for f in kept.rglob("*.json") if '"perplexity"' in f.read_text("utf-8"))
    text = file.read_text("utf-8")
    file.write_text(text.replace('"perplexity": ', '"perplexity": 1'), "utf-8")
    assert labels(explored(tiny_space(folder), kept)) == labels(done)
    assert file.read_text("utf-8") == text


def test_a_tool_that_crashes_is_recorded_and_the_search_goes_on(folder: Path) -> None:
    space = tiny_space(folder)
    broken = folder / "broken.lib"
    broken.write_text("library (broken) {", "utf-8")
    cells = replace(space.synthesize, liberty=[str(broken)])
    found = explored(replace(space, synthesize=cells), folder / "kept")
    assert [one["stage"] for one in found.failed] == ["synthesize"] * 2
    assert all("broken.lib" in one["reason"] and "Traceback" in one["log"] for one in found.failed)
    assert found.standing.front().any()
    assert result_of(found, SMALL)["counts"]["failed"] == 2


def test_a_library_of_another_voltage_is_refused(folder: Path) -> None:
    space = tiny_space(folder)
    other = {**space.candidates, "technology": ["sky130"]}
    found = explored(replace(space, candidates=other), folder / "kept")
    assert all("must be the technology's 1.8 V, got 0.7" in one["reason"] for one in found.failed)


def test_constraints(folder: Path, done: Progress) -> None:
    values = done.standing.middles("perplexity")
    middle = float(np.median(values))
    space = tiny_space(folder, at_most={"perplexity": middle}, at_least={"tokens_per_second": 1})
    found = explored(space, folder / "kept")
    kept = found.standing.middles("perplexity")[found.standing.front()]
    assert (kept <= middle).all()
    with pytest.raises(ValueError, match="constraints must leave a candidate, got none of 32"):
        explored(tiny_space(folder, at_least={"tokens_per_second": 1e12}), folder / "kept")


def test_a_text_is_asked_for(folder: Path) -> None:
    space = tiny_space(folder)
    silent = replace(space, evaluate=replace(space.evaluate, text=""))
    with pytest.raises(ValueError, match="text must be given"):
        explored(silent, folder / "kept")
    found = explored(silent, folder / "kept", Plan("analytic"))
    assert not found.standing.front().any()
    assert found.standing.open().any()


def test_pruning_loses_nothing(folder: Path) -> None:
    """Whatever perplexities turn out, and however synthesis errs, the front was open before."""
    space = tiny_space(folder)
    rng = np.random.default_rng(3)
    for _ in range(20):
        standing = Standing(space, grid(space))
        may = standing.open()
        for row in dict.fromkeys(standing.rows):
            score = Score(float(rng.integers(3, 6)), 4.0, 2.0, "none", 0, "made up for this test")
            standing.learn_score(row, score)
        assert not (standing.front() & ~may).any()


def test_sampling_is_repeatable_and_finds_most_of_the_front() -> None:
    """It finds at least twice as many points of the grid's fronts as as many blind guesses would.

    How many exactly hangs on prices: ``python -m explore.bench samplers``.
    """
    space = few_formats()
    one, two = sampled(space, 320, 1), sampled(space, 320, 1)
    assert one.candidates == two.candidates
    assert len(set(one.candidates)) == len(one.candidates) <= 320
    whole = grid(space)
    places = {candidate: place for place, candidate in enumerate(whole.candidates)}
    found = [places[candidate] for candidate in one.candidates]
    assert (one.estimates.ends == whole.estimates.ends[found]).all()
    best = fronts(whole)
    assert len(best & set(found)) >= 2 * len(best) * len(found) / len(whole.candidates)


def test_results_are_whole_or_refused(tmp_path: Path, done: Progress) -> None:
    found = result_of(done, SMALL)
    write_result(found, tmp_path / "run")
    read = Result.read(tmp_path / "run")
    assert len(read.points) == 32
    assert [point.number for point in read.front] == found["front"]
    table = read.frame()
    assert len(table) == 32
    assert table["front"].sum() == len(read.front)
    assert list(read.frame(front=True).index) == found["front"]
    figures = read.figures(found["front"][0])
    assert set(figures.columns) == {"low", "high", "evidence", "source"}
    file = tmp_path / "run" / "run.json"
    text = file.read_text("utf-8")
    for wrong, rule in [
        (text[:100], "must be a whole result"),
        (text.replace('"analytic": 32', '"analytic": 33'), "must be as it was written"),
        (text.replace('"version": 2', '"version": 1'), "version of"),
    ]:
        file.write_text(wrong, "utf-8")
        with pytest.raises(ValueError, match=rule):
            Result.read(tmp_path / "run")
    with pytest.raises(FileNotFoundError, match="must be a run of python -m sim explore"):
        Result.read(tmp_path)


def test_of_a_large_front_some_points_are_explained(
    done: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result, "MOST_DETAILED", 2)
    found = result_of(done, SMALL)
    assert found["counts"]["front"] == len(found["front"]) > 2
    assert len(found["details"]) == 2
    assert {int(place) for place in found["details"]} < set(found["front"])


HAND = {
    "README, hwgen": {},
    "README, hwgen --digit 4": {"digit": 4},
    "README, hwgen --stage-every 1": {"kind": "addsub", "stage_every": 1},
    "README, sim layer": {"pe": 16, "lanes": 64},
    "README, sim generate": {"lanes": 64},
    "README, sim generate of three planes": {"lanes": 36},
    "README, sim verify": {"kind": "addsub", "lanes": 64},
    "docs/system, lut": {"kind": "lut", "lanes": 64},
    "docs/system, digits": {"digit": 4, "lanes": 64},
    "docs/cost, against a GPU": {"kind": "addsub"},
    "docs/cost, sim cost": {"pe": 256, "lanes": 128},
    "docs/results": {"pe": 256, "lanes": 64},
    "docs/tutorial": {"pe": 8, "lanes": 16},
    "docs/circuits, 128 lanes": {"lanes": 128},
    "docs/circuits, 256 lanes": {"lanes": 256},
    "docs/boards, ulx3s": {"lanes": 16},
    "docs/boards, ulx3s with addsub": {"kind": "addsub", "lanes": 16},
    "docs/boards, icepi-zero": {"pe": 16, "lanes": 16},
    "docs/boards, icebreaker": {"pe": 2, "lanes": 8},
} | {
    f"docs/cost, engine {number}": {
        name: one["config"][name] for name in ("kind", "pe", "lanes", "digit", "stage_every")
    }
    for number, one in enumerate(json.loads(RECORDS.joinpath("engines.json").read_text("utf-8")))
}  # fmt: skip
"""Circuits that other pages chose by hand, but for those of other activation bits."""


@pytest.fixture(scope="module")
def default(folder: Path) -> Progress:
    """Price the default space, its formats as the committed records measured them."""
    return explore(
        read_space(), Plan(), RECORDS / "smollm2", Kept(folder / "kept"),
        lambda: workers(0, None, folder),
    )  # fmt: skip


def test_records_are_scores_of_the_default_space(default: Progress) -> None:
    """Those of its formats, inputs rotated or not."""
    records = [json.loads(path.read_text()) for path in RECORDS.glob("smollm2/*.json")]
    asked = [record["asked"]["quantize"] for record in records if record["evaluated"]]
    rows = {
        Row(one["format"], one["act_bits"], one["calibrate"] != "none", rotate=one.get("rotate", 0))
        for one in asked
    }  # fmt: skip
    assert default.scores.keys() == rows & set(default.standing.rows)
    assert len(default.scores) >= 10
    assert any(row.rotate for row in default.scores)


@pytest.mark.parametrize("name", HAND)
def test_a_point_is_as_good_as_each_circuit_chosen_by_hand(name: str, default: Progress) -> None:
    """In each format of the records, with each memory and clock of the space."""
    standing, signs = default.standing, np.array([1, 1, -1, 1])
    space = standing.space
    values = np.stack([standing.middles(one) for one in OBJECTIVES], 1) * signs
    best = values[standing.front()]
    for row, score in default.scores.items():
        form = standing.candidates[standing.rows.index(row)].format
        for memory in space.candidates["memory"]:
            for clock in space.candidates["clock"]:
                one = Candidate(form, memory=memory, clock=clock, **HAND[name])
                ends = estimates(space, [one]).ends[0].mean(1)
                mine = np.array([score.perplexity, *ends[:3]]) * signs
                assert (best <= mine + 1e-9 * np.abs(mine)).all(1).any(), one
