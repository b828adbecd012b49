"""Tokens and joules of whole models of random weights, one decoding step in a CUDA graph."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels
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
            stream = torch.cuda.current_stream().cuda_stream
            return ready.run(kernels, own, x.float(), stream).to(x.dtype)

        return call

    return make


class Model:
    """A LLaMA-like model's step, without embeddings; its last layer in float16 always.

    Norms, rotary positions and attention are PyTorch's own operations, in float16, the same
    whatever the linear layers are.
    """

    def __init__(self, shape: Shape, batch: int, make: Maker) -> None:
        self._shape = shape
        self._blocks = [
            {name: make(*size) for name, size in shape.linear.items()} for _ in range(shape.layers)
        ]
        self._words = float_maker()(shape.words, shape.hidden)
        sizes = (2, shape.layers, batch, shape.kv_heads, CONTEXT, shape.head)
        self._cache = torch.randn(sizes, device="cuda", dtype=torch.float16)
        powers = torch.arange(0, shape.head, 2, device="cuda") / shape.head
        angles = (CONTEXT - 1) * 10000.0**-powers
        self._cos, self._sin = angles.cos().half(), angles.sin().half()

    def __call__(self, x: Tensor) -> Tensor:
        """Run a step; float16, (batch, hidden) to (batch, words)."""
        shape, batch = self._shape, len(x)
        for index, block in enumerate(self._blocks):
            h = self._norm(x)
            q = self._turned(block["q"](h).view(batch, shape.heads, 1, shape.head))
            k = self._turned(block["k"](h).view(batch, shape.kv_heads, 1, shape.head))
            v = block["v"](h).view(batch, shape.kv_heads, 1, shape.head)
            self._cache[0, index, :, :, -1:] = k
            self._cache[1, index, :, :, -1:] = v
            seen = functional.scaled_dot_product_attention(
                q, self._cache[0, index], self._cache[1, index], enable_gqa=True
            )
            x = x + block["o"](seen.reshape(batch, shape.hidden))
            h = self._norm(x)
            x = x + block["down"](functional.silu(block["gate"](h)) * block["up"](h))
        return self._words(self._norm(x))

    def _norm(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (self._shape.hidden,))

    def _turned(self, x: Tensor) -> Tensor:
        low, high = x.chunk(2, dim=-1)
        turned = (low * self._cos - high * self._sin, high * self._cos + low * self._sin)
        return torch.cat(turned, dim=-1)


def measure_model(
    shape: Shape, batch: int, make: Maker, nvml: Nvml | None, idle: float
) -> dict[str, object]:
    """Time a model's step and read its joules."""
    model = Model(shape, batch, make)
    x = torch.randn(batch, shape.hidden, device="cuda", dtype=torch.float16)
    with torch.no_grad():
        recording = Recording([lambda: model(x)])
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
