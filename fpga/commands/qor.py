"""What rows of a circuit alone cost."""

import json
from argparse import Namespace
from typing import Any

from fpga.commands import progress
from fpga.commands.flow import add_flow_flags
from fpga.qor import measure, record
from hwgen.flags import add_config_flags, config_from
from models.checks import require
from models.cli import Commands

EXAMPLE = "python -m fpga qor --kind addsub --lanes 64 --stage-every 1 --mapping ecp5"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Synthesize, place and route rows of a circuit alone."
    sub = commands.add("qor", text, run, EXAMPLE)
    sub.add_argument("--pe", type=int, default=1, metavar="N", help="rows (default: 1)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_flow_flags(sub)
    add_config_flags(sub, skip=("pe",))


def run(arguments: Namespace) -> None:
    """Measure one unit and print its figures."""
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    config = config_from(arguments)
    figures = record(config, measure(config, arguments.seeds, arguments.freq, progress))
    print(json.dumps(figures, indent=2) if arguments.json else summary(figures))


def summary(figures: dict[str, Any]) -> str:
    """Return the figures of a unit in a line."""
    return (
        f"{figures['lut4']} LUT4 ({figures['carry']} carry), {figures['registers']} registers, "
        f"{figures['fmax_median']:.0f} MHz ({', '.join(f'{mhz:.0f}' for mhz in figures['fmax'])}), "
        f"{figures['lut4_per_mac_per_cycle']:.2f} LUT4 per MAC/cycle"
    )
