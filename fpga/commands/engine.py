"""What whole engines cost beyond their processing elements."""

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

from fpga.commands import progress
from fpga.engine import measure, record
from hwgen.flags import add_config_flags, config_from
from models.checks import require
from models.cli import Commands
from models.files import whole_file

EXAMPLE = "python -m fpga engine --kind addsub --share 4 --stage-every 1 --mapping ecp5 --seeds"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Synthesize a whole engine, by component; place and route it for each seed."
    sub = commands.add("engine", text, run, EXAMPLE)
    sub.add_argument("--seeds", type=int, nargs="*", default=[1], help="(default: 1; none: area)")
    sub.add_argument("--freq", type=float, default=150, help="MHz to aim at (default: 150)")
    sub.add_argument("--records", type=Path, metavar="FILE", help="JSON to keep the figures in")
    sub.add_argument("--name", default="engine", help="of the figures in it (default: engine)")
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub)


def run(arguments: Namespace) -> None:
    """Measure one engine and print a table."""
    require(arguments.freq > 0, "freq", "be positive", arguments.freq)
    config = config_from(arguments)
    found = record(config, measure(config, arguments.seeds, arguments.freq, progress))
    if arguments.records is not None:
        path: Path = arguments.records
        kept = json.loads(path.read_text()) if path.exists() else {}
        with whole_file(path) as part:
            part.write_text(json.dumps(kept | {arguments.name: found}, indent=1) + "\n")
    print(json.dumps(found, indent=2) if arguments.json else table(found))


def table(found: dict[str, Any]) -> str:
    """Return the figures of an engine as a table, and in a line."""
    rows = [f"{'module':24}{'count':>6}{'LUT4':>8}{'registers':>11}{'blocks':>8}{'mult.':>7}"]
    parts = found["components"] | {"in one piece": {"count": 1, **found["engine"]}}
    rows += [
        f"{name:24}{part['count']:6}{part['lut4']:8}{part['registers']:11}{part['blocks']:8}"
        f"{part['multipliers']:7}"
        for name, part in parts.items()
    ]
    pe, one = found["config"]["pe"], found["element"]["lut4"]
    rows.append(
        f"{pe} PEs of {one} LUT4: the engine adds {found['overhead']:.1%}; "
        f"of {found['row_lut4']} with an accumulator each: {found['overhead_rows']:.1%}"
    )
    if found["fmax"]:
        engine, element = max(found["fmax"]), max(found["element_fmax"])
        path = " > ".join(found["path"])
        rows.append(f"{engine:.0f} MHz at best, one PE {element:.0f} MHz; slowest path: {path}")
    return "\n".join(rows)
