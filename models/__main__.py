"""Command line of the numbers; each command is a module of ``models.commands``."""

from models.cli import Commands, run
from models.commands import (
    PROGRAM,
    bench,
    compare,
    evaluate,
    formats,
    interchange,
    quantize,
    show,
    study,
    train,
)

COMMANDS = (formats, quantize, interchange, show, evaluate, compare, train, study, bench)
"""In the order of the help text."""


def main() -> None:
    """Parse the command line and do what it says."""
    examples = "examples:\n" + "\n".join(f"  {command.EXAMPLE}" for command in COMMANDS)
    description = "Formats, quantized models and the exact reference."
    commands = Commands(PROGRAM, description, examples)
    for command in COMMANDS:
        command.add(commands)
    commands.run()


if __name__ == "__main__":
    run(PROGRAM, main)
