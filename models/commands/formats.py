"""The formats."""

from argparse import Namespace

from models.cli import Commands

EXAMPLE = "python -m models formats sdq"


def add(commands: Commands) -> None:
    """Add the command."""
    text = "List the formats with their options, or say all of one."
    sub = commands.add("formats", text, run, EXAMPLE)
    sub.add_argument("name", nargs="?", help="a format (default: a line for each)")


def run(arguments: Namespace) -> None:
    """Print a line for each format, or all of one."""
    from models.formats import FORMATS, describe, explain

    if arguments.name is not None:
        print(explain(arguments.name))
        return
    for name in FORMATS:
        print(describe(name))
