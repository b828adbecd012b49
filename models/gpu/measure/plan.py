"""The measuring plan: stages in order, each with its budget, each a record of its own."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.gpu.bits import BinaryMatrix
from models.gpu.build import find_nvcc
from models.gpu.measure import linear
from models.gpu.measure.bench import Bench
from models.gpu.measure.end_to_end import float_maker, kernel_maker, measure_model
from models.gpu.measure.exact import compare
from models.gpu.measure.peers import available
from models.gpu.measure.shapes import BITS_TABLE, MODELS, STORAGES, shapes
from models.gpu.measure.timing import Recording, copies, copy_bandwidth, median

DECODE, PREFILL = (1, 2, 4, 8, 16), (32, 128, 512)
"""Tokens at once."""
LARGE = ("LLaMA-2-7B", "LLaMA-2-13B", "LLaMA-3-8B")


def device(bench: Bench) -> dict[str, Any]:
    """Describe the GPU, and measure its copy bandwidth and its power at rest."""
    properties = torch.cuda.get_device_properties(0)
    figures: dict[str, Any] = {
        "gpu": properties.name, "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory, "cache_bytes": properties.L2_cache_size,
        "torch": torch.__version__, "cuda": torch.version.cuda, "nvcc": _nvcc_version(),
        "peers": available(), "copy": copy_bandwidth(), "idle_watts": bench.idle,
    }  # fmt: skip
    if bench.nvml is not None:
        figures |= {
            "driver": bench.nvml.driver, "megahertz": bench.nvml.megahertz,
            "watts_limit": bench.nvml.watts_limit,
        }  # fmt: skip
    return figures


def exact(bench: Bench) -> dict[str, Any]:
    """Compare 1000 random layers with the reference."""
    return dict(compare(bench.kernels, 1000, bench.budget, "cuda"))


def sanitizer(bench: Bench) -> dict[str, Any]:
    """Run random layers under the tools of compute-sanitizer."""
    nvcc = find_nvcc()
    beside = None if nvcc is None else shutil.which("compute-sanitizer", path=str(nvcc.parent))
    tool = shutil.which("compute-sanitizer") or beside
    if tool is None:
        return {"skipped": "compute-sanitizer is not installed"}

    def check(name: str) -> dict[str, Any]:
        command = [tool, f"--tool={name}", "--error-exitcode=9", sys.executable, "-m",
                   "models.gpu", "check", "--layers", "3"]  # fmt: skip
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=bench.budget, check=False
        )
        return {"exit_status": done.returncode, "end": done.stdout.splitlines()[-3:]}

    def bounded(name: str) -> Any:
        try:
            return check(name)
        except subprocess.TimeoutExpired:
            return f"stopped after {bench.budget:.0f} s"

    return bench.cases(
        (name, lambda name=name: bounded(name)) for name in ("memcheck", "racecheck")
    )


def decode(bench: Bench) -> dict[str, Any]:
    """Time every choice for a few tokens on every shape."""
    return bench.cases(_kernel_cases(bench, DECODE))


def prefill(bench: Bench) -> dict[str, Any]:
    """Time every choice for many tokens on the shapes of LLaMA-2-7B."""
    return bench.cases(_kernel_cases(bench, PREFILL, ("LLaMA-2-7B",), ("k2", "ternary")))


def _kernel_cases(
    bench: Bench,
    tokens: tuple[int, ...],
    models: tuple[str, ...] = tuple(MODELS),
    storages: tuple[str, ...] = tuple(STORAGES),
) -> Iterator[tuple[str, Callable[[], Any]]]:
    order = sorted(storages, key=lambda name: name != "k2")  # the most wanted first
    for name in order:
        for out, columns in shapes(models):
            yield (
                f"{name} {out} x {columns}",
                lambda o=out, c=columns, n=name: linear.measure_kernels(
                    bench.kernels, o, c, n, tokens, bench.bandwidth
                ),
            )


def peers(bench: Bench) -> dict[str, Any]:
    """Time cuBLAS and installed peers on every shape."""
    tokens = DECODE + PREFILL
    return bench.cases(
        (f"{out} x {columns}", lambda o=out, c=columns: linear.measure_peers(o, c, tokens))
        for out, columns in shapes()
    )


def bits(bench: Bench) -> dict[str, Any]:
    """Time products of bits, and cuBLAS in FP16 on the same shapes, as the published table."""

    def case(rows: int, tokens: int, columns: int, published: float) -> dict[str, Any]:
        rng = np.random.default_rng(rows)
        bits = rng.random((rows, columns)) < 0.5
        matrix = BinaryMatrix(bits, signs=True)
        count = copies(rows * columns // 8)
        inputs = rng.random((tokens, columns)) < 0.5
        packed = tuple(part.cuda() for part in matrix.pack(inputs))
        weights = [{n: v.cuda() for n, v in matrix.tensors.items()}]
        weights += [linear.another(weights[0]) for _ in range(count - 1)]
        row: dict[str, Any] = {"published_ratio": published}
        want = _signs(inputs) @ _signs(bits).T  # exact: below 2**24
        for name, cores in (("tensor", True), ("popcount", False)):
            calls = [
                lambda w=w, cores=cores: matrix.multiply(
                    bench.kernels, w, (packed[0], packed[1]), cores,
                    torch.cuda.current_stream().cuda_stream,
                )
                for w in weights
            ]  # fmt: skip
            if not torch.equal(calls[0]().float(), want):
                raise RuntimeError(f"{name} must equal the product of signs, got another")
            row[name] = Recording(calls).seconds()
        real = [torch.randn(rows, columns, device="cuda", dtype=torch.float16)
                for _ in range(copies(2 * rows * columns))]  # fmt: skip
        x = torch.randn(tokens, columns, device="cuda", dtype=torch.float16)
        row["cuBLAS FP16"] = Recording([lambda w=w: x @ w.T for w in real]).seconds()
        row["ratio"] = median(row["cuBLAS FP16"]) / min(
            median(row[n]) for n in ("tensor", "popcount")
        )
        return row

    return bench.cases(
        (f"{rows} x {columns}, {tokens} tokens", lambda a=(rows, tokens, columns, ratio): case(*a))
        for rows, tokens, columns, ratio in BITS_TABLE
    )


def _signs(bits: NDArray[np.bool_]) -> torch.Tensor:
    return torch.from_numpy(np.where(bits, np.float32(1), np.float32(-1))).cuda()


def energy(bench: Bench) -> dict[str, Any]:
    """Read the joules of a call on layers of LLaMA-2-7B and LLaMA-2-13B."""
    if bench.nvml is None:
        return {"skipped": "NVML's energy counter cannot be read"}
    nvml = bench.nvml
    cases = [
        (4096, 4096, 1),
        (11008, 4096, 1),
        (4096, 11008, 1),
        (13824, 5120, 1),
        (11008, 4096, 16),
    ]
    return bench.cases(
        (
            f"{out} x {columns}, {tokens} tokens",
            lambda a=(out, columns, tokens): linear.measure_energy(
                bench.kernels, nvml, bench.idle, *a
            ),
        )
        for out, columns, tokens in cases
    )


def end_to_end(bench: Bench) -> dict[str, Any]:
    """Time whole models at batches of 1, 4, 16 and 64."""
    makers = {name: kernel_maker(bench.kernels, STORAGES[name]) for name in ("k2", "k1", "ternary")}
    makers = {"FP16": float_maker(), **makers}
    return bench.cases(
        (
            f"{model}, {name}, batch {batch}",
            lambda m=model, b=batch, make=make: measure_model(
                MODELS[m], b, make, bench.nvml, bench.idle
            ),
        )
        for batch in (1, 4, 16, 64)
        for model in ("LLaMA-2-7B", "SmolLM2-135M")
        for name, make in makers.items()
    )


STAGES: dict[str, tuple[float, Callable[[Bench], dict[str, Any]]]] = {
    "device": (20, device),
    "exact": (150, exact),
    "decode": (330, decode),
    "peers": (150, peers),
    "bits": (60, bits),
    "end_to_end": (260, end_to_end),
    "energy": (90, energy),
    "prefill": (90, prefill),
    "sanitizer": (80, sanitizer),
}
"""Each stage's budget in seconds, 1230 together; the last case of a stage may go beyond it."""


def _nvcc_version() -> str:
    nvcc = find_nvcc()
    if nvcc is None:
        return "none"
    done = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=False)
    return next((line for line in done.stdout.splitlines() if "release" in line), "unknown")
