"""A campaign of bit flips: what wrong bits in a circuit's storage do to a model's predictions.

Stages in which a bit is wrong run on the Verilated circuit; all others are computed by the
reference, which gives the same integers (``sim verify``) sooner.
"""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hwgen.config import HardwareConfig
from hwgen.tiling import Tiling
from models.bitplane import BitplaneLayer
from models.encode import Codes
from models.files import whole_file
from models.llm import LLM
from models.modules import replace_layers
from models.reference import ReadyStage
from models.stand_in import StandIn
from models.store import BitplaneFile
from sim.circuit import StagedExecution, expected
from sim.engine import Engine
from sim.fit import coded_stages
from sim.upsets import SITES, Storage, run_upset, shared_out, storage

Places = dict[str, dict[str, np.ndarray]]
"""Wrong bits by stage, then by site."""


@dataclass(frozen=True)
class Trial:
    """What some wrong bits did.

    Attributes
    ----------
    site : str
    bits : int
        Wrong at once, or, of accumulators, in the course of the pass.
    number : int
        Of the trial; it and the campaign's seed decide everything random.
    loss : float or None
        Mean of the negative logarithm of each next token's probability; None where a layer
        refused to go on, because its inputs were no longer finite.
    divergence : float or None
        Mean Kullback-Leibler divergence of the predictions from those without faults, in nats.
    changed : float
        Share of the tokens whose most likely successor changed.
    logit : float or None
        Largest difference of a logit.
    """

    site: str
    bits: int
    number: int
    loss: float | None
    divergence: float | None
    changed: float
    logit: float | None


@dataclass
class Campaign:
    """What is asked of a campaign, and what it found so far.

    Attributes
    ----------
    seed, tokens : int
        Tokens of the text that are read.
    counts : list of int
        Wrong bits of a trial.
    trials : int
        Of each count and site.
    content : str
        Hash of the file, the circuit and the text.
    loss : float
        Without faults.
    sizes : dict of str to int
        Places of each site; of accumulators, bits times cycles.
    done : list of Trial
    """

    seed: int
    tokens: int
    counts: list[int]
    trials: int
    content: str
    loss: float = 0.0
    sizes: dict[str, int] = field(default_factory=dict)
    done: list[Trial] = field(default_factory=list)

    def rest(self) -> Iterator[tuple[str, int, int]]:
        """Give site, bits and number of each trial that is not done."""
        done = {(trial.site, trial.bits, trial.number) for trial in self.done}
        for site in SITES:
            for bits in self.counts:
                for number in range(self.trials):
                    if (site, bits, number) not in done:
                        yield site, bits, number

    def save(self, path: Path) -> None:
        """Write the campaign as JSON."""
        with whole_file(path) as part:
            part.write_text(json.dumps(asdict(self), indent=1) + "\n")


def resumed(start: Campaign, path: Path) -> Campaign:
    """Return the campaign of a file, if it is this one."""
    try:
        kept = json.loads(path.read_text())
        kept["done"] = [Trial(**trial) for trial in kept["done"]]
        found = Campaign(**kept)
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return start
    asked = ("seed", "tokens", "counts", "trials", "content")
    return found if all(getattr(found, key) == getattr(start, key) for key in asked) else start


class UpsetLayer(StandIn):
    """A layer whose stages with wrong bits run on the circuit, the others on the reference."""

    def __init__(self, layer: BitplaneLayer, engine: Engine, places: Places) -> None:
        super().__init__(layer.name)
        self.execution = _Upset(layer, engine, places)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; float32, (..., inputs) to (..., out)."""
        return self.execution(x)


class _Upset(StagedExecution):
    def __init__(self, layer: BitplaneLayer, engine: Engine, places: Places) -> None:
        super().__init__(layer)
        self._engine, self._places = engine, places
        self._ready = [[ReadyStage(stage) for stage in path.stages] for path in layer.paths]

    def run_stage(self, path: int, number: int, codes: Codes) -> Tensor:
        ready = self._ready[path][number]
        wrong = self._places.get(f"{self.layer.name} {path} {number}")
        if wrong is None:
            return expected(ready, codes)
        before = self.layer.paths[path].stages[number - 1].requantize if number else None
        exponents = None if codes.exponents is None else codes.exponents.numpy()
        bits = before.bits if before else 16
        values = codes.values.numpy()
        return torch.from_numpy(
            run_upset(self._engine, ready.stage, bits, values, exponents, wrong)
        )


def storages(
    file: BitplaneFile, config: HardwareConfig, tokens: int
) -> dict[str, dict[str, Storage]]:
    """Return the storage of each site in each stage of a file."""
    found: dict[str, dict[str, Storage]] = {site: {} for site in SITES}
    for name in file.names:
        layer = file.layer(name)
        bits = iter(coded_stages(layer))
        for number, path in enumerate(layer.paths):
            for step in range(len(path.stages)):
                stage, codes = next(bits)
                tiling = Tiling.of(stage, config, codes.bits)
                for site in SITES:
                    key = f"{name} {number} {step}"
                    found[site][key] = storage(site, tiling, config, tokens)
    return found


def run_campaign(
    llm: LLM,
    file: BitplaneFile,
    ids: Tensor,
    config: HardwareConfig,
    start: Campaign,
    state: Path,
    progress: Callable[[], object] = lambda: None,
) -> Campaign:
    """Run the trials that an earlier campaign with the same state file left.

    The model is used up: its layers are replaced.

    Parameters
    ----------
    ids : int64, (1, tokens)
    progress : callable
        Called after each trial.
    """
    campaign = resumed(start, state)
    places: Places = {}
    engine = Engine(config, upsets=True)
    layers = map(file.layer, file.names)
    replace_layers(llm.model, layers, lambda layer: UpsetLayer(layer, engine, places))
    right = _logits(llm, ids)
    campaign.loss = _loss(right, ids)
    where = storages(file, config, ids.shape[1])
    campaign.sizes = {site: sum(one.size for one in where[site].values()) for site in SITES}
    for site, bits, number in list(campaign.rest()):
        rng = np.random.default_rng([campaign.seed, SITES.index(site), bits, number])
        names, boxes = list(where[site]), list(where[site].values())
        shares = shared_out(rng, [box.size for box in boxes], bits)
        places.clear()
        for index, count in shares.items():
            places[names[index]] = {site: boxes[index].draw(rng, count)}
        campaign.done.append(_trial(llm, ids, right, site, bits, number))
        campaign.save(state)
        progress()
    engine.close()
    return campaign


def _trial(llm: LLM, ids: Tensor, right: Tensor, site: str, bits: int, number: int) -> Trial:
    try:
        wrong = _logits(llm, ids)
    except ValueError:
        return Trial(site, bits, number, None, None, 1.0, None)
    old, new = (logits.double().log_softmax(-1) for logits in (right, wrong))
    return Trial(
        site, bits, number,
        loss=_loss(wrong, ids),
        divergence=float((old.exp() * (old - new)).sum(-1).mean()),
        changed=float((right.argmax(-1) != wrong.argmax(-1)).double().mean()),
        logit=float((right - wrong).abs().max()),
    )  # fmt: skip


def _logits(llm: LLM, ids: Tensor) -> Tensor:
    """Return the predictions after each token; float32, (tokens, vocabulary)."""
    with torch.no_grad():
        return llm.model(input_ids=ids, use_cache=False).logits[0]


def _loss(logits: Tensor, ids: Tensor) -> float:
    chances = logits[:-1].double().log_softmax(-1)
    return -float(chances.gather(1, ids[0, 1:, None]).mean())


def perplexity(loss: float | None) -> float:
    """Return the perplexity of a loss; infinite where there is none, or no float has it."""
    return math.exp(loss) if loss is not None and loss < 700 else math.inf


def table(campaign: Campaign) -> str:
    """Return medians and worst of each site and number of bits."""
    base = perplexity(campaign.loss)
    lines = [f"{campaign.tokens} tokens, perplexity {base:.4g} without faults"]
    lines.append(f"{'wrong bits in':<14}{'number':>8}{'of':>10}{'perplexity':>12}{'worst':>10}"
                 f"{'divergence':>12}{'changed':>9}")  # fmt: skip
    for site in SITES:
        for bits in campaign.counts:
            group = [t for t in campaign.done if (t.site, t.bits) == (site, bits)]
            if not group:
                continue
            losses = sorted(math.inf if t.loss is None else t.loss for t in group)
            apart = sorted(math.inf if t.divergence is None else t.divergence for t in group)
            middle = len(group) // 2
            changed = 100 * sum(trial.changed for trial in group) / len(group)
            lines.append(
                f"{site:<14}{bits:>8}{campaign.sizes[site]:>10.3g}"
                f"{perplexity(losses[middle]):>12.4g}{perplexity(losses[-1]):>10.3g}"
                f"{apart[middle]:>12.3g}{changed:>8.1f}%"
            )
    return "\n".join(lines)
