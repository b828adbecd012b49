"""What tokens of a model cost on an engine, and on a GPU."""

import json
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwgen.config import HardwareConfig
from hwgen.flags import add_config_flags, settings_from
from models.checks import require
from models.cli import Commands

if TYPE_CHECKING:
    from cost.engine import Chip
    from cost.storage import Storage

EXAMPLE = "python -m sim cost LLaMA-2-7B --format ternary --gpu h100 --why"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Predict time and energy of a token: engine, memory, head, cache, and a GPU beside it."
    sub = commands.add("cost", text, run, EXAMPLE)
    sub.add_argument("model", nargs="+", help="names, or folders with config.json")
    sub.add_argument("--format", nargs="+", default=["ternary"], metavar="FORMAT",
                     help="int8, int4, ternary, binary, signs:k=N, each also group=N")  # fmt: skip
    sub.add_argument("--head", default="int8", metavar="FORMAT", help="of the head (default: int8)")
    sub.add_argument("--technology", nargs="+", default=["asap7"], help="(default: asap7)")
    sub.add_argument("--memory", default="lpddr5-6400x64", help="(default: %(default)s)")
    sub.add_argument("--context", type=int, default=1024, help="tokens before (default: 1024)")
    sub.add_argument("--clock", type=float, default=500.0, metavar="MHZ", help="(default: 500)")
    sub.add_argument("--idle", type=float, default=0.0, metavar="W",
                     help="of all that is neither engine nor memory (default: 0)")  # fmt: skip
    sub.add_argument("--prices", type=Path, metavar="FILE", help="TOML in place of our own")
    sub.add_argument("--gpu", metavar="GPU", help="compare with it: a100 or h100")
    sub.add_argument("--why", action="store_true", help="print every term of the first result")
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG of where joules go")
    sub.add_argument("--roofline", type=Path, metavar="FILE", help="write a PNG of the rooflines")
    sub.add_argument("--pareto", type=Path, metavar="FILE",
                     help="write a PNG of perplexity over joules and speed")  # fmt: skip
    sub.add_argument("--perplexity", type=Path, default=Path("docs/records/smollm2"),
                     help="records for --pareto (default: %(default)s)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, skip=("k", "terms", "mapping"))


def run(arguments: Namespace) -> None:
    """Print a line for each model, format and technology."""
    from cost.compare import Result, table
    from cost.engine import token
    from cost.gpu import best, roofline
    from cost.pictures import breakdown, rooflines
    from cost.prices import read_tables, table_of
    from cost.storage import storage_of
    from cost.technology import gpus, memories, technologies
    from cost.terms import explain
    from cost.workload import shape_of

    tables = read_tables(arguments.prices) if arguments.prices else technologies()
    memory = table_of(memories(), "memory", arguments.memory)
    gpu = table_of(gpus(), "gpu", arguments.gpu) if arguments.gpu else None
    head = storage_of(arguments.head)
    results = []
    for name in arguments.model:
        model = shape_of(name)
        for storage in map(storage_of, arguments.format):
            for technology in arguments.technology:
                chip = _chip(arguments, storage, table_of(tables, "technology", technology), memory)
                done = token(model, storage, head, chip, arguments.context)
                results.append(Result(model, storage, chip, done))
    if arguments.json:
        print(json.dumps([one.as_json() for one in results], indent=2))
    else:
        print(table(results))
        for warning in dict.fromkeys(w for one in results for w in one.token.warnings):
            print(f"warning: {warning}")
    if gpu is not None and not arguments.json:
        for name in dict.fromkeys(arguments.model):
            model = shape_of(name)
            for text in dict.fromkeys(["fp16", *arguments.format]):
                storage = storage_of(text)
                wide = storage_of("fp16") if text == "fp16" else head
                for at in (roofline, best):
                    _print_gpu(at, model, storage, wide, gpu, arguments.context)
    if arguments.why:
        first = results[0]
        print(f"\n{first.model.name}, {first.storage.name}, {first.chip.technology.name}:")
        print(explain(first.token.terms, "uJ", 1e6))
    if arguments.picture:
        breakdown(results, arguments.picture)
    if arguments.pareto:
        _pareto(arguments, tables, memory, head)
    if arguments.roofline:
        rooflines(results, gpu, arguments.roofline)


def _print_gpu(
    at: Any, model: Any, storage: "Storage", head: "Storage", gpu: Any, ctx: int
) -> None:
    from cost.gpu import best

    try:
        one = (
            best(model, storage, head, gpu, ctx)
            if at is best
            else at(model, storage, head, gpu, ctx, 1)
        )
    except ValueError as error:
        print(f"{gpu.name}: {error}")
        return
    speed = [1 / one.seconds.high, 1 / one.seconds.low]
    print(
        f"{gpu.name:<8}{model.name:<14}{storage.name:<12} batch {one.batch:<5} "
        f"{speed[0]:9.3g}..{speed[1]:<9.3g} tokens/s {one.joules.show():>14} J/token "
        f"({one.bound}; {one.source})"
    )


def _chip(arguments: Namespace, storage: "Storage", technology: Any, memory: Any) -> "Chip":
    from cost.engine import Chip
    from cost.interval import Interval
    from cost.prices import Price

    require(arguments.clock > 0, "clock", "be above 0 MHz", arguments.clock)
    require(arguments.idle >= 0, "idle", "be 0 W or more", arguments.idle)
    settings = settings_from(arguments)
    ternary = settings.get("kind") != "popcount"
    require(storage.terms > 0, "format", "be one that a circuit of ours takes", storage.name)
    k = (
        storage.planes + storage.planes % 2
        if ternary and settings.get("ternary", True)
        else (storage.planes)
    )
    most = 1 << 17
    settings |= {"k": k, "columns": most} if "columns" not in settings else {"k": k}
    idle = Price("idle", Interval.of(arguments.idle), "W", "given by --idle")
    return Chip(HardwareConfig(**settings), arguments.clock * 1e6, technology, memory, idle)


def _pareto(arguments: Namespace, tables: Any, memory: Any, head: "Storage") -> None:
    """Draw every record whose format costs are known of; say which are left out."""
    from cost.engine import token
    from cost.pictures import pareto
    from cost.prices import table_of
    from cost.storage import storage_of
    from cost.workload import shape_of

    model, rows = shape_of(arguments.model[0]), {}
    for path in sorted(arguments.perplexity.glob("*.json")):
        record = json.loads(path.read_text())
        text = ",".join(
            option for option in record["asked"]["quantize"]["format"].split(",")
            if "coef_bits" not in option
        )  # fmt: skip
        scores = [
            result["perplexity"] for one in record.get("evaluated", []) for result in one["results"]
            if result["version"].startswith("integer")
        ]  # fmt: skip
        try:
            storage = storage_of(text)
        except ValueError as error:
            print(f"left out of the picture: {path.name}: {error}")
            continue
        if not scores:
            print(f"left out of the picture: {path.name}: it has no perplexity of integers")
            continue
        technology = table_of(tables, "technology", arguments.technology[0])
        done = token(model, storage, head, _chip(arguments, storage, technology, memory),
                     arguments.context)  # fmt: skip
        rows[text] = (scores[-1], done.joules.middle, 1 / done.seconds.middle)
    require(bool(rows), str(arguments.perplexity), "hold a record to draw", "none")
    pareto(rows, arguments.pareto)
