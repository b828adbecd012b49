"""What to build: formats, circuits and memories searched for a model."""

import json
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.cli import Commands
from sim.commands import BUILD

if TYPE_CHECKING:
    from explore.result import Result
    from explore.space import Space

EXAMPLE = "python -m sim explore --text build/wikitext2_test.txt --trust routed -o build/explore"
TRUST = ("analytic", "evaluated", "synthesized", "routed")


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Search formats, circuits and memories for the ones that no other beats."
    sub = commands.add("explore", text, run, EXAMPLE)
    sub.add_argument("space", type=Path, nargs="?", help="TOML (default: explore/default.toml)")
    sub.add_argument("--trust", choices=TRUST, default="analytic",
                     help="how far to go (default: analytic)")  # fmt: skip
    sub.add_argument("--points", type=int, default=30000, metavar="N",
                     help="tried all; of more, NSGA-II proposes N (default: 30000)")  # fmt: skip
    sub.add_argument("--evaluate", type=int, default=12, metavar="N", help="formats (default: 12)")
    sub.add_argument("--synthesize", type=int, default=4, metavar="N", help="elements (default: 4)")
    sub.add_argument("--route", type=int, default=1, metavar="N", help="elements (default: 1)")
    sub.add_argument("--seed", type=int, default=1, help="of the sampler (default: 1)")
    sub.add_argument("--text", type=Path, metavar="FILE", help="measures perplexity; the space's")
    sub.add_argument("--calibrate", metavar="TEXT", help="as for models quantize; the space's")
    sub.add_argument("--liberty", type=Path, nargs="+", metavar="FILE",
                     help="synthesize on it, not for an ECP5; the space's")  # fmt: skip
    sub.add_argument("--records", type=Path, default=Path("docs/records/smollm2"), metavar="DIR",
                     help="of models compare (default: %(default)s)")  # fmt: skip
    sub.add_argument("--gpu-records", type=Path, default=Path("docs/records/gpu"), metavar="DIR",
                     help="of models.gpu record (default: %(default)s)")  # fmt: skip
    sub.add_argument("--workers", type=int, default=2, help="processes (default: 2); 0: this one")
    sub.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, in place of workers here")
    sub.add_argument("--kept", type=Path, metavar="DIR", help="of answers (default: the cache)")
    sub.add_argument("--json", action="store_true", help="print the front as JSON")
    sub.add_argument("-o", dest="folder", type=Path, default=BUILD / "explore", metavar="DIR",
                     help="run to write (default: %(default)s)")  # fmt: skip


def run(arguments: Namespace) -> None:
    """Explore, keep the run after each answer, and print the front."""
    try:
        from explore.api import search
        from explore.run import Plan
    except ImportError as error:
        raise ValueError(
            f"package {error.name} must be installed to explore, got none; "
            "pip install 'planesmith[explore]'"
        ) from error
    plan = Plan(arguments.trust, arguments.points, arguments.evaluate, arguments.synthesize,
                arguments.route, arguments.seed)  # fmt: skip
    result = search(
        _space(arguments), plan, arguments.folder, records=arguments.records,
        gpu_records=arguments.gpu_records, kept=arguments.kept, count=arguments.workers,
        scheduler=arguments.scheduler, say=_say,
    )  # fmt: skip
    if arguments.json:
        rows = [one.candidate.as_json() | one.metrics for one in result.front]
        print(json.dumps(rows, indent=1))
    else:
        print(_table(result) if result.front else _none(result))
        print(f"{arguments.folder}: python -m sim report {arguments.folder} -o report.html")


def _space(arguments: Namespace) -> "Space":
    from explore.space import DEFAULT, read_space

    space = read_space(arguments.space or DEFAULT)
    judged, cells = space.evaluate, space.synthesize
    if arguments.text is not None:
        if not arguments.text.is_file():
            raise FileNotFoundError(f"{arguments.text} must be a text file, got none")
        judged = replace(judged, text=str(arguments.text))
    if arguments.calibrate is not None:
        judged = replace(judged, calibrate=arguments.calibrate)
    if arguments.liberty:
        cells = replace(cells, liberty=[str(file) for file in arguments.liberty])
    return replace(space, evaluate=judged, synthesize=cells)


def _none(result: "Result") -> str:
    rest = len(result.found["open"])
    return (
        f"no candidate is known in all of {', '.join(result.found['space']['objectives'])} yet; "
        f"{rest} can be on the front: go on with more --trust"
    )


def _table(result: "Result") -> str:
    from explore.metrics import METRICS

    names = [name for name in METRICS if any(name in one.metrics for one in result.front)]
    heads = ["point", "format", "circuit", "place", *names]
    lines = [heads]
    for one in sorted(result.front, key=lambda point: point.metrics.get("perplexity", 0)):
        mine = one.candidate
        circuit = f"{mine.kind} {mine.pe} x {mine.lanes}, {mine.digit} of {mine.act_bits} bits"
        figures = [f"{one.metrics[name]:.4g}" if name in one.metrics else "-" for name in names]
        lines.append([str(one.number), mine.format, circuit, mine.place, *figures])
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
