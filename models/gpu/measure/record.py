"""Records of the measuring plan: a file for each stage, whole or not at all, kept when there."""

import json
import time
from pathlib import Path

from models.checks import require
from models.cli import nearest
from models.files import whole_file
from models.gpu.kernels import Kernels
from models.gpu.measure.bench import conditions, make_bench
from models.gpu.measure.plan import STAGES


def record(kernels: Kernels, folder: Path, only: list[str], again: bool) -> list[str]:
    """Run the stages that have no record yet.

    Parameters
    ----------
    only : list of str
        Stages; all when empty.
    again : bool
        Whether to replace records that are there.

    Returns
    -------
    list of str
        A line for each stage.
    """
    for name in only:
        require(name in STAGES, "stage", f"be one of the plan: {nearest(name, STAGES)}", name)
    folder.mkdir(parents=True, exist_ok=True)
    lines, bench = [], None
    for name, (budget, stage) in STAGES.items():
        path = folder / f"{name}.json"
        if only and name not in only:
            continue
        if path.exists() and not again:
            lines.append(f"{name:<12} there already: {path}")
            continue
        bench = bench or make_bench(kernels)
        bench.budget, begun = budget, time.monotonic()
        text = {**conditions(), "stage": name, "budget_seconds": budget}
        text["results"] = stage(bench)
        text["took_seconds"] = round(time.monotonic() - begun, 1)
        with whole_file(path) as part:
            part.write_text(json.dumps(text, indent=1) + "\n")
        lines.append(f"{name:<12} {text['took_seconds']:.0f} s: {path}")
    return lines
