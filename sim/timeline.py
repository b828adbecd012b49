"""A token's way through the layers: a picture, and a trace for Perfetto or Chrome."""

import json
from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from models.files import whole_file
from sim.report import short_name
from sim.system import Duty

COLOURS = {"array works": "tab:green", "array waits": "tab:red"}


def trace(duties: Sequence[Duty], clock_hz: float) -> dict[str, object]:
    """Return the trace events of layers that run one after the other; times are in microseconds.

    A track each for the layers, the work of the array and the transfers of the memory.
    """
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": 0, "tid": track, "name": "thread_name", "args": {"name": name}}
        for track, name in enumerate(("layers", "array", "memory"))
    ]
    start = 0
    for duty in duties:
        spans = (duty.cycles, duty.compute, duty.transfer)
        offsets = (0, duty.cycles - duty.compute, 0)
        for track, (span, offset) in enumerate(zip(spans, offsets, strict=True)):
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
    """Draw the layers of a token one below the other along time, stalls in their own colour.

    All of a layer's stalls are drawn before its work; really, they come in between.
    """
    figure = Figure(figsize=(11, 1.5 + 0.09 * len(duties)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    start = 0
    for place, duty in enumerate(duties):
        pieces = {"array waits": duty.stalled, "array works": duty.compute}
        for kind, cycles in pieces.items():
            label = kind if place == 0 else None
            width = cycles / clock_hz * 1e6
            left = start / clock_hz * 1e6
            axes.barh(place, width, 0.9, left=left, color=COLOURS[kind], label=label)
            start += cycles
    axes.set_ylim(len(duties), -1)
    every = max(1, len(duties) // 30)
    shown = range(0, len(duties), every)
    axes.set_yticks(list(shown), [short_name(duties[place].name) for place in shown], fontsize=6)
    axes.set_xlabel("microseconds")
    axes.legend(loc="lower left", fontsize="small")
    axes.grid(axis="x", alpha=0.3)
    figure.suptitle(title)
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)
