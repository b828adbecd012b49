"""Result of an exploration: one file, written whole after every answer, and read by everything."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cost.gpu import GpuToken
from cost.measured import RECORDS as GPU_RECORDS
from cost.measured import measured
from cost.prices import Prices
from cost.storage import storage_of
from cost.technology import gpus
from cost.terms import by_component
from cost.versus import ends, on_gpu
from explore.analytic import token_of
from explore.candidate import Candidate
from explore.front import spread
from explore.metrics import METRICS, Figure
from explore.run import Plan, Progress
from explore.sensitivity import stays, swings
from explore.storage import storage_for
from models.checks import require
from models.files import blaming, whole_file
from models.kept import digest_of
from models.provenance import made_by

if TYPE_CHECKING:
    import pandas

FILE = "run.json"
VERSION = 2
MOST_DETAILED = 300
"""Points of the front that are explained, spread over it."""

NEAR = 2000
"""Candidates beside the front whose place is looked at when prices move."""


def result_of(progress: Progress, plan: Plan, gpu_records: Path = GPU_RECORDS) -> dict[str, Any]:
    """Return all that is known, as plain data.

    Parameters
    ----------
    gpu_records : Path
        Folder of ``models.gpu record``; it need not exist.
    """
    standing, space = progress.standing, progress.standing.space
    front, open_ = standing.front(), standing.open()
    places = np.flatnonzero(front)
    details = sorted(places[[*islice(spread(standing.values()[places]), MOST_DETAILED)]])
    return {
        "version": VERSION,
        "by": made_by("python -m sim"),
        "space": asdict(space),
        "plan": asdict(plan),
        "sampler": progress.found.sampler,
        "refused": progress.found.refused,
        "counts": {
            "analytic": len(standing.candidates),
            "evaluated": len(progress.scores),
            "synthesized": sum(stage == "synthesize" for stage, _ in progress.circuits),
            "routed": sum(stage == "route" for stage, _ in progress.circuits),
            "front": int(front.sum()),
            "failed": len(progress.failed),
        },
        "failed": progress.failed,
        "answered": sorted(progress.answered),
        "out": {str(place): reason for place, reason in standing.out.items()},
        "candidates": {
            name: [getattr(one, name) for one in standing.candidates]
            for name in Candidate.__dataclass_fields__
        },
        "metrics": {name: _listed(standing.middles(name)) for name in METRICS},
        "front": np.flatnonzero(front).tolist(),
        "open": np.flatnonzero(open_ & ~standing.decided()).tolist(),
        "details": {str(place): _detail(progress, int(place)) for place in details},
        "references": _references(progress, gpu_records),
        "sensitivity": _sensitivity(progress, front),
    }


def _detail(progress: Progress, place: int) -> dict[str, Any]:
    standing = progress.standing
    candidate, space = standing.candidates[place], standing.space
    token = token_of(space, candidate)
    parts = {} if candidate.board else by_component(token.terms)
    scaled = candidate.chip.technology.warnings
    score = progress.scores.get(standing.rows[place])
    calibrate = score.calibrate if score else space.evaluate.calibrate
    windows = score.windows if score else space.evaluate.windows
    return {
        "place": candidate.place,
        "figures": {name: asdict(one) for name, one in standing.figures(place).items()},
        "command": candidate.command(space.model, calibrate, windows),
        "price": candidate.price(space.priced_model, space.head, space.context),
        "joules": {name: [value.low, value.high] for name, value in parts.items()},
        "seconds": {
            "array": [token.compute] * 2, "memory": [token.transfer.low, token.transfer.high],
        },
        "swings": [] if candidate.board else [asdict(one) for one in swings(token)],
        "warnings": [one for one in token.warnings if not (candidate.board and one in scaled)],
    }  # fmt: skip


def _references(progress: Progress, records: Path) -> list[dict[str, Any]]:
    """Return the float model, and what GPUs make of it and of formats that were measured on them.

    A GPU's figures are measured ones where there are records of it, else those of a roofline: at
    batch 1 and at the batch with the fewest joules. Of formats with equal storage the one with the
    lowest perplexity stands for all; none has a roofline. Formats of rotated inputs are not among
    them: no GPU was measured rotating.
    """
    space, scores = progress.standing.space, progress.scores
    wide, base = storage_of("fp16"), {}
    found = []
    if scores:
        first = next(iter(scores.values()))
        base = {"perplexity": asdict(Figure.of(first.base, "measured", first.source))}
        found.append({"name": "float model", "figures": base})
    formats: dict[str, dict[str, Any]] = {}
    plain = [(row, score) for row, score in scores.items() if not row.rotate]
    for row, score in sorted(plain, key=lambda pair: pair[1].perplexity):
        figure = asdict(Figure.of(score.perplexity, "measured", score.source))
        formats.setdefault(row.format, {"perplexity": figure})
    for gpu in gpus().values():
        try:
            tokens = on_gpu(space.shape, wide, wide, gpu, space.context, records)
        except ValueError:  # the float model does not fit its memory
            tokens = []
        found += [_reference(gpu, "FP16", one, base) for one in ends(tokens)]
        seen = set[tuple[int, bool]]()
        for text, known in formats.items():
            storage = storage_for(text)
            alike = storage.planes, storage.ternary
            tokens = ends(measured(records, gpu.name, space.shape, storage))
            if tokens and alike not in seen:
                seen.add(alike)
                found += [_reference(gpu, text, one, known) for one in tokens]
    return found


def _reference(gpu: Prices, text: str, token: GpuToken, known: dict[str, Any]) -> dict[str, Any]:
    """Return what a GPU makes of a format, with what is known of the format itself."""
    evidence = "measured" if token.measured else "modelled"
    origin = token.source if token.measured else f"roofline of {gpu['bandwidth'].source}"
    source = f"{origin}; {token.context} tokens before"
    figures = {"tokens_per_second": token.rate, "joules_per_token": token.read_joules}
    return {
        "name": f"{gpu.name}, {text}, batch {token.batch}, {token.origin}",
        "figures": known | {
            name: asdict(Figure.of(value, evidence, source))
            for name, value in figures.items()
        },
    }  # fmt: skip


def _sensitivity(progress: Progress, front: Any) -> dict[str, Any]:
    standing, space = progress.standing, progress.standing.space
    if "joules_per_token" not in space.objectives or not front.any():
        return {}
    column = space.objectives.index("joules_per_token")
    places = np.flatnonzero(standing.open() & standing.decided() | front)[:NEAR]
    tokens = [token_of(space, standing.candidates[place]) for place in places]
    return stays(standing.values()[places], column, tokens)


def _listed(values: Any) -> list[float | None]:
    return [None if np.isnan(one) else float(f"{one:.6g}") for one in values]


def write_result(found: dict[str, Any], folder: Path) -> None:
    """Write a result to a folder; an older one stays until the new one is whole.

    Raises
    ------
    OSError
        It cannot be written.
    """
    with blaming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with blaming(folder / FILE), whole_file(folder / FILE) as part:
        part.write_text(json.dumps(found | {"digest": digest_of(found)}, allow_nan=False) + "\n")


@dataclass(frozen=True)
class Point:
    """A candidate of a result.

    Attributes
    ----------
    number : int
        Its place among all.
    candidate : Candidate
    metrics : dict of str to float
        Middles of what is known.
    front : bool
        Whether no other known one beats it.
    """

    number: int
    candidate: Candidate
    metrics: dict[str, float]
    front: bool


class Result:
    """What an exploration found.

    Parameters
    ----------
    found : dict
        As :func:`result_of` makes it.
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    @classmethod
    def read(cls, folder: Path) -> "Result":
        """Read a result from its folder.

        Raises
        ------
        ValueError
            The file is not whole, or of another version.
        OSError
            There is none.
        """
        file = folder / FILE if folder.is_dir() else folder
        if not file.is_file():
            raise FileNotFoundError(f"{folder} must be a run of python -m sim explore, got none")
        try:
            found = json.loads(file.read_text("utf-8"))
            digest = found.pop("digest")
        except (ValueError, KeyError, AttributeError) as error:
            raise ValueError(f"{file} must be a whole result, got: {error}") from error
        require(found.get("version") == VERSION, f"version of {file}", f"be {VERSION}",
                found.get("version"))  # fmt: skip
        require(digest == digest_of(found), str(file), "be as it was written", "it changed")
        return cls(found)

    @cached_property
    def points(self) -> list[Point]:
        """All candidates."""
        return list(self._points())

    @property
    def front(self) -> list[Point]:
        """The candidates that no other known one beats."""
        return [self.points[place] for place in self.found["front"]]

    def frame(self, front: bool = False) -> "pandas.DataFrame":
        """Return candidates with their metrics, one a line; units as in :data:`METRICS`.

        Parameters
        ----------
        front : bool
            Only those on the front.
        """
        import pandas

        table = pandas.DataFrame(self.found["candidates"] | self.found["metrics"])
        table["front"] = table.index.isin(self.found["front"])
        return table[table["front"]].drop(columns="front") if front else table

    def figures(self, number: int) -> "pandas.DataFrame":
        """Return each figure of a point of the front: both ends, evidence, source."""
        import pandas

        detail = self.found["details"].get(str(number))
        require(detail is not None, "point", "be one of the front", number)
        return pandas.DataFrame(detail["figures"]).T

    def _points(self) -> Iterator[Point]:
        columns, front = self.found["candidates"], set(self.found["front"])
        for number, values in enumerate(zip(*columns.values(), strict=True)):
            metrics = {
                name: column[number] for name, column in self.found["metrics"].items()
                if column[number] is not None
            }  # fmt: skip
            candidate = Candidate(**dict(zip(columns, values, strict=True)))
            yield Point(number, candidate, metrics, number in front)
