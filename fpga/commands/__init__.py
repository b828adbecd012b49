"""Subcommands of ``python -m fpga``, a module each: ``add`` declares one, ``run`` does it."""

import sys
from argparse import ArgumentParser
from pathlib import Path

PROGRAM = "python -m fpga"

BUILD = Path("build")
"""Where results go unless the command line says otherwise."""

CACHE = BUILD / "fpga"
"""What was built before, by content."""


def progress(text: str) -> None:
    """Say what is done now."""
    print(text, file=sys.stderr, flush=True)


def add_folder_flag(parser: ArgumentParser, text: str) -> None:
    """Add the flag for the folder of a build."""
    shown = f"{text} (default: {BUILD}/BOARD)"
    parser.add_argument("-o", dest="folder", type=Path, metavar="DIR", help=shown)
