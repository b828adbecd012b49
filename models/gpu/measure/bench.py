"""What the stages of the measuring plan share, and the conditions of a record."""

import os
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from models.gpu.kernels import Kernels
from models.gpu.measure.nvml import Nvml
from models.gpu.measure.timing import copy_bandwidth, idle_watts
from models.provenance import commit

FAILED = "failed"
"""What the result of a case that raised an error begins with."""


@dataclass
class Bench:
    """What the stages share.

    Attributes
    ----------
    kernels : Kernels
    budget : float
        Seconds of the stage under way; cases that do not begin before are named, not measured.
    bandwidth, idle : float
        Measured once: bytes each second of a copy, watts at rest.
    """

    kernels: Kernels
    nvml: Nvml | None
    bandwidth: float
    idle: float
    budget: float = 0.0

    def found(self) -> dict[str, Any]:
        """Return what was measured once, and the driver and the clocks as they are now."""
        figures: dict[str, Any] = {
            "copy_bytes_per_second": self.bandwidth, "idle_watts": self.idle,
        }  # fmt: skip
        if self.nvml is not None:
            figures |= {"driver": self.nvml.driver, "megahertz": self.nvml.megahertz,
                        "watts_limit": self.nvml.watts_limit}  # fmt: skip
        return figures

    def cases(self, named: Iterable[tuple[str, Callable[[], Any]]]) -> dict[str, Any]:
        """Run cases until the budget is spent; what fails says why, and the others go on."""
        begun, results = time.monotonic(), {}
        for name, case in tqdm(list(named), leave=False):
            if time.monotonic() - begun > self.budget:
                results[name] = "not reached"
                continue
            try:
                results[name] = case()
            except torch.cuda.OutOfMemoryError:
                free, total = torch.cuda.mem_get_info()
                results[name] = f"out of memory: {free >> 20} MiB of {total >> 20} MiB free"
            except Exception as error:  # of a kernel, or of a package of others
                results[name] = f"{FAILED}: {' '.join(str(error).split())[:200]}"
            torch.cuda.empty_cache()
        return results


def find_nvml() -> Nvml | None:
    """Return the GPU's counters, or None where energy cannot be read, as of a part of a GPU."""
    try:
        nvml = Nvml(f"GPU-{torch.cuda.get_device_properties(0).uuid}")
        return nvml if nvml.joules >= 0 else None
    except OSError:
        return None


def make_bench(kernels: Kernels) -> Bench:
    """Measure what all stages want to know."""
    nvml = find_nvml()
    bandwidth = float(str(copy_bandwidth()["bytes_per_second"]))
    return Bench(kernels, nvml, bandwidth, 0.0 if nvml is None else idle_watts(nvml))


def conditions() -> dict[str, Any]:
    """Return what a record says of the run: command, versions, GPU, time.

    Where there is no repository, the variable ``PLANESMITH_COMMIT`` names the commit.
    """
    return {
        "command": " ".join(["python -m models.gpu", *sys.argv[1:]]),
        "commit": os.environ.get("PLANESMITH_COMMIT") or commit(),
        "gpu": torch.cuda.get_device_name(0),
        "torch": torch.__version__,
        "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
