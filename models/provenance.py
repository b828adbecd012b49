"""Where a record comes from: command, commit, versions."""

import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).parents[1]
_SOURCES = ("models", "hwgen", "cost", "fpga", "sim", "explore")


def made_by(program: str, *packages: str) -> dict[str, str]:
    """Return what a record says of the run that made it.

    Parameters
    ----------
    program : str
        What its command line begins with, such as ``python -m sim``.
    packages : names of installed packages whose versions matter
    """
    return {
        "command": f"{program} {shlex.join(sys.argv[1:])}",
        "commit": commit(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def commit() -> str:
    """Return the commit of this program's own sources; ``changed`` where these differ from it."""
    try:
        head = _git("describe", "--always", "--abbrev=12", "--exclude=*")
        return f"{head} changed" if _git("status", "--porcelain", "--", *_SOURCES) else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
