"""Compiling the kernels: by nvcc for GPUs, by a C++ compiler as their emulation on the CPU."""

import hashlib
import os
import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from models.files import whole_file

SOURCES = Path(__file__).parent / "csrc"
ARCHITECTURES = (80, 89, 90)
"""Compute capabilities, times ten, with machine code of their own; later ones compile the PTX."""
NVCC_HELP = "nvcc must be on PATH, in CUDA_HOME or installed by: pip install 'planesmith[gpu]'"


def find_nvcc() -> Path | None:
    """Return the CUDA compiler: on PATH, in CUDA_HOME, or of the wheel ``nvidia-cuda-nvcc``."""
    found = shutil.which("nvcc")
    if found:
        return Path(found)
    roots = [Path(os.environ[name]) for name in ("CUDA_HOME", "CUDA_PATH") if name in os.environ]
    spec = find_spec("nvidia")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        roots += sorted(Path(folder).glob("cu[0-9]*"), reverse=True)
    return next((root / "bin/nvcc" for root in roots if (root / "bin/nvcc").is_file()), None)


def nvcc_command(nvcc: Path, target: Path, architectures: tuple[int, ...]) -> list[str]:
    """Return the command that compiles for some architectures, and PTX of the last for others.

    No operation is fused with another: the arithmetic rounds after each.
    """
    codes = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    codes.append(f"-gencode=arch=compute_{architectures[-1]},code=compute_{architectures[-1]}")
    libraries = [f"-L{nvcc.parents[1] / 'lib'}"] if (nvcc.parents[1] / "lib").is_dir() else []
    return [
        str(nvcc), "-std=c++17", "-O3", "-fmad=false", "--threads", "0", *codes, *libraries,
        "-shared", "-Xcompiler", "-fPIC", "-o", str(target), str(SOURCES / "kernels.cu"),
    ]  # fmt: skip


def emulation_command(target: Path) -> list[str]:
    """Return the command that compiles the same sources for the CPU."""
    compiler = os.environ.get("CXX", "c++")
    return [
        compiler, "-x", "c++", "-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Wextra",
        "-Wno-unknown-pragmas", "-shared", "-fPIC", "-o", str(target), str(SOURCES / "kernels.cu"),
    ]  # fmt: skip


def gpu_library(architectures: tuple[int, ...] = ARCHITECTURES) -> Path:
    """Return the library for GPUs, compiled on first use.

    Raises
    ------
    ValueError
        There is no nvcc, or it fails; the text ends with its first error.
    """
    nvcc = find_nvcc()
    if nvcc is None:
        raise ValueError(f"{NVCC_HELP}; got none of them")
    version = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=False)
    return _built("gpu", nvcc_command(nvcc, Path("TARGET"), architectures), version.stdout)


@cache
def emulated_library() -> Path:
    """Return the emulation, compiled on first use; it needs a C++ compiler."""
    return _built("emulated", emulation_command(Path("TARGET")), "")


def _built(name: str, command: list[str], version: str) -> Path:
    """Compile unless there is a library of the same sources, options and compiler version."""
    options = [word for word in command[1:] if not word.startswith("-L")]
    text = "\n".join([version, *options[:-1]]).encode()
    for source in sorted(SOURCES.iterdir()):
        text += source.read_bytes()
    root = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "planesmith/gpu"
    path = root / f"{name}-{hashlib.sha256(text).hexdigest()[:16]}.so"
    if not path.exists():
        root.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            ready = [str(part) if word == "TARGET" else word for word in command]
            done = subprocess.run(ready, capture_output=True, text=True, check=False)
            if done.returncode:
                lines = (done.stderr or done.stdout).splitlines() or ["no message"]
                first = next((line for line in lines if "error" in line), lines[-1])
                raise ValueError(f"{command[0]} must compile the kernels, got: {first}")
    return path
