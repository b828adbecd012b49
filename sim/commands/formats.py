"""Every format on every kind of circuit."""

import json
import sys
from argparse import Namespace

from models.cli import Commands
from sim.commands import PROGRAM

EXAMPLE = "python -m sim formats --kind addsub"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "formats", "Run a small layer of every format on circuits; compare all integers.",
        run, EXAMPLE,
    )  # fmt: skip
    sub.add_argument("--kind", action="append", help="only this kind (default: all)")
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print the table; exit with 1 if an integer differs from the reference's."""
    from hwgen.config import KINDS
    from models.formats.spec import require_choice
    from sim.formats import Cell, run_formats, table

    kinds = tuple(arguments.kind or KINDS)
    for kind in kinds:
        require_choice("kind", kind, KINDS)
    cells = list(run_formats(kinds))
    print(json.dumps([vars(cell) for cell in cells], indent=1) if arguments.json else table(cells))
    wrong: list[Cell] = [cell for cell in cells if cell.unequal]
    for cell in wrong:
        text = f"{cell.unequal} of {cell.integers} integers of {cell.format} on {cell.kind} differ"
        print(f"{PROGRAM}: {text}", file=sys.stderr)
    if wrong:
        sys.exit(1)
