"""Layers on the kernels against the reference, until there are no more or a time is reached."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
import torch

from models.bitplane import BitplaneLayer
from models.checks import require
from models.gpu.bits import BinaryMatrix
from models.gpu.device import DeviceStage, accumulate
from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels
from models.gpu.plain import MOST_TOKENS, REALS
from models.reference import ReadyStage, run

PATIENCE = 120
"""Seconds that processes may take beyond what they were given for comparing."""


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
            poison(want.shape, real, device)
            yield torch.equal(ready.run(kernels, tensors, x.to(device), 0, choice).cpu(), want)


def poison(shape: tuple[int, ...], real: torch.dtype, device: str) -> None:
    """Fill memory with NaNs: an allocator gives it to the next output of the same size."""
    torch.full(shape, torch.nan, dtype=real, device=device)


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
    try:
        for process in running:
            text, _ = process.communicate(timeout=seconds + PATIENCE)
            require(text.startswith("{"), "check", "print its counts", text or process.returncode)
            totals.update(json.loads(text.splitlines()[0]))
    finally:
        for process in running:
            process.kill()
    return {"processes": count, **totals}


def compare_bits(kernels: Kernels, device: str) -> Counter[str]:
    """Multiply signs by signs, in both ways; count products and mismatches."""
    rng, counts = np.random.default_rng(0), Counter({"products": 0, "mismatches": 0})
    for rows, tokens, columns in ((70, 9, 300), (200, 130, 1000)):
        bits, inputs = (rng.random((n, columns)) < 0.5 for n in (rows, tokens))
        matrix = BinaryMatrix(bits, signs=True)
        packed, ones = (part.to(device) for part in matrix.pack(inputs))
        weights = {name: value.to(device) for name, value in matrix.tensors.items()}
        signs, other = (torch.from_numpy(2 * b.astype(np.int32) - 1) for b in (bits, inputs))
        for cores in (True, False):
            have = matrix.multiply(kernels, weights, (packed, ones), cores, 0)
            counts["products"] += 1
            counts["mismatches"] += not torch.equal(have.cpu(), other @ signs.T)
    return counts


def compare(
    kernels: Kernels,
    layers: Iterable[BitplaneLayer],
    seconds: float,
    device: str,
    seed: int = 0,
) -> dict[str, int]:
    """Run layers on 1 to 40 tokens, and each first stage on every choice of kernel.

    Returns
    -------
    dict
        ``layers``, ``products`` (of single stages) and ``mismatches``; fewer layers than there
        are when the time ran out.
    """
    begun, counts = time.monotonic(), {"layers": 0, "products": 0, "mismatches": 0}
    for layer in layers:
        if time.monotonic() - begun > seconds:
            break
        rng = np.random.default_rng((seed, counts["layers"], 1))
        tokens = int(rng.integers(1, 41))
        x = torch.from_numpy(rng.standard_normal((tokens, layer.inputs)).astype(np.float32))
        ready = LayerOnKernels(layer)
        tensors = {name: value.to(device) for name, value in ready.tensors.items()}
        poison((tokens, layer.out), torch.float32, device)
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
