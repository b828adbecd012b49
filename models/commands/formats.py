"""The formats."""

from argparse import Namespace

from models.cli import Commands

EXAMPLE = "python -m models formats"


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add("formats", "List the formats with their options.", run, EXAMPLE)


def run(_: Namespace) -> None:
    """Print a line for each format."""
    from models.formats import FORMATS, describe

    for name in FORMATS:
        print(describe(name))
