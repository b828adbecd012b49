"""Time of the reference."""

import json
from argparse import Namespace

from models.cli import Commands

EXAMPLE = "python -m models bench"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Time the reference against float layers of the same shapes."
    sub = commands.add("bench", text, run, EXAMPLE)
    sub.add_argument("--threads", type=int, default=1, help="of the products (default: 1)")
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Time the reference."""
    from models.bench import measure, report

    figures = measure(arguments.threads)
    print(json.dumps(figures, indent=2) if arguments.json else report(figures))
