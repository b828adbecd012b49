"""A format for each layer, so that the model loses least within a budget of bits per weight."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from models.checks import require


@dataclass(frozen=True)
class Candidate:
    """A format that a layer could have.

    Attributes
    ----------
    format : str
        As on the command line.
    bits : int
        All that is stored of the layer.
    loss : float
        What the model is expected to lose by it, in any unit that is common to all layers; sums
        of losses count.
    """

    format: str
    bits: int
    loss: float


@dataclass(frozen=True)
class Choices:
    """What a layer can have: one candidate at least; and how many weights it has."""

    weights: int
    candidates: Sequence[Candidate]


def allocate(layers: Mapping[str, Choices], budget: float) -> dict[str, Candidate]:
    """Choose a candidate for each layer: the least loss for a budget, or nearly so.

    Every layer starts with the candidate of fewest bits. Then come steps along the lower convex
    hulls of loss over bits, the steepest of all layers first, as long as they fit: the optimum of
    the Lagrangian (Shoham and Gersho, "Efficient bit allocation for an arbitrary set of
    quantizers", 1988), which no choice of as many bits beats. What bits are then left go to any
    candidates that lower the loss, the largest gain a bit first. The loss exceeds the least
    possible by no more than the gain of one step.

    Parameters
    ----------
    layers : mapping of str to Choices
    budget : float
        Bits per weight, of all layers together; never exceeded.

    Raises
    ------
    ValueError
        The budget is below what the smallest candidates need.
    """
    weights = sum(layer.weights for layer in layers.values())
    chosen = {name: _smallest(layer) for name, layer in layers.items()}
    need = sum(candidate.bits for candidate in chosen.values())
    rule = f"be at least the {_up(need / weights)} bits/weight of the smallest formats"
    room = int(round(budget * weights, 6)) - need  # a budget may be no binary fraction
    require(room >= 0, "budget", rule, budget)
    hulls = {name: _hull(layer.candidates) for name, layer in layers.items()}
    steps = [
        (_gain(before, after), name, after)
        for name, hull in hulls.items()
        for before, after in pairwise(hull)
    ]
    stopped: set[str] = set()
    for _, name, after in sorted(steps, key=lambda step: -step[0]):
        cost = after.bits - chosen[name].bits
        if name in stopped or cost > room:
            stopped.add(name)  # steps of a layer follow each other
            continue
        chosen[name], room = after, room - cost
    while found := _best_that_fits(layers, chosen, room):
        name, after = found
        room -= after.bits - chosen[name].bits
        chosen[name] = after
    return chosen


def _smallest(layer: Choices) -> Candidate:
    return min(layer.candidates, key=lambda candidate: (candidate.bits, candidate.loss))


def _up(bits: float) -> float:
    """Round up to what is short enough for a message."""
    return ceil(bits * 1e4) / 1e4


def _gain(before: Candidate, after: Candidate) -> float:
    """Loss that each further bit saves."""
    return (before.loss - after.loss) / (after.bits - before.bits)


def _hull(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the lower convex hull from the smallest candidate to that of least loss."""
    hull: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda one: (one.bits, one.loss)):
        if hull and candidate.loss >= hull[-1].loss:
            continue
        while len(hull) > 1 and _gain(hull[-2], hull[-1]) <= _gain(hull[-1], candidate):
            hull.pop()
        hull.append(candidate)
    return hull


def _best_that_fits(
    layers: Mapping[str, Choices], chosen: Mapping[str, Candidate], room: int
) -> tuple[str, Candidate] | None:
    """Return the layer and candidate with the largest gain a bit among those that fit."""
    better = [
        (name, candidate)
        for name, layer in layers.items()
        for candidate in layer.candidates
        if candidate.loss < chosen[name].loss and candidate.bits - chosen[name].bits <= room
    ]
    return max(better, key=lambda pair: _worth(chosen[pair[0]], pair[1]), default=None)


def _worth(before: Candidate, after: Candidate) -> float:
    """Gain a bit; without bounds for candidates that need no more bits."""
    return _gain(before, after) if after.bits > before.bits else float("inf")
