"""Search: every combination of a space, or those that a sampler proposes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explore.analytic import MODELLED, Estimates, estimates
from explore.candidate import Candidate
from explore.metrics import METRICS
from explore.space import Space
from models.checks import require

MOST = 20000
"""Combinations that are all tried unless told otherwise."""

BATCH = 50
"""Candidates that a sampler proposes at once: a generation."""


@dataclass(frozen=True)
class Found:
    """Candidates with their estimates.

    Attributes
    ----------
    candidates : list of Candidate
    estimates : Estimates
    refused : dict of str to int
        Combinations that are no circuit, by the reason.
    sampler : str
        ``grid``, or the sampler's name.
    """

    candidates: list[Candidate]
    estimates: Estimates
    refused: dict[str, int]
    sampler: str


def grid(space: Space, step: Callable[[int], object] = lambda count: None) -> Found:
    """Try every combination.

    Raises
    ------
    ValueError
        None is a circuit.
    """
    candidates: list[Candidate] = []
    refused: dict[str, int] = {}
    for one in space.grid():
        if isinstance(one, ValueError):
            refused[str(one)] = refused.get(str(one), 0) + 1
        else:
            candidates.append(one)
    _some(candidates, refused)
    parts = []
    for start in range(0, len(candidates), 1000):
        parts.append(estimates(space, candidates[start : start + 1000]))
        step(len(parts[-1].ends))
    return Found(candidates, _joined(parts), refused, "grid")


def sampled(
    space: Space, points: int, seed: int, step: Callable[[int], object] = lambda count: None
) -> Found:
    """Let Optuna's NSGA-II propose candidates, as many for each format, activation bits alike.

    Perplexity depends on these two alone, so it needs no guess: each pair has a study of its own,
    over the objectives that the model gives. The same seed proposes the same candidates.

    Raises
    ------
    ValueError
        None of them is a circuit, or no objective is one that the model gives.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = [name for name in space.objectives if name in MODELLED]
    require(bool(names), "objectives", f"have one of {', '.join(MODELLED)} to sample by",
            ", ".join(space.objectives))  # fmt: skip
    ways: list[Literal["minimize", "maximize"]] = [
        "minimize" if METRICS[name].better == "less" else "maximize" for name in names
    ]
    columns = [MODELLED.index(name) for name in names]
    formats, bits = space.candidates["format"], space.candidates.get("act_bits", [8])
    share = -(-points // (len(formats) * len(bits)))
    found: dict[Candidate, NDArray[np.float64]] = {}
    logic: list[float] = []
    refused: dict[str, int] = {}
    for pair in ((form, bit) for form in formats for bit in bits):
        sampler = optuna.samplers.NSGAIISampler(population_size=BATCH, seed=seed)
        study = optuna.create_study(directions=ways, sampler=sampler)
        for _ in range(share):
            trial = study.ask()
            values = {
                name: trial.suggest_categorical(name, choices)
                for name, choices in space.candidates.items()
                if name not in ("format", "act_bits")
            }
            try:
                one = space.candidate(values | {"format": pair[0], "act_bits": pair[1]})
            except ValueError as error:
                refused[str(error)] = refused.get(str(error), 0) + 1
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
                continue
            if one not in found:
                row = estimates(space, [one])
                found[one] = row.ends[0]
                logic.append(float(row.logic[0]))
            study.tell(trial, [float(found[one][column].mean()) for column in columns])
            step(1)
    _some(list(found), refused)
    every = Estimates(np.array(list(found.values())), np.array(logic))
    return Found(
        list(found), every, refused, f"NSGA-II of Optuna {optuna.__version__}, seed {seed}"
    )


def _some(candidates: Sequence[Candidate], refused: dict[str, int]) -> None:
    require(bool(candidates), "space", "hold a candidate that is a circuit",
            f"none: {next(iter(refused), 'it has no combination')}")  # fmt: skip


def _joined(parts: Sequence[Estimates]) -> Estimates:
    return Estimates(
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.logic for part in parts]),
    )
