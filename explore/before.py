"""What a run's folder holds already: answers that a later search in it must have too."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from explore.result import FILE, Result
from explore.space import Space
from models.checks import require


def answers_before(folder: Path, space: Space, say: Callable[[str], object]) -> frozenset[str]:
    """Return the answers of the run in a folder, as ``Progress.answered`` has them.

    A run of another space that has none is prices alone, which may be replaced; that is said.

    Raises
    ------
    ValueError
        The run is of another space and has answers, or cannot be read.
    """
    if not (folder / FILE).exists():
        return frozenset()
    try:
        found = Result.read(folder).found
    except ValueError as error:
        rule = "have a run that can be gone on with (or give another -o)"
        raise ValueError(f"{folder} must {rule}, got: {error}") from error
    mine, answers = json.loads(json.dumps(asdict(space))), frozenset(found["answered"])
    other = ", ".join(name for name in mine if mine[name] != found["space"][name])
    rule = "have a run of the same space (or give another -o)"
    require(not (answers and other), str(folder), rule, f"one of other {other}")
    if other:
        say(f"{folder}: prices of a space of other {other} are replaced")
    return answers
