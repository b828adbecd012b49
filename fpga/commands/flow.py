"""Measuring on the command line: seeds, the clock to aim at, figures that a file keeps."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from fpga.commands import progress
from models.checks import require
from models.cli import nearest
from models.files import whole_file

Figures = dict[str, Any]


def add_flow_flags(parser: ArgumentParser) -> None:
    """Add the flags of placing."""
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="(default: 1 2 3)")
    parser.add_argument("--freq", type=float, default=250, help="MHz to aim at (default: 250)")


def add_kept_flags(parser: ArgumentParser) -> None:
    """Add the file that figures are kept in, which units to measure, and the flags of placing."""
    parser.add_argument("file", type=Path, help="JSON; what it has of the same Verilog stays")
    parser.add_argument("--unit", action="append", metavar="NAME", help="only this (default: all)")
    add_flow_flags(parser)


def kept_figures(
    arguments: Namespace,
    known: Iterable[str],
    source_of: Callable[[str], str],
    measured: Callable[[str, Callable[[str], object]], Figures],
) -> Iterator[tuple[str, Figures]]:
    """Yield units with their figures, each kept as soon as it is there.

    Parameters
    ----------
    source_of : callable
        A digest of all that decides the figures of a unit, by name.
    measured : callable
        Takes a name, and what to tell each step.

    Raises
    ------
    ValueError
        There is no such unit, or the clock is none.
    """
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    for name in arguments.unit or []:
        require(name in known, "unit", f"be a known one ({nearest(name, known)})", name)
    kept: dict[str, Figures] = (
        json.loads(arguments.file.read_text()) if arguments.file.exists() else {}
    )
    for name in arguments.unit or known:
        source = source_of(name)
        if kept.get(name, {}).get("source") != source:
            figures = measured(name, lambda text, name=name: progress(f"{name}: {text}"))
            kept[name] = figures | {"source": source}
            with whole_file(arguments.file) as part:
                part.write_text(json.dumps(kept, indent=1) + "\n")
        yield name, kept[name]
