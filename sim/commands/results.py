"""The results page, from committed records."""

from argparse import Namespace
from pathlib import Path

from models.cli import Commands
from models.files import whole_file

EXAMPLE = "python -m sim results -o build/results.md"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Write every committed record as a table, with the command that made it."
    sub = commands.add("results", text, run, EXAMPLE)
    sub.add_argument("records", type=Path, nargs="?", default=Path("docs/records"),
                     help="folder (default: %(default)s)")  # fmt: skip
    sub.add_argument("-o", dest="out", type=Path, metavar="FILE", help="write it here, not out")


def run(arguments: Namespace) -> None:
    """Print the page, or write it."""
    from sim.results import page

    text = page(arguments.records)
    if arguments.out is None:
        print(text, end="")
        return
    with whole_file(arguments.out) as part:
        part.write_text(text, "utf-8")
