"""Each package knows only the ones below it, and importing the light ones stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {
    "models": {"models"},
    "hwgen": {"models", "hwgen"},
    "fpga": {"models", "hwgen", "fpga"},
    "cost": {"models", "hwgen", "fpga", "cost"},
    "explore": {"models", "hwgen", "fpga", "cost", "explore"},
    "sim": {"models", "hwgen", "fpga", "cost", "explore", "sim"},
}
"""Packages of ours that a package may import."""


def imported(file: Path) -> set[str]:
    """Return the packages of ours that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found & BELOW.keys()


@pytest.mark.parametrize("package", BELOW)
def test_imports_point_down(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        wrong = imported(file) - BELOW[package]
        assert not wrong, f"{file.relative_to(ROOT)} imports {', '.join(wrong)}"


def test_generator_needs_no_torch() -> None:
    code = "import sys, hwgen.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
