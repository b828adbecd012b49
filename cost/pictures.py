"""Pictures of costs: where joules go, and rooflines."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cost.compare import Result
from cost.prices import Prices
from cost.terms import COMPONENTS, by_component
from cost.versus import OnGpu
from models.files import whole_file


def breakdown(results: Sequence[Result], path: Path) -> None:
    """Draw each result as a bar of its components; middles of intervals, ends as a line."""
    figure = Figure(figsize=(max(5, 1.1 * len(results)), 4.5), layout="constrained")
    axes = figure.subplots()
    labels = [f"{r.model.name}\n{r.storage.name}\n{r.chip.technology.name}" for r in results]
    below = [0.0] * len(results)
    parts = [by_component(one.token.terms) for one in results]
    for name in COMPONENTS:
        heights = [1e3 * part[name].middle for part in parts]
        axes.bar(labels, heights, bottom=below, label=name)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    joules = [one.token.joules for one in results]
    spread = [
        [1e3 * (j.middle - j.low) for j in joules], [1e3 * (j.high - j.middle) for j in joules]
    ]  # fmt: skip
    axes.errorbar(labels, below, spread, fmt="none", ecolor="black", capsize=3, linewidth=1)
    axes.set_ylabel("mJ a token")
    axes.legend(fontsize="small")
    axes.tick_params("x", labelsize=7)
    save(figure, path)


def rooflines(results: Sequence[Result], gpu: Prices | None, path: Path) -> None:
    """Draw products a second over products a byte: roofs, and where each model in a format is.

    Technologies differ in energy only; the last one's result stands for all.
    """
    figure = Figure(figsize=(6, 4.5), layout="constrained")
    axes = figure.subplots()
    chosen = {(r.model.name, r.storage.name): r for r in results}
    for number, one in enumerate(chosen.values()):
        config = one.chip.config
        macs = one.model.body_weights + one.model.head.weights
        rate = one.chip.memory["bandwidth"].value.high
        label = f"{one.model.name}, {one.storage.name}, {config.pe} x {config.lanes}"
        color = f"C{number}"
        _roof(axes, rate, macs / one.token.compute, label, color)
        axes.plot(macs / one.token.bytes, macs / one.token.seconds.high, "o", color=color)
    if gpu is not None:
        _roof(axes, gpu["bandwidth"].value.high, gpu["fp16"].value.high / 2, gpu.name, "black")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("products a byte of memory")
    axes.set_ylabel("products a second")
    axes.legend(fontsize="x-small")
    save(figure, path)


SHAPES = {1: "D", 0: "s"}
"""Of marks: batch 1, and a GPU's best batch."""


def against(results: Sequence[Result], gpu: str, beside: Sequence[OnGpu], path: Path) -> None:
    """Draw joules and tokens a second of our engine and of a GPU, a line for each model and format.

    Ours are bars between both ends, a color for each technology. A GPU's are marks, at batch 1 and
    at its best batch: full where measured, hollow with both ends where of a roofline.
    """
    rows = list(dict.fromkeys((model, text) for model, text, _ in beside))
    figure = Figure(figsize=(10, 1.5 + 0.45 * len(rows)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    technologies = list(dict.fromkeys(one.chip.technology.name for one in results))
    for one in results:
        name = one.chip.technology.name
        place = rows.index((one.model.name, one.storage.name))
        color = f"C{technologies.index(name)}"
        for axes, span in ((left, one.token.joules), (right, one.token.rate)):
            axes.plot([span.low, span.high], [place] * 2, "|-", color=color, alpha=0.7, linewidth=6,
                      markersize=12, solid_capstyle="butt",
                      label=f"our engine, {name}")  # fmt: skip
    for model, text, tokens in beside:
        place = rows.index((model, text))
        for token in tokens:
            label = f"{gpu}, {'' if token.batch == 1 else 'best '}batch{' 1' * (token.batch == 1)}"
            spans = [(right, token.rate)]
            spans += [(left, token.joules)] if token.joules is not None else []
            for axes, span in spans:
                axes.plot([span.low, span.high], [place] * 2, color="black", linewidth=1)
                axes.plot(span.middle, place, SHAPES[int(token.batch == 1)], color="black",
                          markerfacecolor="black" if token.measured else "white",
                          label=f"{label}, {token.origin}")  # fmt: skip
    for axes, label in ((left, "J a token"), (right, "tokens a second")):
        axes.set_xscale("log")
        axes.set_xlabel(label)
        axes.grid(axis="x", alpha=0.3)
    left.set_yticks(range(len(rows)), [f"{model}, {text}" for model, text in rows])
    left.invert_yaxis()
    marks = {label: mark for axes in (left, right) for mark, label in
             zip(*axes.get_legend_handles_labels(), strict=True)}  # fmt: skip
    figure.legend(marks.values(), marks, loc="outside lower center", ncols=3, fontsize="small")
    save(figure, path)


def _roof(axes: Axes, rate: float, roof: float, label: str, color: str) -> None:
    ridge = roof / rate
    xs, ys = [ridge / 30, ridge, ridge * 30], [roof / 30, roof, roof]
    axes.plot(xs, ys, label=label, color=color)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG file."""
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=150)
