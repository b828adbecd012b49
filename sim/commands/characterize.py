"""The analytic model against synthesis and against what others published."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from models.cli import Commands
from models.files import whole_file

EXAMPLE = "python -m sim characterize docs/records --published"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Measure many small elements, fit the model's prices to half of them, test on the rest."
    sub = commands.add("characterize", text, run, EXAMPLE)
    sub.add_argument("records", type=Path, help="folder of records; finished ones stay")
    sub.add_argument("--liberty", type=Path, nargs="+",
                     help="measure what characterization.json lacks, on this library")  # fmt: skip
    sub.add_argument("--dont-use", nargs="+", default=[], metavar="CELL", help="as for synth")
    sub.add_argument("--prices", type=Path, metavar="FILE", help="write the technologies' prices")
    sub.add_argument("--published", action="store_true", help="compare with published figures")


def run(arguments: Namespace) -> None:
    """Print errors; exit with 1 if a bar is missed."""
    from cost.cells import Library
    from cost.characterize import characterize, standard
    from cost.components import fit_engines
    from cost.components import report as report_engines
    from cost.fit import BARS, fit, report
    from cost.liberty import read
    from cost.libraries import held as held_of
    from cost.libraries import report as report_libraries
    from cost.published import rows, table
    from cost.technology import gpus, memories, nodes_of, technologies, text_of
    from cost.winner import contests

    path = arguments.records / "characterization.json"
    if arguments.liberty:
        library = Library(read(arguments.liberty))
        with tqdm(desc="characterize", total=len(standard()), unit="element", leave=False) as bar:
            characterize(library, arguments.dont_use, path, bar.update)
    kept = json.loads(path.read_text())
    missed = False
    fits = {figure: fit(kept, figure) for figure in BARS}
    for figure, found in fits.items():
        print(report(found, figure))
        missed |= any(error > bar for error, bar in zip(found.errors(), BARS[figure], strict=True))
    engines = json.loads((arguments.records / "engines.json").read_text())
    for figure, found in fits.items():
        print(report_engines(fit_engines(engines, found, figure), figure))
    ecp5 = json.loads((arguments.records / "ecp5.json").read_text())
    held = contests(kept, fits["area_um2"], fits["energy"], ecp5)
    print(report_libraries(held_of(nodes_of(arguments.records), technologies())))
    print("which kind wins, for a ternary product:", *(one.show() for one in held), sep="\n  ")
    missed |= not all(one.agrees for one in held)
    if arguments.prices:
        nodes = nodes_of(arguments.records)
        with whole_file(arguments.prices) as part:
            part.write_text(text_of(kept, engines, nodes[0], nodes[1:]))
    if arguments.published:
        print(table(rows(technologies(), gpus(), memories(), arguments.records)))
    if missed:
        sys.exit(1)
