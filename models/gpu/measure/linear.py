"""Times of single layers: every choice of kernel, cuBLAS and peers, in one run."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.gpu.choice import Choice
from models.gpu.kernels import Kernels
from models.gpu.layer import LayerOnKernels
from models.gpu.layout import STEP
from models.gpu.measure.exact import poison
from models.gpu.measure.nvml import Nvml
from models.gpu.measure.peers import FP16, PEERS, Call, available
from models.gpu.measure.shapes import STORAGES, Storage, random_layer
from models.gpu.measure.timing import Recording, copies, median
from models.reference import Reference

Weights = dict[str, Tensor]


CHECKED_ROWS = 80
"""Rows, from the first, that are compared with the reference; whole tiles and more than one."""


class Copies:
    """A random layer, checked, and copies of it with other random planes.

    Copies differ from the layer in their planes alone; where rows or columns are padded, random
    bits lie in the padding too, which changes no time.
    """

    def __init__(self, kernels: Kernels, prepared: LayerOnKernels) -> None:
        self.ready, self._kernels = prepared, kernels
        first = {name: value.cuda() for name, value in self.ready.tensors.items()}
        self.weights = [first]
        for _ in range(copies(self.ready.weight_bytes) - 1):
            self.weights.append(another(first))

    def call(self, x: Tensor, choice: Choice | None, copy: int = 0) -> Tensor:
        """Run a copy."""
        stream = torch.cuda.current_stream().cuda_stream
        return self.ready.run(self._kernels, self.weights[copy], x, stream, choice)

    def check(self, listed: Iterable[Choice], tokens: int) -> None:
        """Compare choices on fresh random inputs, the outputs poisoned before.

        The first ``CHECKED_ROWS`` rows with the reference, all others with the first choice's.

        Raises
        ------
        RuntimeError
            An output differs, or was not written.
        """
        layer = first_rows(self.ready.layer, CHECKED_ROWS)
        x = torch.randn(tokens, layer.inputs).half()
        on_gpu, want, all_rows = x.cuda(), Reference(layer)(x.float()).half(), None
        for choice in listed:
            poison((tokens, self.ready.layer.out), torch.half, "cuda")
            have = self.call(on_gpu, choice)
            all_rows = have if all_rows is None else all_rows
            if not torch.equal(have[:, : layer.out].cpu(), want) or not torch.equal(have, all_rows):
                raise RuntimeError(f"{choice} must equal the reference, got other outputs")

    def recording(self, tokens: int, choice: Choice | None) -> Recording:
        """Record one call on each copy, all with the same inputs."""
        x = torch.randn(tokens, self.ready.layer.inputs, device="cuda").half()
        return Recording([lambda n=n: self.call(x, choice, n) for n in range(len(self.weights))])


def another(tensors: Weights) -> Weights:
    """Copy a layer's tensors, with random bits for its planes."""
    new = {name: value.clone() for name, value in tensors.items()}
    for name, value in new.items():
        if name.rpartition(".")[2] == "planes":
            value.random_(-(2**31), 2**31)
    return new


def prepare(out: int, columns: int, storage: Storage) -> LayerOnKernels:
    """Make a random layer and pack it."""
    return LayerOnKernels(random_layer(np.random.default_rng(out + columns), out, columns, storage))


def first_rows(layer: BitplaneLayer, rows: int) -> BitplaneLayer:
    """Return a layer of one path without its later rows."""
    (path,) = layer.paths
    *before, stage = path.stages
    offset = None if stage.offset is None else stage.offset[:, :rows]
    fewer = replace(
        stage, planes=stage.planes[:, :rows], coefficients=stage.coefficients[:, :rows],
        offset=offset,
    )  # fmt: skip
    return replace(layer, paths=(Path((*before, fewer), path.out_scale[:rows]),))


def listed_choices(kernels: Kernels, ready: LayerOnKernels, tokens: int) -> list[Choice]:
    """Return what is timed: the default first, then what else takes so many tokens at once."""
    others = ready.plain_choices(kernels, tokens) or ready.choices(tokens)
    steps = -(-ready.layer.inputs // STEP)
    fitting = (choice for choice in others if choice.split <= steps)
    return list(dict.fromkeys([ready.choice(kernels, tokens), *fitting]))


def measure_kernels(
    kernels: Kernels, prepared: LayerOnKernels, name: str, tokens: tuple[int, ...], bandwidth: float
) -> dict[str, object]:
    """Time choices on one shape and way of storage, and cuBLAS in FP16 on the same shape.

    Parameters
    ----------
    bandwidth : float
        Bytes each second of a copy, read and written.

    Returns
    -------
    dict
        For each number of tokens the raw times of the default, of the fastest and of cuBLAS, the
        ratio of cuBLAS to the fastest, the share of the bandwidth that reading the weights alone
        makes, and all medians.
    """
    layer = Copies(kernels, prepared)
    size, out, columns = prepared.weight_bytes, prepared.layer.out, prepared.layer.inputs
    row: dict[str, object] = {
        "out": out, "in": columns, "storage": name, "weight_bytes": size,
        "bits_per_weight": 8 * size / (out * columns), "copies": len(layer.weights),
    }  # fmt: skip
    _, bits, dtype, make = PEERS[FP16]
    peer = [make(out, columns) for _ in range(copies(int(out * columns * bits / 8)))]
    for count in tokens:
        listed = listed_choices(kernels, prepared, count)
        layer.check(listed, count)
        times = {choice: layer.recording(count, choice).seconds() for choice in listed}
        best = min(times, key=lambda choice: median(times[choice]))
        base = _peer_recording(peer, count, columns, dtype).seconds()
        row[f"{count} tokens"] = {
            "default": {"choice": listed[0], "seconds": times[listed[0]]},
            "fastest": {"choice": best, "seconds": times[best]},
            FP16: base,
            "ratio": median(base) / median(times[best]),
            "default_ratio": median(base) / median(times[listed[0]]),
            "bandwidth_share": size / median(times[best]) / bandwidth,
            "medians": {"/".join(map(str, c)): median(t) for c, t in times.items()},
        }
    return row


def measure_peer(name: str, out: int, columns: int, tokens: tuple[int, ...]) -> object:
    """Time cuBLAS or a peer that is installed on one shape; a failure is its text."""
    found = available()[name]
    if found.startswith("skipped"):
        return found
    _, bits, dtype, make = PEERS[name]
    try:
        calls = [make(out, columns) for _ in range(copies(int(out * columns * bits / 8)))]
        return {
            f"{count} tokens": _peer_recording(calls, count, columns, dtype).seconds()
            for count in tokens
        }
    except Exception as error:  # whatever a package of others raises is its result
        return f"failed: {' '.join(str(error).split())[:200]}"


def _peer_recording(calls: list[Call], tokens: int, columns: int, dtype: torch.dtype) -> Recording:
    x = torch.randn(tokens, columns, device="cuda").mul_(30).to(dtype)
    return Recording([lambda call=call: call(x) for call in calls])


def measure_energy(
    kernels: Kernels, nvml: Nvml, idle: float, out: int, columns: int, tokens: int
) -> dict[str, object]:
    """Read the joules of a call of one and two planes, and of cuBLAS in FP16."""
    row: dict[str, object] = {"out": out, "in": columns, "tokens": tokens}
    for name in ("k2", "k1"):
        storage = STORAGES[name]
        layer = Copies(kernels, prepare(out, columns, storage))
        row[name] = layer.recording(tokens, None).joules(nvml, idle)
    _, _, dtype, make = PEERS[FP16]
    calls = [make(out, columns) for _ in range(copies(2 * out * columns))]
    row[FP16] = _peer_recording(calls, tokens, columns, dtype).joules(nvml, idle)
    return row
