"""A token's way through the layers: a picture, and a trace for Perfetto or Chrome."""

import json
from collections.abc import Iterator, Sequence
from math import ceil
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from models.files import whole_file
from sim.report import short_name
from sim.system import Duty

COLOURS = {"array works": "tab:green", "array waits": "tab:red",
           "host works": "tab:blue", "host waits": "tab:orange"}  # fmt: skip
TRACKS = ("circuit's layers", "array", "host", "memory")


def trace(duties: Sequence[Duty], clock_hz: float) -> dict[str, object]:
    """Return the trace events of work that is done one after the other; times in microseconds.

    A track each for the layers on the circuit, the work of the array, that of the host, and the
    transfers of the memory.
    """
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": 0, "tid": track, "name": "thread_name", "args": {"name": name}}
        for track, name in enumerate(TRACKS)
    ]
    start = 0
    for duty in duties:
        waits = duty.cycles - duty.compute
        spans = [(3, 0, duty.transfer)]
        if duty.where == "host":
            spans += [(2, waits, duty.compute)]
        else:
            spans += [(0, 0, duty.cycles), (1, waits, duty.compute)]
        for track, offset, span in sorted(spans):
            events.append({
                "ph": "X", "pid": 0, "tid": track, "name": duty.name,
                "ts": (start + offset) / clock_hz * 1e6, "dur": span / clock_hz * 1e6,
                "args": {"bound": duty.bound, "bytes": duty.transferred, "cycles": duty.cycles},
            })  # fmt: skip
        start += duty.cycles
    return {"traceEvents": events, "displayTimeUnit": "ns"}


def write_trace(duties: Sequence[Duty], clock_hz: float, path: Path) -> None:
    """Write the trace as JSON."""
    with whole_file(path) as part:
        part.write_text(json.dumps(trace(duties, clock_hz)))


def picture(duties: Sequence[Duty], clock_hz: float, title: str, path: Path) -> None:
    """Draw a token's work line by line, as text is written, who waits in colours of its own.

    A line is as long as the first block takes, so that equal blocks stand below each other. All
    waiting is drawn before the work; really, it comes in between.
    """
    span = _first_block(duties)
    lines = ceil(sum(duty.cycles for duty in duties) / span)
    bars: dict[str, list[tuple[int, float, float]]] = {kind: [] for kind in COLOURS}
    starts: dict[int, str] = {}
    start = 0
    for duty in duties:
        starts.setdefault(start // span, duty.name)
        who = "host" if duty.where == "host" else "array"
        for kind, cycles in (("waits", duty.stalled), ("works", duty.compute)):
            bars[f"{who} {kind}"] += _wrapped(start, cycles, span)
            start += cycles
    figure = Figure(figsize=(12, 2 + 0.22 * lines), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    scale = 1e6 / clock_hz
    for kind, pieces in bars.items():
        for line, left, width in pieces:
            axes.barh(line, width * scale, 0.8, left=left * scale, color=COLOURS[kind])
    axes.set(xlim=(0, span * scale), ylim=(lines - 0.5, -0.5), xlabel="microseconds")
    axes.set_yticks(
        range(lines),
        [_label(line * span * scale, starts.get(line)) for line in range(lines)],
        fontsize=6,
    )
    top = axes.secondary_xaxis("top")
    places = _middles(duties, span)
    top.set_xticks(
        [place * scale for place in places.values()], list(places), rotation=60, fontsize=6
    )
    figure.legend(
        [Patch(color=colour) for colour in COLOURS.values()], list(COLOURS),
        loc="outside lower center", ncols=len(COLOURS), fontsize="small",
    )  # fmt: skip
    figure.suptitle(title)
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)


def _label(microseconds: float, name: str | None) -> str:
    """Return when a line begins, and the first work that begins in it."""
    return f"{short_name(name)}  {microseconds:.0f}" if name else f"{microseconds:.0f}"


def _block(name: str) -> str | None:
    """Return the number of the block that a layer belongs to."""
    return next((part for part in name.split(".") if part.isdigit()), None)


def _first_block(duties: Sequence[Duty]) -> int:
    """Cycles until the second block begins; of all work, where there is none."""
    first = next((block for duty in duties if (block := _block(duty.name))), None)
    cycles = 0
    for duty in duties:
        if _block(duty.name) not in (None, first):
            return cycles
        cycles += duty.cycles
    return cycles


def _wrapped(start: int, cycles: int, span: int) -> Iterator[tuple[int, int, int]]:
    """Cut a piece at the ends of lines: line, beginning in it, length."""
    while cycles > 0:
        line, left = divmod(start, span)
        width = min(cycles, span - left)
        yield line, left, width
        start, cycles = start + width, cycles - width


def _middles(duties: Sequence[Duty], span: int) -> dict[str, float]:
    """Return where the middle of each work of the first line is, by the last part of its name."""
    found: dict[str, float] = {}
    start = 0
    for duty in duties:
        if start >= span:
            break
        if duty.where == "circuit" or duty.name == "attention":
            found.setdefault(duty.name.rpartition(".")[2], start + duty.cycles / 2)
        start += duty.cycles
    return found
