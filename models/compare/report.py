"""Rows in figures: which ones no other beats, and a table of all."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.compare.record import Record
from models.compare.rows import Row

HEADINGS = (
    "format", "calibration", "bits/weight", "file MB", "matrices", "integers", "to float",
    "to matrices", "quantize s", "peak MB", "evaluate s",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A row in figures.

    Attributes
    ----------
    base, matrices, integers : float or None
        Perplexity of the float model and of the exact integers on the same tokens; of the
        matrices that the layers stand for on all tokens.
    loss : float or None
        Of integers to matrices, on the same tokens.
    """

    row: Row
    record: Record
    bits: float
    size: int
    base: float | None
    matrices: float | None
    integers: float | None
    loss: float | None
    seconds: float


def points(rows: dict[Row, Record]) -> list[Point]:
    """Return the rows that have figures, by bits per weight."""
    found = []
    for row, record in rows.items():
        if not record.evaluated:
            continue
        base, same, exact = record.evaluated[-1]["results"]
        most = record.evaluated[0]["results"]
        loss = _ratio(exact["perplexity"], same["perplexity"])
        scored = [*most, exact] if len(most) == 2 else most
        found.append(Point(
            row, record, exact["bits_per_weight"], exact["size_bytes"], base["perplexity"],
            most[1]["perplexity"], exact["perplexity"], loss,
            sum(one["seconds"] for one in scored[1:]),
        ))  # fmt: skip
    return sorted(found, key=lambda point: point.bits)


def front(found: Sequence[Point]) -> list[Point]:
    """Return the points that no other one beats: none has fewer bits and as low a perplexity.

    Sorted by bits; of points that are equal in both, the first.
    """
    best, least = [], float("inf")
    for point in sorted(found, key=lambda one: (one.bits, one.integers or float("inf"))):
        if point.integers is not None and point.integers < least:
            best.append(point)
            least = point.integers
    return best


def line(row: Row, record: Record) -> str:
    """Return a line on a row, to print when it is done."""
    if record.reason:
        return f"{row.label}: none: {record.reason}"
    (point,) = points({row: record})
    return (f"{row.label}: {point.bits:.3f} bits/weight, perplexity {_figure(point.integers)}, "
            f"matrices {_figure(point.matrices)}")  # fmt: skip


def table(rows: dict[Row, Record]) -> str:
    """Return the rows as Markdown, and what failed below; ``**`` marks the Pareto front."""
    found = points(rows)
    best = front(found)
    lines = _heading(found) if found else []
    lines += [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    lines += [f"| {' | '.join(_cells(point, point in best))} |" for point in found]
    failed = [f"- {row.label}: {record.reason}" for row, record in rows.items() if record.reason]
    if failed:
        lines += ["", "Without figures:", "", *failed]
    return "\n".join(lines) + "\n"


def _heading(found: Sequence[Point]) -> list[str]:
    """Say what the table is of."""
    quantize, evaluate = found[0].record.asked["quantize"], found[0].record.asked["evaluate"]
    integers = evaluate["integer_tokens"]
    fewer = f", integers on the first {integers}" if integers != evaluate["tokens"] else ""
    made = sorted({
        f"commit {by['commit']}, torch {by['torch']}, transformers {by['transformers']}"
        for by in (point.record.by for point in found)
    })
    float_model = _figure(found[0].record.evaluated[0]["results"][0]["perplexity"])
    text = f"the first {evaluate['tokens']} tokens of {evaluate['text']}"
    return [
        f"{quantize['model']}: perplexity on {text}, windows of {evaluate['context']}{fewer}.",
        f"Float: {float_model}.",
        "",
        *(f"Made with {line}." for line in made),
        "",
    ]


def _cells(point: Point, best: bool) -> list[str]:
    made = point.record.made
    asked = point.record.asked["quantize"]
    label = f"{point.row.format}, a{point.row.act_bits}"
    label += f", rotated in blocks of {point.row.rotate}" if point.row.rotate else ""
    label += "" if point.row.layers == "*" else f", {point.row.layers} only"
    return [
        f"**{label}**" if best else label,
        asked["calibrate"] if asked["calibrate"] == "none" else f"{asked['windows']} windows",
        f"{point.bits:.3f}",
        f"{point.size / 1e6:.1f}",
        _figure(point.matrices),
        _figure(point.integers),
        _figure(_ratio(point.integers, point.base)),
        "-" if point.loss is None else f"{point.loss:.4f}",
        "-" if made is None else f"{'> ' if made.resumed else ''}{made.seconds:.0f}",
        "-" if made is None else f"{made.peak_bytes / 1e6:.0f}",
        f"{point.seconds:.0f}",
    ]


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _ratio(value: float | None, base: float | None) -> float | None:
    return value / base if value is not None and base else None
