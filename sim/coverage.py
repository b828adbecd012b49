"""Functional coverage: combinations of what the benches ran, those they did not, and why not."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from models.checks import require
from models.files import read_toml
from models.provenance import made_by
from sim.formats import LAYERS
from sim.passed import AXES
from sim.tools import compiler_version, verilator_version

HOLES = Path(__file__).with_name("holes.toml")
"""Every combination that is not run, with the reason."""

CROSSES: dict[str, tuple[str, ...]] = {
    "formats": ("kind", "format", "codes", "flow"),
    "digits": ("kind", "weights", "digit"),
    "mappings": ("kind", "weights", "mapping"),
    "mapped digits": ("digit", "mapping"),
    "pipelines": ("kind", "tree", "scalers"),
    "mapped pipelines": ("mapping", "tree", "scalers"),
    "activations": ("kind", "weights", "activations"),
    "pauses": ("kind", "weights", "bus", "flow"),
    "resets": ("kind", "bus", "reset"),
    "extremes": ("kind", "weights", "codes", "coefficients"),
    "paused extremes": ("bus", "flow", "codes", "coefficients"),
    "planes": ("kind", "weights", "planes"),
    "rounding": ("bus", "flow", "rounding"),
    "shapes": ("kind", "rows", "columns"),
    "features": ("kind", "feature", "flow"),
    "features on a bus": ("bus", "feature", "flow"),
    "errors of a master": ("error",),
}
"""Axes that are crossed; all combinations of their values are to be run."""

VALUES = AXES | {"format": tuple(LAYERS)}

Bin = tuple[str, ...]
"""A value for each axis of a cross."""


@dataclass(frozen=True)
class Reason:
    """Why bins of some crosses are not run.

    Attributes
    ----------
    crosses : list of str
    where : dict
        Values of some of their axes: the bins that have one of them on each.
    reason : str
    impossible : bool
        There is no such thing, so it does not count as a possible bin.
    """

    crosses: list[str]
    where: dict[str, list[str]]
    reason: str
    impossible: bool = False

    def __post_init__(self) -> None:
        for cross in self.crosses:
            require(cross in CROSSES, "cross", f"be one of {', '.join(CROSSES)}", cross)
            axes = CROSSES[cross]
            for axis in self.where:
                require(axis in axes, f"axis of {cross}", f"be one of {', '.join(axes)}", axis)
        for axis, values in self.where.items():
            for value in values:
                known = ", ".join(VALUES[axis])
                require(value in VALUES[axis], axis, f"be one of {known}", value)

    def covers(self, cross: str, one: Bin) -> bool:
        """Whether this is the reason for a bin of a cross."""
        if cross not in self.crosses:
            return False
        place = dict(zip(CROSSES[cross], one, strict=True))
        return all(place[axis] in values for axis, values in self.where.items())


@dataclass(frozen=True)
class Covered:
    """A cross, and what was run of it.

    Attributes
    ----------
    name : str
    hits : dict
        How many layers were in each bin that is possible.
    explained : dict
        The reason for each possible bin that is not run, and has one.
    impossible : dict
        The reason for each bin that is not possible.
    """

    name: str
    hits: dict[Bin, int]
    explained: dict[Bin, str]
    impossible: dict[Bin, str]

    @property
    def hit(self) -> int:
        """Bins that were run."""
        return sum(count > 0 for count in self.hits.values())

    @property
    def holes(self) -> list[Bin]:
        """Bins that are possible, were not run, and have no reason."""
        return [one for one, n in self.hits.items() if not n and one not in self.explained]


def reasons(file: Path = HOLES) -> list[Reason]:
    """Read the reasons; ``ValueError`` if one is of bins that there are not."""
    return [Reason(**entry) for entry in read_toml(file)["hole"]]


def covered(notes: Mapping[str, int], given: list[Reason]) -> list[Covered]:
    """Return what the notes of the benches, each with how often it was made, cover.

    Raises
    ------
    ValueError
        A reason is given for a bin that was run.
    """
    hits: dict[str, Counter[Bin]] = {name: Counter() for name in CROSSES}
    for text, times in notes.items():
        note = json.loads(text)
        for name, axes in CROSSES.items():
            for one in _bins(note, axes):
                hits[name][one] += times
    return [_cross(name, hits[name], given) for name in CROSSES]


def _bins(note: dict[str, str | list[str]], axes: tuple[str, ...]) -> Iterator[Bin]:
    """Give the bins of a cross in which a noted layer is."""
    values = [note.get(axis, []) for axis in axes]
    yield from product(*([value] if isinstance(value, str) else value for value in values))


def _cross(name: str, hits: Counter[Bin], given: list[Reason]) -> Covered:
    counts, explained, impossible = {}, {}, {}
    for one in product(*(VALUES[axis] for axis in CROSSES[name])):
        why = [reason for reason in given if reason.covers(name, one)]
        if why and hits[one]:
            where = ", ".join(one)
            raise ValueError(f"reason for a hole must be of bins that are not run, got {where}")
        if why and why[0].impossible:
            impossible[one] = why[0].reason
            continue
        counts[one] = hits[one]
        if why:
            explained[one] = why[0].reason
    return Covered(name, counts, explained, impossible)


def table(crosses: list[Covered]) -> str:
    """Return Markdown: a row for each cross, and one for all."""
    lines = [
        "| cross | of | bins | run | not run, with a reason | without one | impossible |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in crosses:
        axes = " x ".join(CROSSES[one.name])
        lines.append(f"| {one.name} | {axes} | {' | '.join(map(str, _figures([one])))} |")
    lines.append(f"| **all** | | {' | '.join(map(str, _figures(crosses)))} |")
    return "\n".join(lines)


def _figures(crosses: list[Covered]) -> list[int]:
    return [
        sum(len(one.hits) for one in crosses),
        sum(one.hit for one in crosses),
        sum(len(one.explained) for one in crosses),
        sum(len(one.holes) for one in crosses),
        sum(len(one.impossible) for one in crosses),
    ]


def unexplained(crosses: list[Covered]) -> list[str]:
    """Return the holes without a reason, each as its cross and its values."""
    return [f"{one.name}: {', '.join(hole)}" for one in crosses for hole in one.holes]


def explanations(crosses: list[Covered]) -> str:
    """Return Markdown: each reason, and how many bins of which cross it is of."""
    lines = []
    for one in crosses:
        for what, found in (("not run", one.explained), ("impossible", one.impossible)):
            for reason, bins in Counter(found.values()).items():
                lines.append(f"- {one.name}, {bins} {what}: {reason}.")
    return "\n".join(lines)


def record(crosses: list[Covered], commits: list[str], ran: int, parts: int) -> dict[str, Any]:
    """Return what is kept of a run, with the command and the commits on which its parts ran."""
    by = made_by("python -m sim", "cocotb", "cocotbext-axi")
    tools = {"verilator": verilator_version(), "compiler": compiler_version()}
    return {
        "by": by | tools | {"commit": ", ".join(commits)},
        "parts": {"run": ran, "of": parts},
        "crosses": {
            one.name: {
                "axes": CROSSES[one.name],
                "bins": len(one.hits),
                "run": one.hit,
                "explained": len(one.explained),
                "unexplained": len(one.holes),
                "impossible": len(one.impossible),
                "layers": sum(one.hits.values()),
            }
            for one in crosses
        },
        "reasons": explanations(crosses).splitlines(),
        "unexplained": unexplained(crosses),
    }
