"""What the units beside the engine cost, kept."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from fpga.beside import measure, source_of
from fpga.commands import progress
from fpga.commands.flow import add_flow_flags
from hwgen.units import UNITS
from models.checks import require
from models.cli import Commands, nearest
from models.files import whole_file

EXAMPLE = "python -m fpga units docs/records/ecp5_units.json"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Measure the units beside the engine and keep the figures."
    sub = commands.add("units", text, run, EXAMPLE)
    sub.add_argument("file", type=Path, help="JSON; what it has of the same Verilog stays")
    sub.add_argument("--unit", action="append", metavar="NAME", help="only this (default: all)")
    add_flow_flags(sub)


def run(arguments: Namespace) -> None:
    """Measure units, each kept as soon as it is there."""
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    for name in arguments.unit or []:
        require(name in UNITS, "unit", f"be a known one ({nearest(name, UNITS)})", name)
    kept: dict[str, Any] = json.loads(arguments.file.read_text()) if arguments.file.exists() else {}
    for name in arguments.unit or UNITS:
        source = source_of(name, arguments.seeds, arguments.freq)
        if kept.get(name, {}).get("source") != source:
            kept[name] = measure(
                name,
                arguments.seeds,
                arguments.freq,
                lambda text, name=name: progress(f"{name}: {text}"),
            )
            with whole_file(arguments.file) as part:
                part.write_text(json.dumps(kept, indent=1) + "\n")
        found = kept[name]
        print(
            f"{name}: {found['lut4']} LUT4, {found['registers']} registers, "
            f"{found['blocks']} blocks, {found['multipliers']} multipliers, "
            f"{found['fmax_median']:.0f} MHz ({', '.join(f'{mhz:.0f}' for mhz in found['fmax'])})",
            flush=True,
        )
