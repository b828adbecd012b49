"""Random layers on the kernels against the reference, until a count or a time is reached."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from models.bitplane import BitplaneLayer, Path
from models.checks import require
from models.codes import Activation, Requantize
from models.equivalence import Equivalence
from models.gpu.device import DeviceStage, accumulate
from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels
from models.gpu.plain import MOST_TOKENS, REALS
from models.planes import pack
from models.reference import ReadyStage, run
from models.stage import Stage


def random_stage(rng: np.random.Generator, out: int, columns: int, first: bool) -> Stage:
    """Draw a stage: sizes of groups, planes and terms, offsets and views at random."""
    k, views = int(rng.integers(1, 7)), int(rng.integers(1, 3))
    group = int(rng.choice([columns, min(columns, 128), int(rng.integers(1, columns + 1))]))
    plain = rng.random() < 0.7
    shape = (views, out, -(-columns // group))
    bits = rng.random((k, out, columns)) < 0.5
    monomials = [1 << plane for plane in range(k)] if plain else rng.integers(1, 1 << k, 3).tolist()
    coefficients = rng.integers(-3000, 3000, (*shape, len(monomials)))
    ternary = k == 2 and plain
    if ternary:
        bits[1] &= ~bits[0]
        coefficients[..., 1] = -coefficients[..., 0]
    scale = rng.uniform(0.5, 2, (views, columns)).astype(np.float32)
    return Stage(
        planes=pack(bits),
        columns=columns,
        group=group,
        coefficients=coefficients.astype(np.int16),
        monomials=tuple(monomials),
        offset=rng.integers(-3000, 3000, shape).astype(np.int16) if rng.random() < 0.5 else None,
        views=views,
        column_scale=scale if first else None,
        activation=Activation() if first else None,
        base3=ternary and bool(rng.random() < 0.5),
    )


def random_layer(rng: np.random.Generator) -> BitplaneLayer:
    """Draw a layer of one stage or a chain of two, of odd sizes."""
    out, columns = (int(rng.integers(1, most)) for most in (300, 1500))
    if rng.random() < 0.3:
        return plain_layer(rng, out, 8 * -(-columns // 8))
    if rng.random() < 0.7:
        stages = (random_stage(rng, out, columns, True),)
    else:
        inner = int(rng.integers(1, 200))
        first, last = random_stage(rng, inner, columns, True), random_stage(rng, out, inner, False)
        rows = rng.integers(-3000, 3000, (last.views, inner)).astype(np.int16)
        first = replace(first, requantize=Requantize(rows, 30))
        stages = (first, last)
    scale = rng.uniform(0.5, 2, out).astype(np.float32)
    change = random_change(rng, columns) if rng.random() < 0.3 else None
    return BitplaneLayer("random", columns, (Path(stages, scale),), equivalence=change)


def random_change(rng: np.random.Generator, inputs: int) -> Equivalence:
    """Draw a shift, a scale, and a rotation in the largest blocks that divide the inputs."""
    shift, scale = rng.uniform(0.5, 2, (2, inputs)).astype(np.float32)
    block = inputs & -inputs
    return Equivalence(
        shift if rng.random() < 0.5 else None,
        scale if rng.random() < 0.5 else None,
        block if block > 1 else 0,
    )


def plain_layer(
    rng: np.random.Generator, out: int, columns: int, group: int | None = None
) -> BitplaneLayer:
    """Draw one that the kernel for few tokens covers; without a group, that too."""
    group = min(columns, group or int(rng.choice([columns, 64, 128, 192, 256, 384])))
    has_offset, halved = rng.random() < 0.5, group < columns and group % 128 > 0
    k = int(rng.integers(1, 4 if has_offset and halved else 5))
    shape = (1, out, -(-columns // group))
    stage = Stage(
        planes=pack(rng.random((k, out, columns)) < 0.5),
        columns=columns,
        group=group,
        coefficients=rng.integers(-32768, 32768, (*shape, k)).astype(np.int16),
        monomials=tuple(1 << plane for plane in range(k)),
        offset=rng.integers(-32768, 32768, shape).astype(np.int16) if has_offset else None,
        column_scale=rng.uniform(0.5, 2, (1, columns)).astype(np.float32)
        if rng.random() < 0.5
        else None,
        activation=Activation(bits=int(rng.integers(2, 9))),
    )
    scale = rng.uniform(1e-7, 2e-7, out).astype(np.float32)
    bias = rng.standard_normal(out).astype(np.float32) if rng.random() < 0.5 else None
    return BitplaneLayer("random", columns, (Path((stage,), scale),), bias=bias)


def _compare_plain(
    kernels: Kernels, ready: LayerOnKernels, device: str, rng: np.random.Generator
) -> Iterator[bool]:
    """Run every way of the kernel for few tokens, on inputs of each type; tell what is equal."""
    tensors = {name: value.to(device) for name, value in ready.tensors.items()}
    for real in REALS:
        tokens = int(rng.integers(1, MOST_TOKENS + 1))
        x = torch.from_numpy(rng.standard_normal((tokens, ready.layer.inputs))).to(real)
        want = run(ready.layer, x.float()).to(real)
        for choice in ready.plain_choices(kernels, tokens):
            yield torch.equal(ready.run(kernels, tensors, x.to(device), 0, choice).cpu(), want)


def compare_in_processes(layers: int, seconds: float) -> dict[str, int]:
    """Run :func:`compare` on a GPU in as many processes as there are processors, and add up."""
    count = max(1, (os.cpu_count() or 2) - 2)
    share = [-(-layers // count)] * count
    command = [sys.executable, "-m", "models.gpu", "check", "--json", "--seconds", str(seconds)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [*command, "--layers", str(part), "--seed", str(seed)],
            stdout=subprocess.PIPE, text=True, env=environment,
        )
        for seed, part in enumerate(share)
    ]  # fmt: skip
    totals: Counter[str] = Counter()
    for process in running:
        text, _ = process.communicate()
        require(text.startswith("{"), "check", "print its counts", text or process.returncode)
        totals.update(json.loads(text.splitlines()[0]))
    return {"processes": count, **totals}


def compare(
    kernels: Kernels, layers: int, seconds: float, device: str, seed: int = 0
) -> dict[str, int]:
    """Run random layers of 1 to 40 tokens, and each first stage on every choice of kernel.

    Returns
    -------
    dict
        ``layers``, ``products`` (of single stages) and ``mismatches``; fewer layers than asked
        for when the time ran out.
    """
    begun, counts = time.monotonic(), {"layers": 0, "products": 0, "mismatches": 0}
    while counts["layers"] < layers and time.monotonic() - begun < seconds:
        rng = np.random.default_rng((seed, counts["layers"]))
        layer, tokens = random_layer(rng), int(rng.integers(1, 41))
        x = torch.from_numpy(rng.standard_normal((tokens, layer.inputs)).astype(np.float32))
        ready = LayerOnKernels(layer)
        tensors = {name: value.to(device) for name, value in ready.tensors.items()}
        have = ready.run(kernels, tensors, x.to(device), 0)
        counts["mismatches"] += not torch.equal(have.cpu(), run(layer, x))
        if ready.plain:
            for equal in _compare_plain(kernels, ready, device, rng):
                counts["mismatches"] += not equal
                counts["products"] += 1
        stage = layer.paths[0].stages[0]
        shape = (tokens, stage.views, stage.columns)
        codes = torch.from_numpy(rng.integers(-128, 128, shape).astype(np.int8))
        want, single = ReadyStage(stage).accumulate(codes), DeviceStage(stage)
        listed = single.choices(tokens)
        for choice in (listed[int(n)] for n in rng.permutation(len(listed))[:3]):
            have = accumulate(kernels, single, (codes,), lambda t: t.to(device), choice=choice)
            counts["mismatches"] += not torch.equal(have, want)
            counts["products"] += 1
        counts["layers"] += 1
    return counts
