"""Exploration: stage after stage, each only for candidates that can still be on the front."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from explore import accuracy, circuits, elements
from explore.accuracy import Score
from explore.candidate import Candidate
from explore.front import spread
from explore.search import MOST, Found, grid, sampled
from explore.space import Space
from explore.standing import Standing
from explore.task import Outcome, Task
from explore.workers import Here, Workers
from models.checks import require
from models.compare.rows import Row
from models.kept import Kept, digest_of

TRUST = ("analytic", "evaluated", "synthesized", "routed")
"""How far to go, the cheapest first."""


@dataclass(frozen=True)
class Plan:
    """How far and how much.

    Attributes
    ----------
    trust : str
        One of :data:`TRUST`.
    points : int
        Combinations that are all tried; of more, a sampler proposes so many.
    evaluate, synthesize, route : int
        Formats, elements and elements at most.
    seed : int
        Of the sampler.
    """

    trust: str = "analytic"
    points: int = MOST
    evaluate: int = 12
    synthesize: int = 4
    route: int = 1
    seed: int = 1

    def __post_init__(self) -> None:
        require(self.trust in TRUST, "trust", f"be one of {', '.join(TRUST)}", self.trust)
        require(self.points >= 1, "points", "be 1 or more", self.points)
        for name in ("evaluate", "synthesize", "route"):
            require(getattr(self, name) >= 0, name, "be 0 or more", getattr(self, name))

    def goes(self, trust: str) -> bool:
        """Whether a stage is in it."""
        return TRUST.index(trust) <= TRUST.index(self.trust)


@dataclass
class Progress:
    """What was done so far.

    Attributes
    ----------
    standing : Standing
    found : Found
    scores : dict of Row to Score
    circuits : dict of (str, str) to dict
        Answers by stage and key.
    failed : list of dict
        ``stage``, ``what``, ``reason`` and ``log`` of each task that failed.
    answered : set of str
        Digests of stage and inputs of each task that did not.
    """

    standing: Standing
    found: Found
    scores: dict[Row, Score] = field(default_factory=dict)
    circuits: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)


def explore(
    space: Space,
    plan: Plan,
    records: Path,
    kept: Kept,
    start: Callable[[], AbstractContextManager[Workers | Here]],
    save: Callable[[Progress], object] = lambda progress: None,
    say: Callable[[str], object] = lambda line: None,
    recall: bool = False,
) -> Progress:
    """Search a space.

    Every answer is kept as soon as it is there, so the same call goes on where it was stopped, and
    all choices follow from answers alone: however often it was stopped, the front is the same.

    Parameters
    ----------
    records : Path
        Folder of ``models compare``, whose perplexities are taken where they are of the same text.
    start : callable
        Starts workers; called when the first task must really be done.
    save : callable
        Told after each answer.
    recall : bool
        Whether answers that are kept are taken in the stages beyond ``plan.trust`` too.

    Raises
    ------
    ValueError, OSError
        The space holds nothing, a file is missing, or workers are not as they must be.
    """
    evaluates = plan.goes("evaluated") and space.judges_accuracy
    if plan.goes("routed"):
        for name in space.candidates.get("board", []):
            circuits.family_of(name)
    if evaluates:
        accuracy.check_texts(space)
    with tqdm(total=min(space.size, plan.points), desc="analytic", unit="point",
              leave=False) as bar:  # fmt: skip
        found = (
            grid(space, bar.update) if space.size <= plan.points
            else sampled(space, plan.points, plan.seed, bar.update)
        )  # fmt: skip
    progress = Progress(Standing(space, found), found)
    standing = progress.standing
    for row, score in accuracy.recorded(records, space).items():
        if row in standing.rows:
            progress.scores[row] = score
            standing.learn_score(row, score)
    require(bool(standing.allowed().any()), "constraints", "leave a candidate",
            f"none of {len(found.candidates)}")  # fmt: skip
    say(f"{len(found.candidates)} candidates priced ({found.sampler}), "
        f"{int(standing.open().sum())} can be on the front")  # fmt: skip
    save(progress)
    with _Runner(kept, start, progress, save, say) as runner:
        stages: dict[str, Callable[[Callable[[str], object]], None]] = {
            "evaluated": partial(_evaluate, space, plan, progress, runner),
            "synthesized": partial(_build, space, plan, progress, runner, "synthesize"),
            "routed": partial(_build, space, plan, progress, runner, "route"),
        }
        for trust, work in stages.items():
            runner.starts = plan.goes(trust)
            if runner.starts:
                work(say)
            elif recall:
                with suppress(OSError, ValueError):  # no text, no tool: no answer of theirs either
                    work(lambda line: None)
    for one in progress.failed:
        say(f"failed: {one['stage']} of {one['what']}: {one['reason']}")
    return progress


def _evaluate(
    space: Space, plan: Plan, progress: Progress, runner: "_Runner", say: Callable[[str], object]
) -> None:
    if not space.judges_accuracy:
        return
    standing = progress.standing
    possible = standing.open()
    rows = list(dict.fromkeys(row for row, may in zip(standing.rows, possible, strict=True) if may))
    unknown = [row for row in rows if row not in progress.scores]
    bits = standing.middles("bits_per_weight")
    unknown.sort(key=lambda row: bits[standing.places_of(row)[0]])
    chosen = [unknown[place] for place in _evenly(len(unknown), plan.evaluate)]
    say(f"{len(chosen)} of {len(unknown)} formats to evaluate, {len(progress.scores)} known")
    tasks = []
    for row in chosen:
        inputs = accuracy.inputs_of(space, row)
        tasks.append(Task("evaluate", inputs, accuracy.question_of(inputs)))

    def learn(place: int, answer: dict[str, Any]) -> None:
        progress.scores[chosen[place]] = Score(**answer)
        standing.learn_score(chosen[place], Score(**answer))

    runner.run(tasks, [row.label for row in chosen], learn)
    say(f"{len(progress.scores)} formats with perplexity, "
        f"{int(standing.front().sum())} candidates on the front")  # fmt: skip


def _build(
    space: Space, plan: Plan, progress: Progress, runner: "_Runner", stage: str,
    say: Callable[[str], object],
) -> None:  # fmt: skip
    standing = progress.standing
    mask = standing.front() if stage == "route" else standing.open() & standing.scored()
    places = np.flatnonzero(mask)
    chosen: dict[str, int] = {}
    most = plan.synthesize if stage == "synthesize" else plan.route
    for place in spread(np.nan_to_num(standing.values()[places])):
        if len(chosen) == most:
            break
        chosen.setdefault(standing.key(stage, int(places[place])), int(places[place]))
    say(f"{len(chosen)} elements to {stage}")
    tasks = []
    for place in chosen.values():
        inputs = elements.inputs_of(stage, standing.candidates[place], space.synthesize)
        tasks.append(Task(stage, inputs, circuits.question_of(stage, inputs)))
    keys = list(chosen)

    def learn(place: int, answer: dict[str, Any]) -> None:
        progress.circuits[stage, keys[place]] = answer
        standing.learn_circuit(stage, keys[place], answer)

    names = [_name(standing.candidates[place]) for place in chosen.values()]
    runner.run(tasks, names, learn)
    say(f"{int(standing.front().sum())} candidates on the front after {stage}")


def _evenly(count: int, most: int) -> list[int]:
    """Return places spread over so many, both ends among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(n * (count - 1) / max(1, most - 1)) for n in range(most)})


def _name(candidate: Candidate) -> str:
    return (
        f"{candidate.kind}, {candidate.lanes} lanes, {candidate.digit} of {candidate.act_bits} bits"
    )


class _Runner:
    """Does tasks: kept answers at once, others by workers, which start with the first of them.

    Attributes
    ----------
    starts : bool
        Whether others are done at all.
    """

    def __init__(
        self, kept: Kept, start: Callable[[], AbstractContextManager[Workers | Here]],
        progress: Progress, save: Callable[[Progress], object], say: Callable[[str], object],
    ) -> None:  # fmt: skip
        self._kept, self._start, self._progress = kept, start, progress
        self._save, self._say = save, say
        self._workers: Workers | Here | None = None
        self._open = ExitStack()
        self.starts = True

    def __enter__(self) -> "_Runner":
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.close()

    def run(
        self, tasks: Sequence[Task], names: Sequence[str],
        learn: Callable[[int, dict[str, Any]], object],
    ) -> None:  # fmt: skip
        """Do tasks; what fails is recorded, and the others go on."""
        if not tasks:
            return
        with tqdm(total=len(tasks), desc=tasks[0].stage, unit="task", leave=False) as bar:
            for place, outcome in self._outcomes(tasks):
                if outcome.answer is None:
                    self._progress.failed.append({
                        "stage": tasks[place].stage, "what": names[place],
                        "reason": outcome.reason, "log": outcome.log,
                    })  # fmt: skip
                else:
                    learn(place, outcome.answer)
                    done = digest_of([tasks[place].stage, tasks[place].inputs])
                    self._progress.answered.add(done)
                self._save(self._progress)
                bar.update()

    def _outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        left = []
        for place, task in enumerate(tasks):
            answer = self._kept.find(task.question)
            if answer is None:
                left.append(place)
            else:
                yield place, Outcome(answer)
        if not left or not self.starts:
            return
        if self._workers is None:
            if trouble := self._kept.trouble():
                self._say(f"answers cannot be kept in {self._kept.folder}: {trouble}")
            self._workers = self._open.enter_context(self._start())
        for place, outcome in self._workers.run([tasks[place] for place in left]):
            yield left[place], outcome
