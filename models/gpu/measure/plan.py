"""The measuring plan: stages in order, each with its budget, each a record of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.gpu.bits import BinaryMatrix
from models.gpu.build import find_nvcc
from models.gpu.measure import linear
from models.gpu.measure.bench import Bench
from models.gpu.measure.end_to_end import float_maker, kernel_maker, measure_model
from models.gpu.measure.exact import compare_in_processes
from models.gpu.measure.peers import FP16, PEERS, available
from models.gpu.measure.shapes import BITS_TABLE, MODELS, STORAGES, shapes
from models.gpu.measure.timing import Recording, copies, copy_bandwidth, median

DECODE, PEER_TOKENS, PREFILL = (1, 2, 4, 8, 16), (1, 2, 4, 8), (32, 128, 512)
"""Tokens at once."""
LARGE = ("LLaMA-2-7B", "LLaMA-2-13B", "LLaMA-3-8B")


def device(bench: Bench) -> dict[str, Any]:
    """Describe the GPU, and measure its copy bandwidth."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "gpu": properties.name, "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory, "cache_bytes": properties.L2_cache_size,
        "torch": torch.__version__, "cuda": torch.version.cuda, "nvcc": _nvcc_version(),
        "peers": available(), "copy": copy_bandwidth(),
    }  # fmt: skip


def exact(bench: Bench) -> dict[str, Any]:
    """Compare 1000 random layers with the reference."""
    return dict(compare_in_processes(1000, bench.budget))


def sanitizer(bench: Bench) -> dict[str, Any]:
    """Run ``check --each`` under the tools of compute-sanitizer."""
    nvcc = find_nvcc()
    beside = None if nvcc is None else shutil.which("compute-sanitizer", path=str(nvcc.parent))
    tool = shutil.which("compute-sanitizer") or beside
    if tool is None:
        return {"skipped": "compute-sanitizer is not installed"}

    command = [sys.executable, "-m", "models.gpu", "check", "--each"]
    end = time.monotonic() + bench.budget
    running = {
        name: subprocess.Popen(
            [tool, f"--tool={name}", "--error-exitcode=9", *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )
        for name in ("memcheck", "racecheck")
    }  # fmt: skip
    return {name: _ended(process, end - time.monotonic()) for name, process in running.items()}


def _ended(process: subprocess.Popen[str], seconds: float) -> dict[str, Any] | str:
    try:
        text, _ = process.communicate(timeout=max(seconds, 0.0))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the tool's own children, too
        process.wait()
        return "stopped at the end of the budget"
    return {"exit_status": process.returncode, "end": text.splitlines()[-3:]}


def decode(bench: Bench) -> dict[str, Any]:
    """Time choices for a few tokens on every shape: two planes for all, others for one token."""
    large = shapes(LARGE)
    small = [shape for shape in shapes() if shape not in large]
    cases = [("k2", shape, DECODE) for shape in (*large, *small)]
    cases += [("k1", shape, (1, 8)) for shape in large]
    cases += [(name, shape, (1,)) for name in STORAGES for shape in shapes(("LLaMA-2-7B",))
              if name not in ("k1", "k2")]  # fmt: skip
    return _kernel_cases(bench, cases)


def prefill(bench: Bench) -> dict[str, Any]:
    """Time choices for many tokens on the shapes of LLaMA-2-7B."""
    return _kernel_cases(bench, [("k2", shape, PREFILL) for shape in shapes(("LLaMA-2-7B",))])


def _kernel_cases(
    bench: Bench, cases: list[tuple[str, tuple[int, int], tuple[int, ...]]]
) -> dict[str, Any]:
    """Time cases; other processes make layers ready while some are measured."""
    with ProcessPoolExecutor(4, get_context("spawn")) as makers:
        ready = [makers.submit(linear.prepare, *shape, STORAGES[name]) for name, shape, _ in cases]
        results = bench.cases(
            (
                f"{name} {shape[0]} x {shape[1]}",
                lambda now=now, name=name, tokens=tokens: linear.measure_kernels(
                    bench.kernels, now.result(), name, tokens, bench.bandwidth
                ),
            )
            for now, (name, shape, tokens) in zip(ready, cases, strict=True)
        )
        makers.shutdown(cancel_futures=True)
    return results


def peers(bench: Bench) -> dict[str, Any]:
    """Time cuBLAS and installed peers on the shapes of LLaMA-2-7B."""
    return bench.cases(
        (
            f"{name}, {out} x {columns}",
            lambda o=out, c=columns, n=name: linear.measure_peer(n, o, c, PEER_TOKENS),
        )
        for name in PEERS
        for out, columns in shapes(("LLaMA-2-7B",))
    )


def bits(bench: Bench) -> dict[str, Any]:
    """Time products of bits, and cuBLAS in FP16 on the same shapes, as the published table."""

    def case(rows: int, tokens: int, columns: int, published: float) -> dict[str, Any]:
        rng = np.random.default_rng(rows)
        bits = _random_bits(rng, rows, columns)
        matrix = BinaryMatrix(bits, signs=True)
        count = copies(rows * columns // 8)
        inputs = _random_bits(rng, tokens, columns)
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
        row[FP16] = Recording([lambda w=w: x @ w.T for w in real]).seconds()
        row["ratio"] = median(row[FP16]) / min(median(row[n]) for n in ("tensor", "popcount"))
        return row

    return bench.cases(
        (f"{rows} x {columns}, {tokens} tokens", lambda a=(rows, tokens, columns, ratio): case(*a))
        for rows, tokens, columns, ratio in BITS_TABLE
    )


def _random_bits(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.bool_]:
    packed = rng.integers(0, 256, (rows, -(-columns // 8)), np.uint8)
    return np.unpackbits(packed, axis=-1, count=columns).view(np.bool_)


def _signs(bits: NDArray[np.bool_]) -> torch.Tensor:
    return torch.from_numpy(bits).cuda().float() * 2 - 1


def energy(bench: Bench) -> dict[str, Any]:
    """Read the joules of a call on layers of LLaMA-2-7B."""
    if bench.nvml is None:
        return {"skipped": "NVML's energy counter cannot be read"}
    nvml = bench.nvml
    return bench.cases(
        (
            f"{out} x {columns}, {tokens} tokens",
            lambda a=(out, columns, tokens): linear.measure_energy(
                bench.kernels, nvml, bench.idle, *a
            ),
        )
        for out, columns, tokens in ((11008, 4096, 1), (11008, 4096, 16))
    )


def end_to_end(bench: Bench) -> dict[str, Any]:
    """Time whole models at batches of 1, 4, 16 and 64."""
    makers = {
        name: kernel_maker(bench.kernels, STORAGES[name])
        for name in ("k2", "k1", "ternary", "base3", "dbf")
    }
    makers = {"FP16": float_maker(), **makers}
    models = ("LLaMA-2-7B", "SmolLM2-135M")
    cases = [(model, name, batch) for model in models for batch in (1, 4, 16, 64)
             for name in ("FP16", "k2")]  # fmt: skip
    cases += [("LLaMA-2-7B", name, 1) for name in ("k1", "ternary", "dbf", "base3")]
    return bench.cases(
        (
            f"{model}, {name}, batch {batch}",
            lambda m=model, n=name, b=batch: measure_model(
                bench.kernels, MODELS[m], b, makers[n], bench.nvml, bench.idle
            ),
        )
        for model, name, batch in cases
    )


STAGES: dict[str, tuple[float, Callable[[Bench], dict[str, Any]]]] = {
    "device": (10, device),
    "decode": (60, decode),
    "bits": (20, bits),
    "end_to_end": (120, end_to_end),
    "energy": (20, energy),
    "exact": (60, exact),
    "prefill": (20, prefill),
    "peers": (60, peers),
    "sanitizer": (120, sanitizer),
}
"""Each stage's budget in seconds, 490 together; the last case of a stage may go beyond it."""


def _nvcc_version() -> str:
    nvcc = find_nvcc()
    if nvcc is None:
        return "none"
    done = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=False)
    return next((line for line in done.stdout.splitlines() if "release" in line), "unknown")
