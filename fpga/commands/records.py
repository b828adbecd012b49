"""What the standard units cost, kept."""

import sys
from argparse import Namespace

from fpga.commands.flow import add_kept_flags, kept_figures
from fpga.commands.qor import summary
from fpga.qor import measure, record, source_of
from fpga.standard import UNITS, missed
from models.cli import Commands

EXAMPLE = "python -m fpga records docs/records/ecp5.json"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Measure the standard units and keep the figures."
    add_kept_flags(commands.add("records", text, run, EXAMPLE))


def run(arguments: Namespace) -> None:
    """Measure standard units; exit with 1 if a bar is missed."""
    seeds, target = arguments.seeds, arguments.freq
    configs = {name: config for name, (config, _) in UNITS.items()}
    failed = False
    for name, figures in kept_figures(
        arguments,
        UNITS,
        lambda name: source_of(configs[name], seeds, target),
        lambda name, tell: record(configs[name], measure(configs[name], seeds, target, tell)),
    ):
        wrong = missed(UNITS[name][1], figures)
        failed |= bool(wrong)
        print(f"{name}: {summary(figures)}{''.join(f'; {text}' for text in wrong)}", flush=True)
    if failed:
        sys.exit(1)
