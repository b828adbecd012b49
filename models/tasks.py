"""Tasks of lm-eval, an optional package, on the exact reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from models.checks import require
from models.cli import nearest
from models.eval import check_layers
from models.llm import LLM
from models.modules import ReferenceLinear, replace_layers
from models.store import BitplaneFile


@dataclass(frozen=True)
class TaskScore:
    """A metric of a task.

    Attributes
    ----------
    metric : str
        As lm-eval names it, with the filter of the answers: ``acc,none``.
    stderr : float or None
        Standard error of ``value``, where lm-eval gives one.
    """

    task: str
    metric: str
    value: float
    stderr: float | None


def run_tasks(
    llm: LLM,
    file: BitplaneFile,
    names: Sequence[str],
    limit: int | None = None,
    folder: Path | None = None,
) -> list[TaskScore]:
    """Let lm-eval ask the model whose linear layers are the file's, computed in integers.

    The model is used up: its layers are replaced.

    Parameters
    ----------
    names : sequence of str
        Tasks and groups of tasks.
    limit : int or None
        Most documents of a task.
    folder : Path or None
        With tasks of one's own, as YAML files.

    Raises
    ------
    ValueError
        lm-eval is not installed, there is no such task, or the layers are not the model's.
    OSError
        The data of a task cannot be had.
    """
    require(limit is None or limit >= 1, "limit", "be 1 or more", limit)
    check_layers(llm, file)
    tasks = _load(names, folder)
    replace_layers(llm.model, (file.layer(name) for name in file.names), ReferenceLinear)
    found = import_module("lm_eval").simple_evaluate(
        adapter(llm), tasks=tasks, limit=limit, log_samples=False
    )
    return [score for task, figures in found["results"].items() for score in _scores(task, figures)]


def adapter(llm: LLM) -> Any:
    """Return the model as lm-eval takes it: whatever its layers are, its tokenizer its own."""
    hf = import_module("lm_eval.models.huggingface")
    return hf.HFLM(pretrained=llm.model, tokenizer=llm.tokenizer, backend="causal", batch_size=1)


def report(scores: Sequence[TaskScore]) -> str:
    """Return the scores as a table."""
    lines = [f"{'task':<32} {'metric':<24}    value   stderr"]
    for score in scores:
        stderr = "-" if score.stderr is None else f"{score.stderr:.4f}"
        lines.append(f"{score.task:<32} {score.metric:<24} {score.value:8.4f} {stderr:>8}")
    return "\n".join(lines)


def _load(names: Sequence[str], folder: Path | None) -> list:
    """Return the tasks of these names, with their data."""
    try:
        known = import_module("lm_eval.tasks")
    except ImportError as error:
        raise ValueError(
            f"--tasks must have the package lm-eval, got: {error}; pip install 'planesmith[tasks]'"
        ) from error
    manager = known.TaskManager(include_path=folder)
    for name in names:
        if name not in manager.all_tasks:
            hint = nearest(name, manager.all_tasks)
            raise ValueError(f"task must be one of lm-eval's, got '{name}'; {hint}")
    tasks = []
    for name in names:
        try:
            tasks += manager.load(name)["tasks"].values()
        except Exception as error:  # whatever the reader of its data raises
            line = " ".join(str(error).split())
            raise OSError(f"task {name} must have its data in reach, got: {line}") from error
    return tasks


def _scores(task: str, figures: dict[str, Any]) -> list[TaskScore]:
    found = []
    for metric, value in figures.items():
        name, _, answers = metric.partition(",")
        if not answers or name.endswith("_stderr") or not isinstance(value, int | float):
            continue
        stderr = figures.get(f"{name}_stderr,{answers}")
        known = isinstance(stderr, int | float)
        found.append(TaskScore(task, metric, float(value), float(stderr) if known else None))
    return found
