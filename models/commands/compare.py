"""Many formats on one model."""

from argparse import Namespace
from pathlib import Path

from models.cli import Commands
from models.commands.flags import CALIBRATE, MODEL, add_device, add_text

EXAMPLE = "python -m models compare --text text.txt -o build/compare"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Quantize and evaluate many formats; go on where it stopped."
    sub = commands.add("compare", text, run, EXAMPLE)
    sub.add_argument("list", type=Path, nargs="?", help="TOML (default: all formats)")
    sub.add_argument("--model", default="smollm2", help=f"{MODEL} (default: smollm2)")
    sub.add_argument("--calibrate", default="self", metavar="TEXT", help=CALIBRATE)
    sub.add_argument("--windows", type=int, default=32, help="of that text (default: 32)")
    add_text(sub, required=True)
    sub.add_argument("--integer-tokens", type=int, help="for the integers (default: all tokens)")
    sub.add_argument("--only", default="*", metavar="PATTERN", help="rows to work on (default: *)")
    jobs = "processes, each with one thread for one row at a time (default: 0, no others)"
    sub.add_argument("--jobs", type=int, default=0, metavar="N", help=jobs)
    add_device(sub)
    sub.add_argument("-o", dest="folder", type=Path, required=True, help="folder to write")


def run(arguments: Namespace) -> None:
    """Work through a list of formats; keep records, a table and a picture in a folder."""
    from models.checks import require
    from models.compare.parallel import run_all
    from models.compare.picture import write_report
    from models.compare.report import line
    from models.compare.rows import DEFAULT, choose, read_rows
    from models.compare.run import Comparison, Plan
    from models.device import choose_device

    require(arguments.jobs >= 0, "--jobs", "be 0 or more", arguments.jobs)
    rows = read_rows(arguments.list or DEFAULT)
    chosen = choose(rows, arguments.only)
    plan = Plan(
        arguments.model, arguments.calibrate, arguments.windows, arguments.text,
        arguments.tokens, arguments.context, arguments.integer_tokens,
    )  # fmt: skip
    comparison = Comparison(plan, arguments.folder, choose_device(arguments.device))
    failed = 0
    done = run_all(comparison, chosen, arguments.jobs) if arguments.jobs else chosen
    for row in done:
        record = comparison.record(row) if arguments.jobs else comparison.run(row)
        failed += bool(record.reason)
        print(line(row, record), flush=True)
        write_report({one: comparison.record(one) for one in rows}, arguments.folder)
    print(f"{arguments.folder}: table.md, perplexity.png, perplexity.svg")
    if failed:
        raise ValueError(f"rows must all have figures, got {failed} of {len(chosen)} without")
