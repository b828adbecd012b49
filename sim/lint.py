"""Verilator's warnings about a Verilog module."""

import re
import subprocess
import tempfile
from pathlib import Path

from sim import tools
from sim.library import source_files


def lint(sources: list[Path], top: str, waivers: Path | None = None) -> None:
    """Check that Verilator, with all its warnings, has nothing to say about a top module.

    Parameters
    ----------
    sources : Verilog files; nothing else is searched for includes
    top : name of the top module
    waivers : Verilator control file (``.vlt``) of warnings not to count

    Raises
    ------
    FileNotFoundError
        A source, ``waivers`` or a tool is missing.
    ValueError
        There are warnings or errors; the text has their number, and the first.
    """
    files = source_files([waivers, *sources] if waivers else sources, top)
    command = ["verilator", "--lint-only", "-Wall", "--top-module", top, *files]
    environment = tools.verilator_environment()
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
    found = [line for line in done.stderr.splitlines() if re.match("%(Warning|Error)[-:]", line)]
    found = [line for line in found if "Exiting due to" not in line]
    if found or done.returncode:
        first = found[0] if found else f"exit status {done.returncode}"
        raise ValueError(f"{top} must lint clean, got {len(found)} warnings or errors: {first}")
