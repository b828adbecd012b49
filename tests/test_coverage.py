"""Functional coverage: notes of what passed, bins and holes, and the record of a whole run."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from hwgen.config import KINDS, HardwareConfig
from sim import campaign, coverage, formats, rtl
from sim.cases import every_kind, random_job
from sim.coverage import CROSSES, VALUES, Reason, covered, reasons, table, unexplained
from sim.formats import LAYERS
from sim.jobs import Job
from sim.passed import AXES, of_circuit, of_layer, read_notes
from sim.standard import SMALL

ROOT = Path(__file__).parents[1]
RECORD = json.loads((ROOT / "docs/records/coverage.json").read_text())


def test_a_bench_notes_what_passed_in_it(tmp_path: Path) -> None:
    with campaign.noting(tmp_path / "notes.jsonl") as file:
        rtl.run_bench("sim.bench_top", SMALL[0], tmp_path, seed=2)
    notes = [json.loads(text) for text in read_notes(file)]
    for axis in ("flow", "reset", "codes", "coefficients", "rows", "columns"):
        assert {note[axis] for note in notes} == set(AXES[axis]), axis
    for axis in ("rounding", "feature"):
        assert {value for note in notes for value in note[axis]} <= set(AXES[axis])
    assert {note["kind"] for note in notes} == {"popcount"}


def test_what_differs_is_not_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong:
        """An engine whose results of all jobs but the first are off by one."""

        def __init__(self, config: HardwareConfig) -> None:
            self.config = config

        def run(self, jobs: list[Job], **pauses: float) -> SimpleNamespace:
            wanted = [job.expected() for job in jobs]
            return SimpleNamespace(results=[wanted[0], *(want + 1 for want in wanted[1:])])

        def close(self) -> None:
            """Nothing to end."""

    monkeypatch.setattr(formats, "Engine", Wrong)
    with campaign.noting(tmp_path / "notes.jsonl") as file:
        cells = list(formats.run_formats(("popcount",)))
    assert all(cell.unequal for cell in cells)
    assert {json.loads(text)["codes"] for text in read_notes(file)} == {"mixed"}
    assert read_notes(file).total() == len(formats.FLOWS) * len(LAYERS)


def test_cases_that_go_wrong_first_are_all_extremes() -> None:
    config = SMALL[0]
    notes = [of_layer(job, config) for job in every_kind(np.random.default_rng(1), config)]
    ends = {(note["codes"], note["coefficients"]) for note in notes}
    assert len(ends) == len(AXES["codes"]) * len(AXES["coefficients"])
    assert any("tie" in note["rounding"] for note in notes)


def test_values_of_axes_are_known() -> None:
    rng = np.random.default_rng(3)
    for config in campaign.circuits():
        for note in (of_circuit(config), *(of_layer(random_job(rng, config), config)
                                           for _ in range(3))):  # fmt: skip
            for axis, value in note.items():
                assert set([value] if isinstance(value, str) else value) <= set(AXES[axis]), axis


def test_saturation_and_ties_are_seen() -> None:
    config = SMALL[0]
    job = every_kind(np.random.default_rng(1), config)[-1]  # a tie by design
    assert of_layer(job, config)["rounding"] == ["within", "tie"]
    assert job.stage.requantize is not None
    scale = np.full_like(job.stage.requantize.row_scale, 30000)
    stage = replace(job.stage, requantize=replace(job.stage.requantize, row_scale=scale))
    rounding = of_layer(replace(job, stage=stage), config)["rounding"]
    assert "saturated low" in rounding
    assert "saturated high" in rounding


def note(**values: object) -> dict[str, int]:
    return {json.dumps(values): 1}


def test_hits_and_holes() -> None:
    found = {one.name: one for one in covered(note(error="last"), reasons())}
    errors = found["errors of a master"]
    assert errors.hit == 1
    assert errors.hits["last",] == 1
    assert len(errors.holes) == len(AXES["error"]) - 1
    assert f"errors of a master: {AXES['error'][0]}" in unexplained([errors])
    ran = note(kind="lut", bus="axi", flow="idle", feature=["bias", "offset"])
    several = {one.name: one for one in covered(ran, reasons())}
    assert several["features"].hit == 2
    assert several["features"].hits["lut", "bias", "idle"] == 1


def test_reasons_must_be_of_what_is_not_run() -> None:
    given = [Reason(["errors of a master"], {"error": ["last"]}, "a reason")]
    (errors,) = (one for one in covered({}, given) if one.name == "errors of a master")
    assert errors.explained == {("last",): "a reason"}
    assert ("last",) not in errors.holes
    with pytest.raises(ValueError, match=r"^reason for a hole must be of bins that are not run"):
        covered(note(error="last"), given)
    with pytest.raises(ValueError, match=r"^cross must be one of .*, got none$"):
        Reason(["none"], {}, "")
    with pytest.raises(ValueError, match=r"^error must be one of .*, got lost$"):
        Reason(["errors of a master"], {"error": ["lost"]}, "")
    with pytest.raises(ValueError, match=r"^axis of errors of a master must be one of error, got"):
        Reason(["errors of a master"], {"kind": ["lut"]}, "")


def test_impossible_bins_do_not_count() -> None:
    found = {one.name: one for one in covered({}, reasons())}
    assert len(found["digits"].hits) == 3 * (2 * 2 + 1)
    assert len(found["formats"].hits) == len(KINDS) * (len(LAYERS) * 4 - 1) * 4


@pytest.mark.parametrize("name", CROSSES)
def test_record_is_of_what_there_is(name: str) -> None:
    """Of the crosses, the values and the reasons; a whole run has no hole without a reason."""
    kept, now = RECORD["crosses"][name], next(one for one in covered({}, reasons())
                                              if one.name == name)  # fmt: skip
    assert kept["axes"] == list(CROSSES[name])
    assert kept["bins"] == len(now.hits)
    assert kept["explained"] == len(now.explained)
    assert kept["impossible"] == len(now.impossible)
    assert kept["run"] + kept["explained"] + kept["unexplained"] == kept["bins"]
    whole = RECORD["parts"]["run"] == RECORD["parts"]["of"] == len(campaign.parts(ROOT, 1))
    assert not (whole and kept["unexplained"])
    assert kept["unexplained"] == sum(hole.startswith(f"{name}: ")
                                      for hole in RECORD["unexplained"])  # fmt: skip


def test_table_of_the_page_is_the_record() -> None:
    page = (ROOT / "docs/verification.md").read_text()
    for name, kept in RECORD["crosses"].items():
        row = f"| {name} | {' x '.join(kept['axes'])} | {kept['bins']} | {kept['run']} |"
        assert row in page
    assert set(RECORD["crosses"]) == set(CROSSES)


def test_circuits_have_every_value() -> None:
    found = [of_circuit(config) for config in campaign.circuits()]
    for axis in found[0]:
        values = [one[axis] for one in found]
        assert all(value in values for value in VALUES[axis]), axis


def test_table_has_a_row_for_each_cross() -> None:
    text = table(covered({}, reasons()))
    assert all(f"| {name} |" in text for name in CROSSES)
    assert coverage.explanations(covered({}, reasons())).count("popcount counts bits") == 6
