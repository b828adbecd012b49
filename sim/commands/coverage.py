"""Functional coverage of the benches."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from models.cli import Commands
from sim.commands import BUILD, PROGRAM

EXAMPLE = "python -m sim coverage -o docs/records/coverage.json"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "coverage", "Run all benches; print which combinations they ran, and which not, and why.",
        run, EXAMPLE,
    )  # fmt: skip
    sub.add_argument("--seed", type=int, default=1, help="of the benches' cases (default: 1)")
    sub.add_argument("--state", type=Path, default=BUILD / "coverage",
                     help="from which a stopped run goes on (default: %(default)s)")  # fmt: skip
    sub.add_argument("--kept", action="store_true", help="report what ran so far; run nothing")
    sub.add_argument("-o", dest="out", type=Path, metavar="FILE", help="write a record, too")
    sub.add_argument("--json", action="store_true", help="print the record")


def run(arguments: Namespace) -> None:
    """Print the table and the holes; fail if one has no reason."""
    from models.files import whole_file
    from sim import campaign
    from sim.coverage import covered, explanations, reasons, record, table, unexplained

    given = reasons()
    try:
        if not arguments.kept:
            campaign.run(arguments.state, arguments.seed, _say)
    except (AssertionError, RuntimeError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        sys.exit(1)
    parts = campaign.kept(arguments.state, arguments.seed)
    ran = [part for part in parts if part is not None]
    crosses = covered(campaign.notes_of(ran), given)
    text = json.dumps(record(crosses, sorted({part.commit for part in ran}), len(ran), len(parts)),
                      indent=1)  # fmt: skip
    print(text if arguments.json else f"{table(crosses)}\n\n{explanations(crosses)}")
    if arguments.out is not None:
        with whole_file(arguments.out) as file:
            file.write_text(text + "\n")
    holes = unexplained(crosses)
    if holes:
        more = f" and {len(holes) - 1} more" if len(holes) > 1 else ""
        raise ValueError(f"coverage must have a reason for each hole, got none for {holes[0]}{more}"
                         "; write it into sim/holes.toml")  # fmt: skip


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
