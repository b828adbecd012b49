"""Every format on every kind of circuit: what runs there, in how many passes, and what does not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from hwgen.config import HardwareConfig
from hwgen.weights import passes
from models.bitplane import BitplaneLayer, Path
from models.codes import Activation
from models.formats import parse
from sim.cases import FLOWS
from sim.engine import Engine
from sim.fit import fitted
from sim.jobs import Job, can_link
from sim.layer import jobs_of
from sim.passed import code_limits, passed

OUT, INPUTS, TOKENS = 9, 32, 2
"""Of the layers: more rows than a circuit's, and not whole tiles of them."""

LAYERS: dict[str, tuple[str, Activation]] = {
    "sbvr": ("sbvr:k=2,group=8,table=4", Activation()),
    "signs": ("signs:k=3,group=8", Activation()),
    "signs, 8-bit coefficients": ("signs:k=2,group=8,coef_bits=8", Activation()),
    "signs, group scales": (
        "signs:k=2,group=8",
        Activation(scale="group", group=8, exponents=7),
    ),
    "signs, static scale": ("signs:k=1,scale=row", Activation(scale="static", value=0.03)),
    "ternary": ("ternary", Activation()),
    "ternary, groups": ("ternary:scale=group,group=8", Activation()),
    "int": ("int:bits=4,group=8", Activation()),
    "int, symmetric": ("int:bits=3,scale=row,range=symmetric", Activation()),
    "fdb": ("fdb:group=8", Activation()),
    "binary": ("binary", Activation()),
    "binary, 1-bit activations": ("binary", Activation(bits=1, signed=False)),
    "billm": ("billm:block=16,salient=4", Activation()),
    "arb": ("arb:scales=both,block=16,salient=4", Activation()),
    "pbllm": ("pbllm", Activation()),
    "onebit": ("onebit:post=layernorm", Activation()),
    "jsq": ("jsq:bits=4", Activation()),
    "sdq": ("sdq:block=8,osr=2.5", Activation()),
    "sdq, binary": ("sdq:block=8,levels=binary", Activation()),
    "sdq, repeat": ("sdq:block=8,profile=repeat", Activation()),
    "dbf": ("dbf:bits=6,steps=4,rounds=1", Activation()),
    "mdbf": ("mdbf:bits=6,steps=4,rounds=1", Activation()),
    "littlebit": ("littlebit:bits=8,steps=4,rounds=1", Activation()),
}
"""A small layer of each format and of each way in which its integers can differ."""


@dataclass(frozen=True)
class Cell:
    """A format on a kind of circuit.

    Attributes
    ----------
    format, kind : str
    passes : list of int
        Of each stage: how often the array goes over a weight word, views included.
    integers, unequal : int
        Of all stages, of the layer's own codes and of extreme ones, with and without pauses:
        compared with the reference, and found different.
    host : list of str
        Steps between real inputs and outputs that are not the circuit's, but for quantizing the
        inputs and scaling the outputs.
    """

    format: str
    kind: str
    passes: list[int]
    integers: int
    unequal: int
    host: list[str]


def layer_of(name: str) -> BitplaneLayer:
    """Quantize a random matrix in one of the ways of ``LAYERS``."""
    rng = np.random.default_rng(7)
    text, activation = LAYERS[name]
    weight = (0.04 * rng.standard_normal((OUT, INPUTS))).astype(np.float32)
    return parse(text).quantize(weight, name, activation)


def inputs() -> torch.Tensor:
    """Return random inputs of the layers; float32, (tokens, inputs)."""
    rng = np.random.default_rng(8)
    return torch.from_numpy(rng.standard_normal((TOKENS, INPUTS)).astype(np.float32))


def circuit_for(layers: list[BitplaneLayer], kind: str) -> HardwareConfig:
    """Return the smallest circuit of a kind that takes all layers."""
    return fitted(layers, {"kind": kind, "pe": 4, "lanes": 4, "link": True})


def run_formats(kinds: tuple[str, ...]) -> Iterator[Cell]:
    """Run all layers on a circuit of each kind, the smallest that takes every one of them."""
    layers, x = [layer_of(name) for name in LAYERS], inputs()
    for kind in kinds:
        config = circuit_for(layers, kind)
        engine = Engine(config)
        for layer in layers:
            yield _run(layer, x, engine, config)
        engine.close()


def _run(layer: BitplaneLayer, x: torch.Tensor, engine: Engine, config: HardwareConfig) -> Cell:
    jobs = jobs_of(layer, x, config)
    tried = [one for job in jobs for one in (job, *extremes(job))]
    wanted = [job.expected() for job in tried]
    unequal = 0
    for idle, stall in FLOWS:
        results = engine.run(tried, idle=idle, stall=stall).results
        for job, got, want in zip(tried, results, wanted, strict=True):
            wrong = int((got != want).sum())
            unequal += wrong
            if not wrong:
                passed(config, job, idle, stall, format=layer.name)
    return Cell(
        format=layer.name,
        kind=config.kind,
        passes=[
            stage.views * len(passes(stage, config))
            for job in jobs
            for stage in (job.stage, job.link)
            if stage is not None
        ],
        integers=len(FLOWS) * sum(want.size for want in wanted),
        unequal=unequal,
        host=host_steps(layer, config),
    )


def extremes(job: Job) -> list[Job]:
    """Return the job with all codes the smallest that there are, the largest, and 0."""
    codes = (*code_limits(job), 0)
    return [replace(job, codes=np.full_like(job.codes, code)) for code in dict.fromkeys(codes)]


def host_steps(layer: BitplaneLayer, config: HardwareConfig) -> list[str]:
    """Name what the circuit leaves to the host, in the order in which it is done."""
    steps = ["change of inputs"] if layer.equivalence is not None else []
    for path in layer.paths:
        steps += _path_steps(path, config)
    if len(layer.paths) > 1:
        steps.append("sum of paths")
    if layer.post != "none":
        steps.append(layer.post)
    return list(dict.fromkeys(steps))


def _path_steps(path: Path, config: HardwareConfig) -> list[str]:
    first = path.stages[0]
    steps = ["router"] if path.router is not None else []
    steps += ["gather"] if first.gather is not None else []
    steps += ["column scale"] if first.column_scale is not None else []
    for stage in path.stages:
        steps += [f"{stage.transform.kind} transform"] if stage.transform is not None else []
    if len(path.stages) > 1 and not can_link(path.stages, config):
        steps.append("codes to the second stage")
    return steps


def table(cells: list[Cell]) -> str:
    """Return Markdown: a row for each format, the passes of each kind, and the host's steps."""
    kinds = list(dict.fromkeys(cell.kind for cell in cells))
    lines = [
        f"| format | {' | '.join(f'`{kind}`' for kind in kinds)} | the host's steps |",
        f"|{'---|' * (len(kinds) + 2)}",
    ]
    for name in dict.fromkeys(cell.format for cell in cells):
        row = [cell for cell in cells if cell.format == name]
        runs = [" + ".join(map(str, cell.passes)) for cell in row]
        lines.append(f"| {name} | {' | '.join(runs)} | {', '.join(row[0].host) or 'none'} |")
    return "\n".join(lines)
