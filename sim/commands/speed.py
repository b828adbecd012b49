"""How fast the circuit simulates."""

import json
from argparse import Namespace

from hwgen.flags import add_config_flags, config_from
from models.cli import Commands

EXAMPLE = "python -m sim speed --lanes 64"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("speed", "Time the simulation of a layer on the circuit.", run, EXAMPLE)
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub)


def run(arguments: Namespace) -> None:
    """Print cycles and operations a second."""
    from sim.speed import measure, report

    done = measure(config_from(arguments))
    print(json.dumps(vars(done), indent=2) if arguments.json else report(done))
