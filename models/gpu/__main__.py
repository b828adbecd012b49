"""Command line of the GPU kernels."""

import json
import os
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from models.checks import require
from models.cli import Commands, run

if TYPE_CHECKING:
    from models.gpu.kernels import Kernels

PROGRAM = "python -m models.gpu"
RECORDS = Path("docs/records/gpu")


def _kernels(device: str) -> "Kernels":
    import torch

    from models.gpu.build import emulated_library
    from models.gpu.kernels import Kernels
    from models.gpu.linear import gpu_kernels

    if device == "cpu":
        return Kernels(emulated_library())
    have = torch.cuda.is_available()
    require(have, "GPU", "be one that PyTorch finds; --device cpu emulates the kernels", "none")
    return gpu_kernels(0)


@contextmanager
def _memory_errors() -> Iterator[None]:
    """Say in one line that a GPU's memory does not suffice."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        free, total = torch.cuda.mem_get_info()
        got = f"{free >> 20} of {total >> 20} MiB free"
        raise ValueError(f"memory of the GPU must suffice, got {got}") from error


def build(arguments: Namespace) -> None:
    """Compile the kernels."""
    from models.gpu.build import gpu_library

    print(gpu_library())


def check(arguments: Namespace) -> None:
    """Compare random layers with the reference."""
    from models.gpu.measure.attend import attention_differs
    from models.gpu.measure.exact import compare, compare_bits
    from models.gpu.measure.layers import each_kind, random_layers

    device, seed, seconds = arguments.device, arguments.seed, arguments.seconds
    require(arguments.layers > 0, "layers", "be 1 or more", arguments.layers)
    require(seconds > 0, "seconds", "be above 0", seconds)
    require(seed >= 0, "seed", "be 0 or more", seed)
    kernels = _kernels(device)
    layers = each_kind(device) if arguments.each else random_layers(arguments.layers, seed, device)
    with _memory_errors():
        counts = compare(kernels, layers, seconds, device, seed)
        if arguments.each:
            for name, count in compare_bits(kernels, device).items():
                counts[name] += count
            counts["mismatches"] += attention_differs(kernels, 4, 2, 64, device)
    print(json.dumps(counts) if arguments.json else
          ", ".join(f"{count} {name}" for name, count in counts.items()))  # fmt: skip
    require(counts["layers"] > 0, "seconds", "suffice for a layer", seconds)
    require(counts["mismatches"] == 0, "mismatches", "be 0", counts["mismatches"])


def record(arguments: Namespace) -> None:
    """Run the measuring plan."""
    # Compiled parts of whole models then begin early, as the kernels do; both sides have them.
    os.environ.setdefault("TORCHINDUCTOR_ENABLE_PDL", "1")
    from models.gpu.measure.record import record as run_plan

    kernels = _kernels("cuda")
    with _memory_errors():
        lines = run_plan(kernels, arguments.output, arguments.only, arguments.again)
    print("\n".join(lines))


def plot(arguments: Namespace) -> None:
    """Draw the records."""
    from models.gpu.measure.plots import draw

    for path in draw(arguments.folder):
        print(path)


def main() -> None:
    """Parse the command line and do what it says."""
    examples = (
        f"{PROGRAM} build",
        f"{PROGRAM} check --layers 20 --device cpu",
        f"{PROGRAM} record --only device exact",
        f"{PROGRAM} plot",
    )
    text = "Kernels for bitplane layers on NVIDIA GPUs: compile, check, measure."
    commands = Commands(PROGRAM, text, "examples:\n  " + "\n  ".join(examples))
    commands.add("build", "Compile the kernels by nvcc; print the library.", build, examples[0])
    sub = commands.add("check", "Compare random layers with the reference.", check, examples[1])
    sub.add_argument("--layers", type=int, default=1000, help="layers (default: 1000)")
    sub.add_argument("--seconds", type=float, default=600, help="most time (default: 600)")
    sub.add_argument("--seed", type=int, default=0, help="of the layers (default: 0)")
    each = "in place of random layers one of each kind, products of bits, attention"
    sub.add_argument("--each", action="store_true", help=each)
    sub.add_argument("--device", choices=("cuda", "cpu"), default="cuda",
                     help="a GPU, or the kernels' emulation (default: cuda)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    text = "Run the measuring plan, or what has no record of this commit and GPU yet."
    sub = commands.add("record", text, record, examples[2])
    sub.add_argument("-o", "--output", type=Path, default=RECORDS,
                     help=f"folder (default: {RECORDS})")  # fmt: skip
    sub.add_argument("--only", nargs="+", default=[], metavar="STAGE", help="these stages")
    sub.add_argument(
        "--again", action="store_true", help="replace records of this commit and GPU, too"
    )
    sub = commands.add("plot", "Draw the records as PNG files beside them.", plot, examples[3])
    sub.add_argument("folder", type=Path, nargs="?", default=RECORDS,
                     help=f"records (default: {RECORDS})")  # fmt: skip
    commands.run()


if __name__ == "__main__":
    run(PROGRAM, main)
