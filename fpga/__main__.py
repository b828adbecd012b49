"""Command line of figures on FPGAs: qor, records."""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from fpga.qor import measure, record, source_of
from fpga.standard import UNITS, missed
from hwgen.flags import add_config_flags, config_from
from models.checks import require
from models.cli import Commands, nearest, run
from models.files import whole_file

PROGRAM = "python -m fpga"
EXAMPLE = """examples:
  python -m fpga qor --kind addsub --lanes 64 --stage-every 1 --mapping ecp5
  python -m fpga qor --k 1 --lanes 256 --stage-every 1 --mapping ecp5 --json
  python -m fpga records docs/records/ecp5.json"""


def main() -> None:
    """Parse the command line and do what it says."""
    commands = Commands(PROGRAM, "Measure circuits on FPGAs.", EXAMPLE)
    sub = commands.add("qor", "Synthesize, place and route rows of a circuit alone.", qor)
    sub.add_argument("--pe", type=int, default=1, metavar="N", help="rows (default: 1)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    _add_flow_flags(sub)
    add_config_flags(sub, skip=("pe",))

    sub = commands.add("records", "Measure the standard units and keep the figures.", records)
    sub.add_argument("file", type=Path, help="JSON; what it has of the same Verilog stays")
    sub.add_argument("--unit", action="append", metavar="NAME", help="only this (default: all)")
    _add_flow_flags(sub)
    commands.run()


def _add_flow_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="(default: 1 2 3)")
    parser.add_argument("--freq", type=float, default=250, help="MHz to aim at (default: 250)")


def _progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def qor(arguments: Namespace) -> None:
    """Measure one unit and print its figures."""
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    config = config_from(arguments)
    figures = record(config, measure(config, arguments.seeds, arguments.freq, _progress))
    print(json.dumps(figures, indent=2) if arguments.json else summary(figures))


def records(arguments: Namespace) -> None:
    """Measure standard units, each kept as soon as it is there; exit with 1 if a bar is missed."""
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    for name in arguments.unit or []:
        require(name in UNITS, "unit", f"be a standard one ({nearest(name, UNITS)})", name)
    kept: dict[str, Any] = json.loads(arguments.file.read_text()) if arguments.file.exists() else {}
    failed = False
    for name in arguments.unit or UNITS:
        config, bar = UNITS[name]
        source = source_of(config, arguments.seeds, arguments.freq)
        if kept.get(name, {}).get("source") != source:
            quality = measure(
                config,
                arguments.seeds,
                arguments.freq,
                lambda text, name=name: _progress(f"{name}: {text}"),
            )
            kept[name] = record(config, quality) | {"source": source}
            with whole_file(arguments.file) as part:
                part.write_text(json.dumps(kept, indent=1) + "\n")
        wrong = missed(bar, kept[name])
        failed |= bool(wrong)
        print(f"{name}: {summary(kept[name])}{''.join(f'; {text}' for text in wrong)}", flush=True)
    if failed:
        sys.exit(1)


def summary(figures: dict[str, Any]) -> str:
    """Return the figures of a unit in a line."""
    return (
        f"{figures['lut4']} LUT4 ({figures['carry']} carry), {figures['registers']} registers, "
        f"{figures['fmax_median']:.0f} MHz ({', '.join(f'{mhz:.0f}' for mhz in figures['fmax'])}), "
        f"{figures['lut4_per_mac_per_cycle']:.2f} LUT4 per MAC/cycle"
    )


if __name__ == "__main__":
    run(PROGRAM, main)
