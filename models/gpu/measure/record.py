"""Records of the measuring plan: a file for each stage, whole or not at all, kept when there."""

import json
import time
from pathlib import Path
from typing import Any

from models.checks import require
from models.cli import nearest
from models.files import whole_file
from models.gpu.kernels import Kernels
from models.gpu.measure.bench import FAILED, conditions, make_bench
from models.gpu.measure.plan import STAGES


def record(kernels: Kernels, folder: Path, only: list[str], again: bool) -> list[str]:
    """Run the stages that have no record of this commit and GPU yet; others are replaced.

    Parameters
    ----------
    only : list of str
        Stages; all when empty.
    again : bool
        Whether to replace those, too.

    Returns
    -------
    list of str
        A line for each stage.

    Raises
    ------
    ValueError
        There is no such stage; or, when all have run, cases of them failed.
    """
    for name in only:
        require(name in STAGES, "stage", f"be one of the plan: {nearest(name, STAGES)}", name)
    folder.mkdir(parents=True, exist_ok=True)
    lines, failed, bench = [], [], None
    for name, (budget, stage) in STAGES.items():
        path = folder / f"{name}.json"
        if only and name not in only:
            continue
        if not again and _is_of(path, conditions()):
            lines.append(f"{name:<12} there already: {path}")
            continue
        bench = bench or make_bench(kernels)
        bench.budget, begun = budget, time.monotonic()
        text = {**conditions(), **bench.found(), "stage": name, "budget_seconds": budget}
        text["results"] = stage(bench)
        failed += [f"{name}, {case}" for case, result in text["results"].items()
                   if str(result).startswith(FAILED)]  # fmt: skip
        text["took_seconds"] = round(time.monotonic() - begun, 1)
        with whole_file(path) as part:
            part.write_text(json.dumps(text, indent=1) + "\n")
        lines.append(f"{name:<12} {text['took_seconds']:.0f} s: {path}")
    require(not failed, "cases", "end well", f"{len(failed)} that did not: {'; '.join(failed)}")
    return lines


def _is_of(path: Path, now: dict[str, Any]) -> bool:
    """Whether there is a record of the same commit, GPU and PyTorch."""
    try:
        known = json.loads(path.read_text("utf-8"))
        return all(known[name] == now[name] for name in ("commit", "gpu", "torch"))
    except (OSError, ValueError, TypeError, LookupError):
        return False
