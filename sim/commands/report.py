"""The report of an exploration, to pass around."""

from argparse import Namespace
from pathlib import Path

from models.cli import Commands
from models.files import whole_file
from sim.commands import BUILD

EXAMPLE = "python -m sim report build/explore -o report.html"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Write an exploration as one HTML file: plots, tables, sources."
    sub = commands.add("report", text, run, EXAMPLE)
    sub.add_argument("run", type=Path, nargs="?", default=BUILD / "explore",
                     help="folder that explore wrote (default: %(default)s)")  # fmt: skip
    sub.add_argument("-o", dest="out", type=Path, default=Path("report.html"), metavar="FILE",
                     help="(default: %(default)s)")  # fmt: skip


def run(arguments: Namespace) -> None:
    """Write the page."""
    from explore.report import report
    from explore.result import Result

    page = report(Result.read(arguments.run))
    with whole_file(arguments.out) as part:
        part.write_text(page, "utf-8")
    print(f"{arguments.out}: {len(page.encode()) / 1e6:.2f} MB")
