"""Search: every combination of a space, or those that a sampler proposes."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import optuna
from numpy.typing import NDArray

from explore.analytic import MODELLED, Estimates, estimates
from explore.candidate import Candidate
from explore.metrics import METRICS
from explore.space import Space
from models.checks import require

MOST = 30000
"""Combinations that are all tried unless told otherwise."""

FEW = 300
"""Candidates of a study up to which its sampler is TPE, whose time grows with their square."""

POPULATION, MUTATION = 20, 0.3
"""Of NSGA-II: many small generations, as spaces are small."""

ASKS = 4
"""Times that a sampler may propose for each candidate that is new."""


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
    """Let a sampler of Optuna propose candidates, as many for each format and activation bits.

    Perplexity depends on these two alone, so it needs no guess: each pair has a study of its own,
    over the objectives that the model gives. The same seed proposes the same candidates.

    Raises
    ------
    ValueError
        None of them is a circuit, or no objective is one that the model gives.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    names = [name for name in space.objectives if name in MODELLED]
    rule = f"have one of {', '.join(MODELLED)} to sample by"
    require(bool(names), "objectives", rule, ", ".join(space.objectives))
    pairs = list(product(space.candidates["format"], space.candidates.get("act_bits", [8])))
    share = -(-points // len(pairs))
    found = _Proposed({}, [], {})
    for form, bits in pairs:
        _propose(space, names, {"format": form, "act_bits": bits}, share, seed, found, step)
    _some(list(found.ends), found.refused)
    every = Estimates(np.array(list(found.ends.values())), np.array(found.logic))
    name = f"{type(_sampler(share, seed)).__name__} of Optuna {optuna.__version__}, seed {seed}"
    return Found(list(found.ends), every, found.refused, name)


@dataclass(frozen=True)
class _Proposed:
    """Candidates so far: estimates' ends and logic, in their order; and what is no circuit."""

    ends: dict[Candidate, NDArray[np.float64]]
    logic: list[float]
    refused: dict[str, int]


def _propose(
    space: Space, names: list[str], fixed: dict[str, Any], share: int, seed: int,
    found: _Proposed, step: Callable[[int], object],
) -> None:  # fmt: skip
    ways: list[Literal["minimize", "maximize"]] = [
        "minimize" if METRICS[name].better == "less" else "maximize" for name in names
    ]
    columns = [MODELLED.index(name) for name in names]
    study = optuna.create_study(directions=ways, sampler=_sampler(share, seed))
    wanted = len(found.ends) + share
    for _ in range(ASKS * share):
        if len(found.ends) == wanted:
            return
        trial = study.ask()
        values = fixed | {
            name: trial.suggest_categorical(name, choices)
            for name, choices in space.candidates.items() if name not in fixed
        }  # fmt: skip
        try:
            one = space.candidate(values)
        except ValueError as error:
            found.refused[str(error)] = found.refused.get(str(error), 0) + 1
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            continue
        if one not in found.ends:
            row = estimates(space, [one])
            found.ends[one] = row.ends[0]
            found.logic.append(float(row.logic[0]))
            step(1)
        study.tell(trial, [float(found.ends[one][column].mean()) for column in columns])


def _sampler(share: int, seed: int) -> optuna.samplers.BaseSampler:
    if share > FEW:
        return optuna.samplers.NSGAIISampler(
            population_size=POPULATION, mutation_prob=MUTATION, seed=seed
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # multivariate is
        return optuna.samplers.TPESampler(multivariate=True, seed=seed)


def _some(candidates: Sequence[Candidate], refused: dict[str, int]) -> None:
    require(bool(candidates), "space", "hold a candidate that is a circuit",
            f"none: {next(iter(refused), 'it has no combination')}")  # fmt: skip


def _joined(parts: Sequence[Estimates]) -> Estimates:
    return Estimates(
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.logic for part in parts]),
    )
