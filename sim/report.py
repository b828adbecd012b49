"""Table and picture of layers that ran on the circuit."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hwgen.config import HardwareConfig
from models.files import whole_file
from sim.layer import LayerRun
from sim.real import Errors

Result = tuple[LayerRun, Errors]

HEADINGS = (
    "layer", "out x in", "bits/w", "weight err", "output err",
    "predicted", "measured", "utilization", "integers equal",
)  # fmt: skip


def row(result: Result) -> tuple[str, ...]:
    """Return the cells of a layer, as ``HEADINGS`` names them."""
    run, errors = result
    return (
        short_name(run.name),
        f"{run.out} x {run.inputs}",
        f"{run.bits_per_weight:.3f}",
        "-" if errors.weight is None else f"{errors.weight:.4f}",
        f"{errors.output:.4f}",
        str(run.predicted),
        str(run.measured),
        f"{100 * run.utilization:.1f} %",
        f"{run.equal} of {run.integers}",
    )


def table(results: Sequence[Result]) -> str:
    """Return a text table, one line a layer."""
    cells = [HEADINGS, *(row(result) for result in results)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )


def as_json(result: Result) -> dict[str, object]:
    """Return a layer's figures for scripts."""
    run, errors = result
    return {
        "layer": run.name,
        "out": run.out,
        "in": run.inputs,
        "tokens": run.tokens,
        "bits_per_weight": run.bits_per_weight,
        "weight_error": errors.weight,
        "output_error": errors.output,
        "predicted_cycles": run.predicted,
        "measured_cycles": run.measured,
        "utilization": run.utilization,
        "integers": run.integers,
        "equal": run.equal,
        "verified": run.verified,
    }


def short_name(name: str) -> str:
    """Return the last three parts of a layer's dotted name."""
    return ".".join(name.split(".")[-3:])


def picture(results: Sequence[Result], config: HardwareConfig, title: str, path: Path) -> None:
    """Draw cycles, utilization and error of each layer into a PNG file."""
    figure = Figure(figsize=(11, 1.6 + 0.45 * len(results)), layout="constrained")
    FigureCanvasAgg(figure)
    names = [short_name(run.name) for run, _ in results]
    places = range(len(results))
    cycles, busy, error = figure.subplots(1, 3, sharey=True, width_ratios=[2, 1, 1])
    cycles.barh(
        [y - 0.2 for y in places], [run.predicted for run, _ in results], 0.38, label="predicted"
    )
    cycles.barh(
        [y + 0.2 for y in places], [run.measured for run, _ in results], 0.38,
        label="measured on the RTL",
    )  # fmt: skip
    cycles.set_yticks(list(places), names)
    cycles.invert_yaxis()
    cycles.set_xlabel(f"cycles for {results[0][0].tokens} tokens")
    cycles.legend(loc="upper right", fontsize="small")
    busy.barh(list(places), [100 * run.utilization for run, _ in results], 0.6, color="tab:green")
    busy.set_xlim(0, 100)
    busy.set_xlabel("utilization, %")
    error.barh(list(places), [errors.output for _, errors in results], 0.6, color="tab:red")
    error.set_xlabel("relative output error")
    for axes in (cycles, busy, error):
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    verified = all(run.verified for run, _ in results)
    verdict = "every integer equal" if verified else "NOT EQUAL"
    shape = f"{config.pe} PEs x {config.lanes} lanes, k={config.k}, {config.act_bits}-bit inputs"
    figure.suptitle(f"{title} on {shape}: {verdict}")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=120)
