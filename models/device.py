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


def machine(device: torch.device) -> str:
    """Name the processor, the threads on it, and the GPU if that is the device."""
    found = f"{platform.machine()}, {torch.get_num_threads()} threads"
    return f"{found}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else found
