"""Units beside the engine: their Verilog lints clean, and what is refused says why."""

import subprocess
import sys
from pathlib import Path

import pytest

from hwgen.config import HardwareConfig
from hwgen.units import UNITS, UnitConfig, unit_verilog
from sim.lint import lint

SMALL = HardwareConfig(k=2, pe=4, lanes=4, act_bits=4, columns=64, requantize_bits=4, views=2)
WAIVERS = Path(__file__).parents[1] / "sim" / "waivers.vlt"


@pytest.mark.parametrize("name", UNITS)
def test_lints_clean(tmp_path: Path, name: str) -> None:
    source = tmp_path / f"{name}.v"
    source.write_text(unit_verilog(name, SMALL, UnitConfig(block=8, samples=12, bytes=2)))
    lint([source], name, WAIVERS)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["hadamar"], "unit must be a known one (did you mean hadamard?), got hadamar"),
        (
            ["hadamard", "--block", "48"],
            "block must be a power of two for a Hadamard unit, got 48",
        ),
        (["matrix", "--samples", "0"], "samples must be from 1 to 4096, got 0"),
        (
            ["link", "--lanes", "24"],
            "lanes must divide the 64 processing elements or be a multiple of them to link, got 24",
        ),
    ],
)
def test_refusals(arguments: list[str], line: str) -> None:
    command = [sys.executable, "-m", "hwgen.units", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"python -m hwgen.units: error: {line}\n")
