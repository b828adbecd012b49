"""Cells and clock of many units, and a model of them."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from fpga.commands import progress
from fpga.predict import Model, errors, parts
from fpga.sweep import sweep
from models.checks import require
from models.cli import Commands

EXAMPLE = "python -m fpga sweep docs/records/fpga_sweep.json --limit 10"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Measure units of many configurations; fit a model to two thirds, test it on the rest."
    sub = commands.add("sweep", text, run, EXAMPLE)
    sub.add_argument("file", type=Path, help="JSON; what it has of the same circuit stays")
    sub.add_argument(
        "--limit", type=int, metavar="N", help="measure so many at most (default: all)"
    )
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Measure what is missing, then print the errors of the model."""
    limit = arguments.limit
    require(limit is None or limit >= 0, "limit", "be 0 or more", limit)
    kept = sweep(arguments.file, limit, progress)
    fit, test = parts(kept)
    found = {
        target: errors(Model(fit), {n: r for n, r in test.items() if r["target"] == target})
        for target in sorted({record["target"] for record in kept.values()})
    }
    if arguments.json:
        print(json.dumps({target: asdict(one) for target, one in found.items()}, indent=2))
        return
    for target, one in found.items():
        print(
            f"{target}: {one.points} points apart: LUT {one.lut:.1%}, FF {one.ff:.1%}, "
            f"Fmax {one.fmax:.1%} off on average"
        )
