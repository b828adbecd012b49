"""How long the exact reference takes, against float layers of the same shapes in the same run."""

import platform
import time
from collections.abc import Callable

import numpy as np
import torch

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation
from models.planes import pack, unpack
from models.reference import Reference
from models.stage import Stage

BLOCK = [(576, 576), (192, 576), (192, 576), (576, 576), (1536, 576), (1536, 576), (576, 1536)]
"""Linear layers of a block of SmolLM2-135M, (out, in): q, k, v, o, gate, up, down."""
BLOCKS = 30
K = 2
LIMITS = {"1 token, row": 4.0, "1 token, group 64": 4.0,
          "512 tokens, row": 1.0, "512 tokens, group 64": 2.5}  # fmt: skip
"""Most times the float layers' time that we allow."""


def measure(threads: int = 1, rounds: int = 7) -> dict:
    """Time all 210 linear layers of SmolLM2-135M, K=2 and 8-bit activations.

    Each figure is the median over rounds; float and exact layers take turns in each round, so
    that a busy machine slows both. With more threads than free cores, each product waits for the
    slowest thread, and the many small ones of one token wait the most.

    Parameters
    ----------
    threads : int
        Of the matrix products.

    Returns
    -------
    dict
        ``ratios`` against float of each case of ``LIMITS``, seconds, and packing in GB/s.
    """
    if threads < 1:
        raise ValueError(f"threads must be 1 or more, got {threads}")
    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    shapes = BLOCK * BLOCKS
    floats = [torch.from_numpy(rng.standard_normal(shape, np.float32)) for shape in shapes]
    exact = {
        "row": [Reference(_layer(rng, *shape, group=shape[1])) for shape in shapes],
        "group 64": [Reference(_layer(rng, *shape, group=64)) for shape in shapes],
    }
    seconds: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for tokens, label in ((1, "1 token"), (512, "512 tokens")):
        x = {
            size: torch.from_numpy(rng.standard_normal((tokens, size), np.float32))
            for size in (576, 1536)
        }

        def run_floats(x: dict[int, torch.Tensor] = x) -> None:
            for weight in floats:
                torch.nn.functional.linear(x[weight.shape[1]], weight)

        for scale, layers in exact.items():

            def run_exact(x: dict[int, torch.Tensor] = x, layers: list[Reference] = layers) -> None:
                for layer in layers:
                    layer(x[layer.layer.inputs])

            pairs = [(_seconds(run_floats), _seconds(run_exact)) for _ in range(rounds + 1)][1:]
            case = f"{label}, {scale}"
            seconds[f"{label}, float"] = float(np.median([pair[0] for pair in pairs]))
            seconds[case] = float(np.median([pair[1] for pair in pairs]))
            ratios[case] = float(np.median([exact / plain for plain, exact in pairs]))
    return {
        "machine": f"{platform.machine()}, {threads} threads",
        "torch": torch.__version__,
        "seconds": seconds,
        "ratios": ratios,
        "limits": LIMITS,
        "packing": _packing(rng),
    }


def report(figures: dict) -> str:
    """Return the figures as a table."""
    lines = [f"all 210 linear layers of SmolLM2-135M, K={K}, 8-bit activations"]
    for case, ratio in figures["ratios"].items():
        limit = figures["limits"][case]
        verdict = "met" if ratio <= limit else "MISSED"
        milliseconds = 1e3 * figures["seconds"][case]
        lines.append(
            f"{case:<22} {milliseconds:9.1f} ms {ratio:7.2f}x float (limit {limit}x: {verdict})"
        )
    for name, rate in figures["packing"].items():
        lines.append(f"{name:<22} {rate:9.2f} GB/s of bits held as bytes")
    return "\n".join(lines)


def _layer(rng: np.random.Generator, out: int, columns: int, group: int) -> BitplaneLayer:
    groups = -(-columns // group)
    stage = Stage(
        planes=pack(rng.random((K, out, columns)) < 0.5),
        columns=columns,
        group=group,
        coefficients=rng.integers(-(1 << 15), 1 << 15, (1, out, groups, K)).astype(np.int16),
        monomials=tuple(1 << plane for plane in range(K)),
        offset=rng.integers(-(1 << 15), 1 << 15, (1, out, groups)).astype(np.int16),
        activation=Activation(),
    )
    return BitplaneLayer("random", columns, (Path((stage,), np.ones(1, np.float32)),))


def _packing(rng: np.random.Generator) -> dict[str, float]:
    bits = rng.integers(0, 2, (8192, 8192), np.uint8)
    packed, copy = pack(bits), np.empty_like(bits)
    work = {
        "pack": lambda: pack(bits),
        "unpack": lambda: unpack(packed, 8192),
        "copy, to compare": lambda: np.copyto(copy, bits),
    }
    return {
        name: bits.nbytes / 1e9 / min(_seconds(does) for _ in range(5))
        for name, does in work.items()
    }


def _seconds(does: Callable[[], object]) -> float:
    start = time.perf_counter()
    does()
    return time.perf_counter() - start
