"""Times of single layers: every choice of kernel, cuBLAS and peers, in one run."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from models.gpu.choice import Choice, choices, choose
from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels
from models.gpu.measure.nvml import Nvml
from models.gpu.measure.peers import PEERS, Call, available
from models.gpu.measure.shapes import STORAGES, Storage, random_layer
from models.gpu.measure.timing import Recording, copies, median
from models.reference import Reference

Weights = dict[str, Tensor]


class Copies:
    """A random layer, checked, and copies of it with other random planes.

    Copies differ from the layer in their planes alone; where rows or columns are padded, random
    bits lie in the padding too, which changes no time.
    """

    def __init__(self, kernels: Kernels, out: int, columns: int, storage: Storage) -> None:
        rng = np.random.default_rng(out + columns)
        self.ready = LayerOnKernels(random_layer(rng, out, columns, storage))
        self._reference = Reference(self.ready.layer)
        self._kernels = kernels
        first = {name: value.cuda() for name, value in self.ready.tensors.items()}
        self.weights = [first]
        for _ in range(copies(self.ready.weight_bytes) - 1):
            self.weights.append(another(first))

    @property
    def aligned(self) -> bool:
        """Whether every kind of kernel can run it."""
        return self.ready.aligned

    def call(self, x: Tensor, choice: Choice | None, copy: int = 0) -> Tensor:
        """Run a copy."""
        stream = torch.cuda.current_stream().cuda_stream
        return self.ready.run(self._kernels, self.weights[copy], x, stream, choice)

    def check(self, listed: Iterable[Choice], tokens: int) -> None:
        """Compare choices with the reference on fresh random inputs, the outputs poisoned before.

        Raises
        ------
        RuntimeError
            An output differs.
        """
        x = torch.randn(tokens, self.ready.layer.inputs)
        on_gpu, want = x.cuda(), self._reference(x)
        for choice in listed:
            poison = torch.full((tokens, self.ready.layer.out), torch.nan, device="cuda")
            del poison  # the allocator gives this memory to the next output of the same size
            if not torch.equal(self.call(on_gpu, choice).cpu(), want):
                raise RuntimeError(f"{choice} must equal the reference, got other outputs")

    def recording(self, tokens: int, choice: Choice | None) -> Recording:
        """Record one call on each copy, each with inputs of its own."""
        x = torch.randn(len(self.weights), tokens, self.ready.layer.inputs, device="cuda")
        return Recording([lambda n=n: self.call(x[n], choice, n) for n in range(len(self.weights))])


def another(tensors: Weights) -> Weights:
    """Copy a layer's tensors, with random bits for its planes."""
    new = {name: value.clone() for name, value in tensors.items()}
    for name, value in new.items():
        if name.rpartition(".")[2] == "planes":
            value.random_(-(2**31), 2**31)
    return new


def measure_kernels(
    kernels: Kernels, out: int, columns: int, name: str, tokens: tuple[int, ...], bandwidth: float
) -> dict[str, object]:
    """Time every choice on one shape and way of storage.

    Parameters
    ----------
    bandwidth : float
        Bytes each second of a copy, read and written.

    Returns
    -------
    dict
        For each number of tokens the default's and the fastest's raw times, the share of the
        bandwidth that reading the weights alone makes, and all medians.
    """
    layer = Copies(kernels, out, columns, STORAGES[name])
    size = layer.ready.weight_bytes
    row: dict[str, object] = {
        "out": out, "in": columns, "storage": name, "weight_bytes": size,
        "bits_per_weight": 8 * size / (out * columns), "copies": len(layer.weights),
    }  # fmt: skip
    for count in tokens:
        default = choose(out, columns, count, layer.aligned)
        listed = dict.fromkeys([default, *choices(count, layer.aligned)])
        layer.check(listed, count)
        times = {choice: layer.recording(count, choice).seconds() for choice in listed}
        best = min(times, key=lambda choice: median(times[choice]))
        row[f"{count} tokens"] = {
            "default": {"choice": default, "seconds": times[default]},
            "fastest": {"choice": best, "seconds": times[best]},
            "bandwidth_share": size / median(times[best]) / bandwidth,
            "medians": {"/".join(map(str, c)): median(t) for c, t in times.items()},
        }
    return row


def measure_peers(out: int, columns: int, tokens: tuple[int, ...]) -> dict[str, object]:
    """Time cuBLAS and the peers that are installed on one shape; a failure is its text."""
    row: dict[str, object] = {"out": out, "in": columns}
    for name, found in available().items():
        if found.startswith("skipped"):
            row[name] = found
            continue
        _, bits, dtype, make = PEERS[name]
        try:
            calls = [make(out, columns) for _ in range(copies(int(out * columns * bits / 8)))]
            row[name] = {
                f"{count} tokens": _peer_recording(calls, count, columns, dtype).seconds()
                for count in tokens
            }
        except Exception as error:  # whatever a package of others raises is its result
            row[name] = f"failed: {' '.join(str(error).split())[:200]}"
        torch.cuda.empty_cache()
    return row


def _peer_recording(calls: list[Call], tokens: int, columns: int, dtype: torch.dtype) -> Recording:
    x = torch.randn(tokens, columns, device="cuda").mul_(30).to(dtype)
    return Recording([lambda call=call: call(x) for call in calls])


def measure_energy(
    kernels: Kernels, nvml: Nvml, idle: float, out: int, columns: int, tokens: int
) -> dict[str, object]:
    """Read the joules of a call of each way of storage, and of cuBLAS in FP16."""
    row: dict[str, object] = {"out": out, "in": columns, "tokens": tokens}
    for name, storage in STORAGES.items():
        row[name] = (
            Copies(kernels, out, columns, storage).recording(tokens, None).joules(nvml, idle)
        )
    _, _, dtype, make = PEERS["cuBLAS FP16"]
    calls = [make(out, columns) for _ in range(copies(2 * out * columns))]
    row["cuBLAS FP16"] = _peer_recording(calls, tokens, columns, dtype).joules(nvml, idle)
    return row
