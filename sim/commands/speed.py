"""How fast the circuit simulates."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from hwgen.flags import add_config_flags, config_from
from models.cli import Commands

EXAMPLE = "python -m sim speed --kind addsub --lanes 64 --build"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("speed", "Time the simulation of a layer on the circuit.", run, EXAMPLE)
    sub.add_argument("--build", action="store_true",
                     help="time building the simulator as well, nothing cached")  # fmt: skip
    sub.add_argument("--record", type=Path, metavar="FILE",
                     help="add the figures to this file")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub)


def run(arguments: Namespace) -> None:
    """Print cycles and operations a second."""
    from sim.records import add_entry, settings, shown
    from sim.speed import measure, report

    config = config_from(arguments)
    done = measure(config, build=arguments.build)
    if arguments.record:
        add_entry(arguments.record, shown(settings(config)), {"speed": asdict(done)})
    print(json.dumps(asdict(done), indent=2) if arguments.json else report(done))
