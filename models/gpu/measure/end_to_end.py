"""Tokens and joules of whole models of random weights, one decoding step in a CUDA graph."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels
from models.gpu.measure.attend import attended
from models.gpu.measure.linear import another
from models.gpu.measure.nvml import Nvml
from models.gpu.measure.shapes import Shape, Storage, random_layer
from models.gpu.measure.timing import Recording, median

CONTEXT = 256
"""Tokens that a step attends to; their keys and values are random."""
Linear = Callable[[Tensor], Tensor]
Maker = Callable[[int, int], Linear]
"""From (out, in) to a layer."""


def float_maker() -> Maker:
    """Make layers of random weights in float16."""

    def make(out: int, columns: int) -> Linear:
        weight = torch.randn(out, columns, device="cuda", dtype=torch.float16) * columns**-0.5
        return lambda x: functional.linear(x, weight)

    return make


def kernel_maker(kernels: Kernels, storage: Storage) -> Maker:
    """Make layers on the kernels; those of one shape differ in their planes alone."""
    known: dict[tuple[int, int], tuple[LayerOnKernels, dict[str, Tensor]]] = {}

    def make(out: int, columns: int) -> Linear:
        if (out, columns) not in known:
            ready = LayerOnKernels(random_layer(np.random.default_rng(0), out, columns, storage))
            tensors = {name: value.cuda() for name, value in ready.tensors.items()}
            known[out, columns] = ready, tensors
        ready, tensors = known[out, columns]
        own = another(tensors)

        def call(x: Tensor) -> Tensor:
            return ready.run(kernels, own, x, torch.cuda.current_stream().cuda_stream)

        return call

    return make


class Model:
    """A LLaMA-like model's step, without embeddings; its last layer in float16 always.

    Layers that read the same inputs are one. Norms and gates are PyTorch's, compiled, attention
    is a kernel of this library; in float16, the same whatever the linear layers are.
    """

    def __init__(self, kernels: Kernels, shape: Shape, batch: int, make: Maker) -> None:
        self._kernels = kernels
        self._blocks = [
            {name: make(*size) for name, size in shape.merged.items()} for _ in range(shape.layers)
        ]
        self._words = float_maker()(shape.words, shape.hidden)
        sizes = (shape.layers, 2, batch, shape.kv_heads, CONTEXT, shape.head)
        self._cache = torch.randn(sizes, device="cuda", dtype=torch.float16)
        powers = torch.arange(0, shape.head, 2, device="cuda") / shape.head
        angles = (CONTEXT - 1) * 10000.0**-powers
        self._turn = torch.stack((angles.cos(), angles.sin()))

    def __call__(self, x: Tensor) -> Tensor:
        """Run a step; float16, (batch, hidden) to (batch, words)."""
        normed, added_and_normed, gated = compiled()
        h = normed(x)
        for block, kept in zip(self._blocks, self._cache, strict=True):
            seen = attended(self._kernels, block["qkv"](h), kept, self._turn)
            x, h = added_and_normed(x, block["o"](seen))
            inner = block["gate_up"](h)
            x, h = added_and_normed(x, block["down"](gated(inner)))
        return self._words(h)


def normed(x: Tensor) -> Tensor:
    """Divide by the root mean square; (batch, hidden)."""
    return functional.rms_norm(x, (x.shape[-1],))


def added_and_normed(x: Tensor, more: Tensor) -> tuple[Tensor, Tensor]:
    """Add to the residual stream, and return that and what the next layer reads of it."""
    total = x + more
    return total, functional.rms_norm(total, (x.shape[-1],))


def gated(inner: Tensor) -> Tensor:
    """SiLU of the first half times the second."""
    gate, up = inner.chunk(2, dim=-1)
    return functional.silu(gate.float()).half() * up


@cache
def compiled() -> tuple[Callable[..., Any], ...]:
    """Return what is between layers, compiled."""
    return tuple(torch.compile(part, dynamic=False) for part in (normed, added_and_normed, gated))


def measure_model(
    kernels: Kernels, shape: Shape, batch: int, make: Maker, nvml: Nvml | None, idle: float
) -> dict[str, object]:
    """Time a model's step and read its joules."""
    model = Model(kernels, shape, batch, make)
    x = torch.randn(batch, shape.hidden, device="cuda", dtype=torch.float16)
    with torch.no_grad():
        recording = Recording([lambda: model(x)], least=1)
    times = recording.seconds()
    row: dict[str, object] = {
        "batch": batch, "context": CONTEXT, "weights": "random", "seconds": times,
        "tokens_per_second": batch / median(times),
    }  # fmt: skip
    if nvml is not None:
        energy = recording.joules(nvml, idle)
        energy["joules_per_token"] = energy["joules_per_call"] / batch
        row["energy"] = energy
    return row
