"""Where tensors are computed."""

import platform

import torch

from models.checks import require


def choose_device(name: str) -> torch.device:
    """Return the device of that name; without one, the GPU if there is one.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    there = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    name = name or there[-1]
    require(name in there, "device", f"be one of {', '.join(there)}", name)
    return torch.device(name)


def product_type(device: torch.device) -> torch.dtype:
    """Return the type of products of reals that only have to be fast: bfloat16 or float32.

    A processor is taken to have instructions for bfloat16 if PyTorch uses its AVX-512. Without them
    bfloat16 takes several times as long as float32 (docs/results.md).
    """
    fast = device.type != "cpu" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.bfloat16 if fast else torch.float32


def machine(device: torch.device) -> str:
    """Name the processor, the threads on it, its type of products, and the GPU if that is it."""
    kind = str(product_type(device)).removeprefix("torch.")
    found = f"{platform.machine()}, {torch.get_num_threads()} threads, {kind}"
    return f"{found}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else found
