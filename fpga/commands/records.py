"""What the standard units cost, kept."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

from fpga.commands import progress
from fpga.commands.flow import add_flow_flags
from fpga.commands.qor import summary
from fpga.qor import measure, record, source_of
from fpga.standard import UNITS, missed
from models.checks import require
from models.cli import Commands, nearest
from models.files import whole_file

EXAMPLE = "python -m fpga records docs/records/ecp5.json"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Measure the standard units and keep the figures."
    sub = commands.add("records", text, run, EXAMPLE)
    sub.add_argument("file", type=Path, help="JSON; what it has of the same Verilog stays")
    sub.add_argument("--unit", action="append", metavar="NAME", help="only this (default: all)")
    add_flow_flags(sub)


def run(arguments: Namespace) -> None:
    """Measure standard units, each kept as soon as it is there; exit with 1 if a bar is missed."""
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    for name in arguments.unit or []:
        require(name in UNITS, "unit", f"be a standard one ({nearest(name, UNITS)})", name)
    kept: dict[str, Any] = json.loads(arguments.file.read_text()) if arguments.file.exists() else {}
    failed = False
    for name in arguments.unit or UNITS:
        config, bar = UNITS[name]
        source = source_of(config, arguments.seeds, arguments.freq)
        if kept.get(name, {}).get("source") != source:
            quality = measure(
                config,
                arguments.seeds,
                arguments.freq,
                lambda text, name=name: progress(f"{name}: {text}"),
            )
            kept[name] = record(config, quality) | {"source": source}
            with whole_file(arguments.file) as part:
                part.write_text(json.dumps(kept, indent=1) + "\n")
        wrong = missed(bar, kept[name])
        failed |= bool(wrong)
        print(f"{name}: {summary(kept[name])}{''.join(f'; {text}' for text in wrong)}", flush=True)
    if failed:
        sys.exit(1)
