"""Perplexity over joules and speed: records of ``models compare`` beside costs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from cost.interval import Interval
from cost.pictures import save
from cost.storage import storage_of
from models.checks import require


@dataclass(frozen=True)
class Point:
    """A format on a chip: its perplexity, joules a token and tokens a second.

    A GPU's are squares, those of its roofline hollow; the front is that of the others.
    """

    name: str
    perplexity: float
    joules: Interval
    rate: Interval
    gpu: bool = False
    hollow: bool = False


@dataclass
class Scores:
    """Perplexities of a model: of the integers by format, and of the float model."""

    integers: dict[str, float] = field(default_factory=dict)
    real: float = 0.0


def scores(folder: Path, model: str) -> tuple[Scores, list[str]]:
    """Read the records of a model.

    Returns
    -------
    Scores
    list of str
        What was left out, and why.

    Raises
    ------
    ValueError
        There is no record to draw.
    """
    found, left_out = Scores(), []
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        asked = record["asked"]["quantize"]
        results = [
            {one["version"]: one["perplexity"] for one in every["results"]}
            for every in record.get("evaluated", [])
        ]
        if not model.lower().startswith(asked["model"].lower()):
            left_out.append(f"{path.name}: it is of {asked['model']}, not of {model}")
        elif not results or "integer" not in results[-1]:
            left_out.append(f"{path.name}: it has no perplexity of integers")
        else:
            try:
                storage_of(asked["format"])
            except ValueError as error:
                left_out.append(f"{path.name}: {error}")
                continue
            found.integers[asked["format"]] = results[-1]["integer"]
            found.real = results[-1]["float"]
    require(bool(found.integers), str(folder), f"hold a record of {model} to draw",
            "; ".join(left_out) or "none")  # fmt: skip
    return found, left_out


def pareto(points: Sequence[Point], path: Path) -> None:
    """Draw perplexity over joules a token, and over tokens a second; intervals as lines.

    The front is that of their middles.
    """
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    for axes, label in zip(
        figure.subplots(1, 2, sharey=True), ("J a token", "tokens a second"), strict=True
    ):
        for point in points:
            span = point.joules if label == "J a token" else point.rate
            drawn = axes.plot([span.low, span.high], [point.perplexity] * 2, "|-", markersize=5)
            axes.plot(span.middle, point.perplexity, "s" if point.gpu else "o",
                      color=drawn[0].get_color(), label=point.name,
                      fillstyle="none" if point.hollow else "full")  # fmt: skip
        less = label == "J a token"
        ours = [point for point in points if not point.gpu]
        ends = front_of([((p.joules if less else p.rate).middle, p.perplexity) for p in ours], less)
        axes.step(*zip(*ends, strict=True), where="post" if less else "pre", color="gray",
                  linewidth=0.8, zorder=0, label="front of ours")  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(label)
    axis = figure.axes[0].yaxis
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter("{x:g}")
    figure.axes[0].set_ylabel("perplexity")
    figure.axes[1].legend(fontsize="x-small")
    save(figure, path)


def front_of(points: Sequence[tuple[float, float]], less: bool) -> list[tuple[float, float]]:
    """Return the points that no other beats, from the best of the first figure on.

    Parameters
    ----------
    less : bool
        Whether less is better of the first figure; of perplexity it is.
    """
    front: list[tuple[float, float]] = []
    for one in sorted(points, key=lambda point: (point[0] if less else -point[0], point[1])):
        if not front or one[1] < front[-1][1]:
            front.append(one)
    return front
