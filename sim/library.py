"""Shared libraries of Verilog modules, built once and kept."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile

from models.files import whole_file
from sim import shim, tools

_VERILATE = ["verilator", "--cc", "--no-MMD", "-Wno-fatal", "--prefix", shim.PREFIX]
_VERILATE += ["--x-assign", "fast", "--x-initial", "fast"]  # everything starts at zero
_CPPFLAGS = "-fPIC -DVL_USER_FINISH -DVL_USER_STOP -DVL_USER_FATAL"
_COMPILE = ["make", "-f", "dut.mk", "dut.so", f"USER_CPPFLAGS={_CPPFLAGS}"]
_COMPILE += [f"OPT_FAST=-O3 {tools.NATIVE}"]

_DIRECTIONS = {"IN": "input", "OUT": "output", "INOUT": "inout"}
# Verilator replaces very long names by a hash marked __Vhsh.
_PORT = re.compile(r"VL_(IN|OUT|INOUT)(?:8|16|64|W)?\(&((?!\w*__Vhsh)\w+),(-?\d+),(-?\d+)\b.*\);")


def build_library(sources: list[Path], top: str, build_dir: Path | None, waves: bool) -> Path:
    """Return the shared library of a top module; compile it only when it is not in the cache.

    Its name is a hash of the texts of the sources, in order, and of everything else that decides
    what comes out. It appears whole or not at all, so builds may be interrupted and may race.

    Parameters
    ----------
    sources : Verilog and Verilator control files; nothing else is searched for includes
    top : name of the top module
    build_dir : folder of the cache; None is ``planesmith/verilated`` in the user's cache folder
    waves : can write FST waves

    Raises
    ------
    FileNotFoundError
        A source, a tool or, with ``waves``, a header is missing.
    RuntimeError
        Verilator or the compiler failed: its first error, and where the log is.
    ValueError
        ``top`` cannot be the name of a module, or a port is not a vector of bits.
    """
    files = source_files(sources, top)
    environment = tools.build_environment()
    verilate = [*_VERILATE, *(["--trace-fst"] if waves else [])]
    recipe = [
        *(tools.verilator_version(), tools.compiler_version(), tools.processor()),
        *(environment.get(name, "") for name in ("CXX", *tools.FLAG_VARIABLES)),
        *(*verilate, *_COMPILE, *shim.FILES.values()),
    ]
    texts = [part for file in files for part in (Path(file).suffix, Path(file).read_bytes())]
    cache = (build_dir or _user_cache()).absolute()
    library = cache / f"{top}-{_digest([*recipe, top, *texts])}.so"
    if library.exists():
        return library

    if waves:
        tools.require_fst()
    print(f"building the simulator of {top}, once", file=sys.stderr, flush=True)
    start = time.perf_counter()
    cache.mkdir(parents=True, exist_ok=True)
    # Not inside the cache, because make refuses folders with a space in their path.
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        work, log = Path(name), library.with_suffix(".log")
        _run([*verilate, "--Mdir", ".", "--top-module", top, *files], work, environment, log)
        _write_shim(work)
        # What of Verilator's run-time library a design asks for, without the design's own files.
        asked = (work / f"{shim.PREFIX}_classes.mk").read_text()
        asked = re.sub(rf"^  {shim.PREFIX}.*\n", "", asked, flags=re.M)
        runtime = cache / f"runtime-{_digest([*recipe, asked])}.a"
        if runtime.exists():
            (work / "runtime.a").symlink_to(runtime)
        # On the command line, because the wheel's makefile sets them to its own.
        chosen = {"CXX": environment["CXX"], "LINK": environment["CXX"], "PYTHON3": sys.executable}
        variables = [f"{key}={value}" for key, value in chosen.items()]
        _run([*_COMPILE, f"-j{os.cpu_count()}", *variables], work, environment, log)
        _keep(work / "runtime.a", runtime)
        _keep(work / "dut.so", library)
    print(f"built in {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return library


def source_files(sources: Sequence[Path], top: str) -> list[str]:
    """Return the absolute paths of sources, as arguments for Verilator.

    Raises
    ------
    FileNotFoundError
        A source is not a file.
    ValueError
        ``top`` cannot be the name of a module.
    """
    if not re.fullmatch(r"[A-Za-z_][\w$]*", top):
        raise ValueError(f"top must be the name of a Verilog module, got {top!r}")
    for source in sources:
        if not source.is_file():
            raise FileNotFoundError(f"source must be a file, got {source}")
    return [str(source.absolute()) for source in sources]


def _write_shim(folder: Path) -> None:
    """Add the C interface to a folder Verilator wrote, for the ports it has in its header."""
    header = (folder / f"{shim.PREFIX}.h").read_text()
    section = header.partition("// PORTS")[2].partition("// CELLS")[0]
    ports, members = [], []
    for line in re.findall(r"^ +(.*;)$", section, re.M):
        match = _PORT.fullmatch(line)
        if match is None:
            raise ValueError(f"ports must be bits, with names below 128 letters, got: {line}")
        direction, member, left, right = match.groups()
        ports.append(f"{_DIRECTIONS[direction]} {abs(int(left) - int(right)) + 1} {member}")
        members.append(f"&dut->model->{member}")
    if not ports:
        raise ValueError("the module must have ports, got none")
    filled = {"@PORTS@": r"\n".join(ports), "@ADDRESSES@": ", ".join(members)}
    for name, text in shim.FILES.items():
        for mark, code in filled.items():
            text = text.replace(mark, code)
        (folder / name).write_text(text)


def _user_cache() -> Path:
    """Return this project's part of the XDG cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "planesmith" / "verilated"


def _digest(parts: Sequence[str | bytes]) -> str:
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:20]


def _run(command: list[str], folder: Path, environment: dict[str, str], log: Path) -> None:
    """Run one step of a build; when it fails, keep what it printed and raise its first error."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        with whole_file(log) as part:
            part.write_text(done.stdout)
        lines = [
            line for line in done.stdout.splitlines() if re.search(r"^%Error|error: |\*\*\*", line)
        ]
        first = lines[0] if lines else f"exit status {done.returncode}"
        raise RuntimeError(f"{command[0]} must succeed, got: {first}; full log: {log}")


def _keep(built: Path, kept: Path) -> None:
    """Copy a file into the cache; where it is already, it is the same."""
    if not kept.exists():
        with whole_file(kept) as part:
            copyfile(built, part)
