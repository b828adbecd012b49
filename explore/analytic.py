"""The first stage: what the cost model says of candidates, thousands a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cost.engine import Token, token
from cost.storage import storage_of
from cost.terms import total
from explore.candidate import Candidate
from explore.metrics import Figure
from explore.space import UNKNOWN, Space
from explore.storage import storage_for, stored_bits

MODELLED = ("joules_per_token", "tokens_per_second", "area_mm2", "bits_per_weight")
"""Metrics that the model gives."""

LOGIC = ("arithmetic", "scaling", "control")
"""Components whose energy is fitted to synthesis."""


@dataclass(frozen=True)
class Estimates:
    """What the model says of candidates.

    Attributes
    ----------
    ends : float64, (candidates, 4, 2)
        Both ends of each metric of :data:`MODELLED`, in its unit; NaN where nothing is known.
    logic : float64, (candidates,)
        Share of a token's energy that is :data:`LOGIC`.
    """

    ends: NDArray[np.float64]
    logic: NDArray[np.float64]


def token_of(space: Space, candidate: Candidate) -> Token:
    """Return what a token of the space's model costs on a candidate."""
    storage, head = storage_for(candidate.spec), _head(space.head)
    return token(space.shape, storage, head, candidate.chip, space.context)


def estimates(space: Space, candidates: Sequence[Candidate]) -> Estimates:
    """Price candidates one by one."""
    found = Estimates(np.empty((len(candidates), len(MODELLED), 2)), np.empty(len(candidates)))
    for place, candidate in enumerate(candidates):
        done = token_of(space, candidate)
        joules, seconds = done.joules, done.seconds
        bits = stored_bits(candidate.spec, space.shape)
        found.ends[place] = (
            (joules.low, joules.high), (1 / seconds.high, 1 / seconds.low),
            (done.area.low / 1e6, done.area.high / 1e6), (bits, bits),
        )  # fmt: skip
        if candidate.board:
            found.ends[place, [MODELLED.index(name) for name in UNKNOWN]] = np.nan
        logic = total(term for term in done.terms if term.component in LOGIC)
        found.logic[place] = logic.middle / joules.middle
    return found


def figures(candidate: Candidate, row: NDArray[np.float64]) -> dict[str, Figure]:
    """Return a candidate's row of ``ends`` as figures with their sources."""
    prices = f"cost model, prices of {candidate.technology} and {candidate.memory}"
    memory = candidate.chip.memory
    speed = f"cycles of the tiling, bandwidth of {memory.name} ({memory['bandwidth'].source})"
    sources = (prices, speed, prices, "storage of the format")
    return {
        name: Figure(float(low), float(high), "modelled", source)
        for name, (low, high), source in zip(MODELLED, row, sources, strict=True)
        if not np.isnan(low)
    }


_head = cache(storage_of)
