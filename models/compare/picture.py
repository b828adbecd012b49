"""The report on all rows: the table, and perplexity against stored bits per weight."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from models.compare.record import Record
from models.compare.report import Point, front, points, table
from models.compare.rows import Row
from models.files import whole_file

HIGHEST = 20
"""Perplexities from so many times the float model's on are drawn at the edge."""
FONT = 6


def write_report(rows: dict[Row, Record], folder: Path) -> None:
    """Write ``table.md``, ``perplexity.png`` and ``perplexity.svg``; same bytes for same rows."""
    with whole_file(folder / "table.md") as part:
        part.write_text(table(rows), "utf-8")
    figure = picture(rows)
    for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        with (
            whole_file(folder / f"perplexity.{kind}") as part,
            rc_context({"svg.hashsalt": "planesmith"}),
        ):
            figure.savefig(part, format=kind, dpi=150, metadata=metadata)


def picture(rows: dict[Row, Record]) -> Figure:
    """Draw the integers' perplexity of each row, and a line along the Pareto front."""
    found = points(rows)
    base = next((point.base for point in found if point.base), 1.0)
    top = HIGHEST * base
    figure = Figure(figsize=(11, 9))
    FigureCanvasAgg(figure)
    axes = figure.add_axes(
        (0.07, 0.07, 0.91, 0.91), yscale="log", ylim=(0.8 * base, 1.3 * top),
        xlim=(0, 1.2 * max([point.bits for point in found], default=1.0)),
        xlabel="stored bits per weight, everything counted", ylabel="perplexity of the integers",
    )  # fmt: skip
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    best = front(found)
    inside = [(p.bits, p.integers) for p in best if p.integers is not None and p.integers < top]
    axes.step([bits for bits, _ in inside], [height for _, height in inside], where="post",
              color="tab:red", linewidth=1, label="Pareto front")  # fmt: skip
    axes.axhline(base, color="gray", linestyle="--", label=f"float: {base:.4g}")
    for point in found:
        color = "tab:red" if point in best else "tab:blue"
        mark = "o" if _height(point, top) < top else "^"
        axes.plot(point.bits, _height(point, top), mark, markersize=4, color=color)
    axes.plot([], [], "^", color="tab:blue", label=f"{HIGHEST} times float or worse")
    _label(axes, found, top)
    axes.legend(loc="upper right")
    return figure


def _height(point: Point, top: float) -> float:
    return top if point.integers is None else min(point.integers, top)


def _label(axes: Axes, found: Sequence[Point], top: float) -> None:
    """Write the label of each point at the nearest height that no mark or label has."""
    pixel = axes.figure.dpi / 72  # of a typographic point
    line, letter = 1.25 * FONT * pixel, 0.62 * FONT * pixel
    places = [(point.bits, _height(point, top)) for point in found]
    marks = [tuple(axes.transData.transform(place)) for place in places]
    taken = [(across - 2 * pixel, across + 2 * pixel, height) for across, height in marks]
    for point, place, (across, height) in sorted(
        zip(found, places, marks, strict=True), key=lambda one: one[2][1], reverse=True
    ):
        left, right = across + 5 * pixel, across + 5 * pixel + letter * len(point.row.label)
        others = [middle for start, end, middle in taken if left < end and start < right]
        steps = (sign * step for step in range(10**4) for sign in (1, -1))
        away = next(
            step for step in steps if all(abs(height + step - one) >= line for one in others)
        )
        taken.append((left, right, height + away))
        axes.annotate(
            point.row.label, place, (5, away / pixel), textcoords="offset points",
            fontsize=FONT, va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
            arrowprops={"arrowstyle": "-", "linewidth": 0.3, "color": "gray", "shrinkA": 0},
        )  # fmt: skip
