"""Report: a result as one HTML file that needs nothing else."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from cost.terms import COMPONENTS
from explore.candidate import Candidate
from explore.metrics import EVIDENCE, METRICS
from explore.result import Result
from fpga.boards import BOARDS

PAGE = Path(__file__).with_name("page")
MOST_IN_CLOUD = 3000
DOWN = "tokens_per_second"
AS_THEY_ARE = ("by", "out", "space", "counts", "failed", "refused", "sampler", "references",
               "sensitivity")  # fmt: skip


def report(result: Result) -> str:
    """Return the page."""
    parts = {
        name: (PAGE / name).read_text("utf-8") for name in ("page.html", "style.css", "view.js")
    }
    text = json.dumps(_data(result), allow_nan=False, separators=(",", ":"))
    return Template(parts["page.html"]).substitute(
        title=f"What to build for {result.found['space']['model']}",
        style=parts["style.css"],
        script=parts["view.js"],
        data=text.replace("<", "\\u003c"),
    )


def _data(result: Result) -> dict[str, Any]:
    found = result.found
    first = "perplexity" if any(found["metrics"]["perplexity"]) else DOWN
    others = [name for name in found["space"]["objectives"] if name not in (first, "perplexity")]
    names = [first, *others]
    points = [
        {"number": point.number, "candidate": point.candidate.as_json()}
        | found["details"][str(point.number)]
        for point in result.front if str(point.number) in found["details"]
    ]  # fmt: skip
    points.sort(key=lambda one: _first(one, first))
    return {
        **{key: found[key] for key in AS_THEY_ARE},
        "points": points,
        "notes": [*_notes(found, len(points))],
        "undecided": len(found["open"]),
        "charts": [[name, first] for name in others],
        "cloud": _cloud(found["metrics"], names),
        "metrics": {name: {"title": metric.title, "unit": metric.unit, "better": metric.better}
                    for name, metric in METRICS.items()},
        "evidence": EVIDENCE,
        "components": list(COMPONENTS),
        "boards": [{"name": name, "luts": board.capacity["lut"]} for name, board in BOARDS.items()],
    }  # fmt: skip


def _notes(found: dict[str, Any], shown: int) -> Iterator[str]:
    """Give what a reader of the figures must know."""
    space, metrics, count = found["space"], found["metrics"], found["counts"]["front"]
    if shown < count:
        yield f"Of {count} points of the front {shown} are shown, spread over it; run.json has all."
    if any(metrics["perplexity"]) and space["head"] != "fp16":
        yield (
            "Perplexities were measured with the head in float; energy and speed are of a head "
            f"in {space['head']}."
        )
    if any(Candidate(name).row.rotate for name in space["candidates"]["format"]):
        yield (
            "Where inputs are rotated (rotate 64), a host adds log2(64) numbers for each input of "
            "a layer, beside its scaling of all formats' inputs: neither is in energy or speed."
        )
    asked = {*space["objectives"], *space["at_most"], *space["at_least"]}
    if any(metrics["luts"]) and not asked & {"luts", "fmax"}:
        yield (
            "LUTs and clocks are of rows on an ECP5, no objectives here, and decide nothing. "
            "With luts among the objectives they do; with --liberty elements are synthesized on a "
            "library instead, and their area and energy count."
        )


def _first(point: dict[str, Any], name: str) -> float:
    figure = point["figures"].get(name)
    return figure["low"] if figure else float("inf")


def _cloud(metrics: dict[str, list[float | None]], names: Sequence[str]) -> dict[str, list[float]]:
    """Return the candidates that are known in all of these, some of them where they are many."""
    table = np.array([metrics[name] for name in names], float).T
    table = table[~np.isnan(table).any(1)]
    step = max(1, -(-len(table) // MOST_IN_CLOUD))
    return {name: table[::step, column].tolist() for column, name in enumerate(names)}
