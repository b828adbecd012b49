"""Command line of circuits on FPGAs; each command is a module of ``fpga.commands``."""

from fpga.commands import (
    PROGRAM,
    boards,
    build,
    engine,
    program,
    qor,
    records,
    report,
    sweep,
    units,
    verify,
)
from models.cli import Commands, run

COMMANDS = (boards, build, report, program, verify, qor, engine, units, records, sweep)
"""In the order of the help text."""


def main() -> None:
    """Parse the command line and do what it says."""
    examples = "examples:\n" + "\n".join(f"  {command.EXAMPLE}" for command in COMMANDS)
    commands = Commands(PROGRAM, "Put circuits on FPGAs, and measure them.", examples)
    for command in COMMANDS:
        command.add(commands)
    commands.run()


if __name__ == "__main__":
    run(PROGRAM, main)
