"""Figures of builds, side by side."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from fpga.build import RESULT
from fpga.commands import BUILD
from fpga.report import table
from models.cli import Commands
from models.files import whole_file

EXAMPLE = "python -m fpga report ulx3s icebreaker --picture build/boards.png"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Show cells, clock, slowest path, operations and tokens a second of builds."
    sub = commands.add("report", text, run, EXAMPLE)
    sub.add_argument("build", nargs="*", help=f"board, for {BUILD}/BOARD, or folder of a build")
    sub.add_argument(
        "--records", type=Path, metavar="FILE",
        help="JSON that keeps figures: what it has is shown too, and the builds are added",
    )  # fmt: skip
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG picture")
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print a table, and the slowest paths."""
    kept: dict[str, Any] = {}
    if arguments.records and arguments.records.exists():
        kept = json.loads(arguments.records.read_text())
    for build in arguments.build:
        name, record = _read(build)
        kept[name] = record
    if not kept:
        raise ValueError("builds must be given, or --records with some, got none")
    if arguments.records:
        with whole_file(arguments.records) as part:
            part.write_text(json.dumps(kept, indent=1) + "\n")
    if arguments.picture:
        from fpga.picture import picture

        picture(kept, arguments.picture)
    if arguments.json:
        print(json.dumps(kept, indent=2))
        return
    print(table(kept))
    for name, record in kept.items():
        print(f"{name}: slowest path: {record['path_text']}")


def _read(build: str) -> tuple[str, dict[str, Any]]:
    folder = Path(build) if Path(build).is_dir() else BUILD / build
    file = folder / RESULT
    if not file.is_file():
        raise FileNotFoundError(
            f"build must have a {RESULT}, got {folder}; make one with: python -m fpga build"
        )
    record = json.loads(file.read_text())
    return record["name"], record
