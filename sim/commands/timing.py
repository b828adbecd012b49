"""Our static timing beside OpenSTA's, on the standard units."""

import json
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from models.checks import require
from models.cli import Commands
from models.files import whole_file

EXAMPLE = "python -m sim timing cells.lib -o docs/records/timing.json"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Compare the timing of the standard units with OpenSTA's (Debian: opensta)."
    sub = commands.add("timing", text, run, EXAMPLE)
    sub.add_argument("liberty", type=Path, nargs="+", help="Liberty files of one library")
    sub.add_argument("--dont-use", nargs="+", default=[], metavar="CELL", help="as for synth")
    sub.add_argument("--unit", nargs="+", metavar="UNIT",
                     help="of cost/standard.py (default: all)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("-o", dest="out", type=Path, metavar="FILE", help="keep the JSON here too")


def run(arguments: Namespace) -> None:
    """Print a line for each unit: both times of its slowest path, and how far its ends are off."""
    from cost.cells import Library
    from cost.liberty import read
    from cost.netlist import build
    from cost.opensta import compare, record, table, version
    from cost.recipe import Recipe, synthesize
    from cost.standard import UNITS
    from cost.timing import analyze

    chosen = dict.fromkeys(arguments.unit or UNITS)
    for name in chosen:
        require(name in UNITS, "unit", f"be one of {'; '.join(UNITS)}", name)
    sta = version()
    files: list[Path] = arguments.liberty
    library, recipe = Library(read(files)), Recipe()
    found = {}
    for name in tqdm(chosen, desc=library.name, unit="unit", leave=False):
        unit = UNITS[name]
        module = synthesize(unit.verilog(), unit.top, library, recipe, arguments.dont_use)
        netlist = build(module, library)
        found[name] = compare(netlist, library, files, analyze(netlist, library).ends)
    kept = record(found, library.name, sta)
    text = json.dumps(kept, indent=1)
    if arguments.out:
        with whole_file(arguments.out) as part:
            part.write_text(text + "\n")
    print(text if arguments.json else table(found))
