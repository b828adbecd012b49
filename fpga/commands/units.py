"""What the units beside the engine cost, kept."""

from argparse import Namespace
from functools import partial

from fpga.beside import measure, source_of
from fpga.commands.flow import add_kept_flags, kept_figures
from hwgen.units import UNITS
from models.cli import Commands

EXAMPLE = "python -m fpga units docs/records/ecp5_units.json"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Measure the units beside the engine and keep the figures."
    add_kept_flags(commands.add("units", text, run, EXAMPLE))


def run(arguments: Namespace) -> None:
    """Measure units."""
    flow = {"seeds": arguments.seeds, "target": arguments.freq}
    source, measured = partial(source_of, **flow), partial(measure, **flow)
    for name, found in kept_figures(
        arguments, UNITS, source, lambda name, tell: measured(name, progress=tell)
    ):
        print(
            f"{name}: {found['lut4']} LUT4, {found['registers']} registers, "
            f"{found['blocks']} blocks, {found['multipliers']} multipliers, "
            f"{found['fmax_median']:.0f} MHz ({', '.join(f'{mhz:.0f}' for mhz in found['fmax'])})",
            flush=True,
        )
