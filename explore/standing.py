"""Standing: what is known of every candidate, and which of them can still be worth building."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cost.engine import element_area
from cost.fit import BARS
from explore.accuracy import Score
from explore.analytic import LOGIC, MODELLED, figures, token_of
from explore.elements import inputs_of, ratios
from explore.front import beaten
from explore.metrics import METRICS, Figure
from explore.search import Found
from explore.space import Space
from models.compare.rows import Row
from models.kept import digest_of

Mask = NDArray[np.bool_]


class Standing:
    """Candidates and their figures, which grow as stages are done.

    Attributes
    ----------
    space : Space
    candidates : list of Candidate
    rows : list of Row
        What decides each candidate's perplexity.
    out : dict of int to str
        Why candidates do not fit their board, or its clock.
    """

    def __init__(self, space: Space, found: Found) -> None:
        self.space, self.candidates, self._estimates = space, found.candidates, found.estimates
        rows: dict[tuple[Any, ...], Row] = {}
        self.rows = [
            rows.setdefault((one.format, one.act_bits), one.row) for one in found.candidates
        ]
        self.out: dict[int, str] = {}
        self._learned: dict[int, dict[str, Figure]] = {}
        self._middles = {name: np.full(len(self.rows), np.nan) for name in METRICS}
        for name, ends in zip(MODELLED, np.moveaxis(found.estimates.ends, 1, 0), strict=True):
            self._middles[name] = ends.mean(1)
        self._slack = self._first_slack()

    def figures(self, place: int) -> dict[str, Figure]:
        """Return what is known of a candidate, by metric."""
        return self._modelled(place) | self._learned.get(place, {})

    def learn_score(self, row: Row, score: Score) -> None:
        """Take a format's perplexity and bits, as they were measured."""
        for place in self.places_of(row):
            self._learn(place, "perplexity", Figure.of(score.perplexity, "measured", score.source))
            self._learn(place, "bits_per_weight", Figure.of(score.bits, "measured", score.source))

    def learn_circuit(self, stage: str, key: str, answer: dict[str, Any]) -> None:
        """Take what synthesis or routing gave for all candidates with that element."""
        evidence = "synthesized" if stage == "synthesize" else "routed"
        for place in [p for p in range(len(self.candidates)) if self.key(stage, p) == key]:
            if "luts" in answer:
                self._learn_luts(place, answer, evidence)
            else:
                self._learn_cells(place, answer)

    def _learn(self, place: int, name: str, figure: Figure) -> None:
        self._learned.setdefault(place, {})[name] = figure
        self._middles[name][place] = figure.middle

    def _learn_luts(self, place: int, answer: dict[str, Any], evidence: str) -> None:
        luts, board = answer["luts"], self.candidates[place].board
        if board:
            source = f"the whole engine on {board}; {answer['by']}"
        else:
            luts *= self.candidates[place].pe
            rows = f"{answer['rows']} row{'s' * (answer['rows'] > 1)} with accumulators on an ECP5"
            source = f"{rows}, times PEs; {answer['by']}"
        if answer.get("out"):
            self.out[place] = answer["out"]
        self._learn(place, "luts", Figure.of(luts, evidence, source))
        if "fmax" in answer:
            self._learn(place, "fmax", Figure.of(answer["fmax"], evidence, source))

    def _learn_cells(self, place: int, answer: dict[str, Any]) -> None:
        found = ratios(self.candidates[place], answer)
        source = f"elements on {answer['library']}, Yosys {answer['yosys']}; else the cost model"
        for name, share in (("area_mm2", self._element_area(place)),
                            ("joules_per_token", self._element_energy(place))):  # fmt: skip
            change = 1 + share * (found[name] - 1)
            figure = self._modelled(place)[name]
            ends = figure.low * change, figure.high * change
            self._learn(place, name, Figure(*ends, "synthesized", source))
            self._slack[name][place] = 0.0

    def key(self, stage: str, place: int) -> str:
        """Return the name of what a stage does for a candidate, which others may share."""
        return digest_of(inputs_of(stage, self.candidates[place], self.space.synthesize))

    def places_of(self, row: Row) -> list[int]:
        """Return the candidates of a format and activation bits."""
        return [place for place, one in enumerate(self.rows) if one is row or one == row]

    def allowed(self) -> Mask:
        """Mark what breaks no constraint, as far as that is known; ranges count by their middle."""
        fine = np.ones(len(self.candidates), bool)
        fine[list(self.out)] = False
        for name, most in self.space.at_most.items():
            fine &= ~(self.middles(name) > most)
        for name, least in self.space.at_least.items():
            fine &= ~(self.middles(name) < least)
        return fine

    def middles(self, name: str) -> NDArray[np.float64]:
        """Return a metric of all candidates; NaN where nothing is known."""
        return self._middles[name]

    def values(self) -> NDArray[np.float64]:
        """Return objectives, (candidates, objectives), less being better; NaN where unknown."""
        signs = [1 if METRICS[name].better == "less" else -1 for name in self.space.objectives]
        return np.stack([self.middles(name) for name in self.space.objectives], 1) * signs

    def decided(self) -> Mask:
        """Mark the candidates of which all objectives and constraints are known."""
        names = {*self.space.objectives, *self.space.at_most, *self.space.at_least}
        return ~np.any([np.isnan(self.middles(name)) for name in names], axis=0)

    def scored(self) -> Mask:
        """Mark the candidates whose perplexity is known, or all where nothing asks for it."""
        if not self.space.judges_accuracy:
            return np.ones(len(self.candidates), bool)
        return ~np.isnan(self.middles("perplexity"))

    def front(self) -> Mask:
        """Mark what is allowed, known in all objectives, and beaten by no other such."""
        mask = self.allowed() & self.decided()
        best, _ = self._ends(exact=True)
        mask[mask] = ~beaten(best[mask], best[mask])
        return mask

    def open(self) -> Mask:
        """Mark what can still be on the front, however far synthesis is from the model.

        What is unknown of a candidate may be as good as can be. A perplexity that is unknown is the
        same for all candidates of a format, so these are compared with each other by the rest.
        """
        mask = self.allowed()
        best, worst = self._ends(exact=False)
        known = mask & ~np.isnan(self.middles("perplexity"))
        for group in self._groups(known, mask):
            mask[group] = ~beaten(best[group], worst[group])
        return mask

    def _groups(self, known: Mask, allowed: Mask) -> Iterator[NDArray[np.intp]]:
        if "perplexity" not in self.space.objectives:
            yield np.flatnonzero(allowed)
            return
        yield np.flatnonzero(known)
        names = {row: number for number, row in enumerate(dict.fromkeys(self.rows))}
        numbers = np.array([names[row] for row in self.rows])
        for number in range(len(names)):
            group = np.flatnonzero(allowed & ~known & (numbers == number))
            if len(group):
                yield group

    def _ends(self, exact: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return objectives at best and at worst, less being better; equal ones if ``exact``."""
        best, worst = [], []
        for name in self.space.objectives:
            middle, slack = self.middles(name), self._slack.get(name, np.zeros(1)) * (not exact)
            sign = 1 if METRICS[name].better == "less" else -1
            unknown = np.isnan(middle)
            free = unknown & (name != "perplexity")
            low, high = sign * middle * (1 - sign * slack), sign * middle * (1 + sign * slack)
            best.append(np.where(free, -np.inf, np.where(unknown, 0, low)))
            worst.append(np.where(free, np.inf, np.where(unknown, 0, high)))
        return np.stack(best, 1), np.stack(worst, 1)

    def _first_slack(self) -> dict[str, NDArray[np.float64]]:
        """Return how far synthesis may move figures, as shares: the errors that the model may have.

        :data:`cost.fit.BARS` bounds those of elements' area and energy; energy counts with the part
        that logic has in the token's.
        """
        return {
            "area_mm2": np.full(len(self.candidates), BARS["area_um2"][1]),
            "joules_per_token": BARS["energy"][1] * self._estimates.logic,
        }

    def _modelled(self, place: int) -> dict[str, Figure]:
        return figures(self.candidates[place], self._estimates.ends[place])

    def _element_area(self, place: int) -> float:
        """Return the elements' share of the area."""
        candidate = self.candidates[place]
        config = candidate.config
        one = element_area(config, candidate.chip.technology).middle
        row = self._estimates.ends[place][MODELLED.index("area_mm2")]
        return one * (config.pe + 1) / 1e6 / float(row.mean())

    def _element_energy(self, place: int) -> float:
        """Return the elements' share of a token's energy, with their glitches and wires."""
        terms = token_of(self.space, self.candidates[place]).terms
        logic = [term for term in terms if term.component in LOGIC]
        around = sum(t.value.middle for t in logic if t.price.name == "wires_and_clock_tree")
        plain = sum(t.value.middle for t in logic) - around
        inside = sum(t.value.middle for t in logic if t.component == "arithmetic")
        return (inside + around * inside / plain) / sum(t.value.middle for t in terms)
