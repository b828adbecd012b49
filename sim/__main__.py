"""Command line of the circuit at work; each command is a module of ``sim.commands``."""

from models.cli import Commands, run
from sim.commands import (
    PROGRAM,
    bench,
    characterize,
    cost,
    coverage,
    demo,
    explore,
    faults,
    formats,
    generate,
    handshake,
    layer,
    report,
    results,
    soak,
    speed,
    sweep,
    synth,
    system,
    timing,
    uart,
    utilization,
    verify,
)

COMMANDS = (
    bench, layer, generate, verify, system, utilization, synth, timing, characterize, cost, explore,
    report, speed, faults, soak, sweep, formats, coverage, handshake, uart, results, demo,
)  # fmt: skip
"""In the order of the help text."""


def main() -> None:
    """Parse the command line and do what it says."""
    examples = "examples:\n" + "\n".join(f"  {command.EXAMPLE}" for command in COMMANDS)
    commands = Commands(PROGRAM, "Run layers on the generated circuit.", examples)
    for command in COMMANDS:
        command.add(commands)
    commands.run()


if __name__ == "__main__":
    run(PROGRAM, main)
