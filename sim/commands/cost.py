"""What tokens of a model cost on an engine, and on a GPU."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwgen.config import HardwareConfig
from hwgen.flags import add_config_flags, settings_from
from models.checks import require
from models.cli import Commands

if TYPE_CHECKING:
    from cost.compare import Result
    from cost.engine import Chip
    from cost.prices import Prices
    from cost.storage import Storage
    from cost.versus import OnGpu
    from cost.workload import Shape

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
    sub.add_argument("--board", metavar="BOARD", help="in place of technology and memory")
    sub.add_argument("--watts", type=float, metavar="W", help="that the board draws, measured")
    sub.add_argument("--context", type=int, default=1024, help="tokens before (default: 1024)")
    sub.add_argument("--clock", type=float, metavar="MHZ",
                     help="(default: what all measured engines reach)")  # fmt: skip
    sub.add_argument("--idle", type=float, default=0.0, metavar="W",
                     help="of all that is neither engine nor memory (default: 0)")  # fmt: skip
    sub.add_argument("--prices", type=Path, metavar="FILE",
                     help="TOML; its technologies, memories and GPUs beside ours")  # fmt: skip
    sub.add_argument("--gpu", metavar="GPU", help="compare with it: a100, h100, h200, orin-agx")
    sub.add_argument("--gpu-records", type=Path, metavar="DIR",
                     help="of models.gpu record (default: docs/records/gpu)")  # fmt: skip
    sub.add_argument("--why", action="store_true", help="print every layer and term")
    sub.add_argument("--picture", type=Path, metavar="FILE",
                     help="write a PNG of where joules go")  # fmt: skip
    sub.add_argument("--roofline", type=Path, metavar="FILE", help="write a PNG of the rooflines")
    sub.add_argument("--pareto", type=Path, metavar="FILE",
                     help="write a PNG of perplexity over joules and speed")  # fmt: skip
    sub.add_argument("--perplexity", type=Path, default=Path("docs/records/smollm2"),
                     help="records for --pareto (default: %(default)s)")  # fmt: skip
    sub.add_argument("--versus", type=Path, metavar="FILE",
                     help="write a PNG of our joules and speed beside those of --gpu")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, skip=("k", "terms", "mapping"))


def run(arguments: Namespace) -> None:
    """Print a line for each model, format and technology, and what a GPU needs."""
    from cost.compare import Result
    from cost.engine import token
    from cost.pictures import against, breakdown, rooflines
    from cost.prices import read_tables, table_of
    from cost.storage import storage_of
    from cost.technology import gpus, memories, technologies
    from cost.versus import ends
    from cost.why import why, why_gpu
    from cost.workload import shape_of

    asked = arguments.versus is None or arguments.gpu is not None
    require(asked, "--gpu", "be given with --versus", "none")
    alone = arguments.watts is None or arguments.board is not None
    require(alone, "--watts", "be given with --board", arguments.watts)
    chips = arguments.pareto is None or arguments.board is None
    require(chips, "--pareto", "be given without --board", arguments.board)
    own = read_tables(arguments.prices) if arguments.prices else {}
    tables = technologies() | own
    memory = table_of(memories() | own, "memory", arguments.memory)
    gpu = table_of(gpus() | own, "gpu", arguments.gpu) if arguments.gpu else None
    head = storage_of(arguments.head)
    results = []
    for name in arguments.model:
        model = shape_of(name)
        for storage in map(storage_of, arguments.format):
            if arguments.board:
                results.append(_board(arguments, model, storage, head))
                continue
            for technology in arguments.technology:
                table_ = table_of(tables, "technology", technology)
                chip = _chip(arguments, model, storage, table_, memory)
                done = token(model, storage, head, chip, arguments.context)
                results.append(Result(model, storage, chip, done))
    beside = [] if gpu is None else _gpu(arguments, gpu, head, results)
    if arguments.json:
        _print_json(arguments, results, beside)
    else:
        _print(arguments, results, beside)
        if arguments.why:
            print(*(why(one, head) for one in results), sep="\n")
        if arguments.why and gpu is not None:
            for model, text, ones in beside:
                print(f"\n{gpu.name}, {model}, {text}:", *(why_gpu(gpu, one) for one in ones),
                      sep="\n")  # fmt: skip
    if arguments.picture:
        breakdown(results, arguments.picture)
    if arguments.versus and gpu is not None:
        chosen = [(name, text, ends(ones)) for name, text, ones in beside]
        against(results, gpu.name, chosen, arguments.versus)
    if arguments.pareto:
        _pareto(arguments, tables, memory, head, beside)
    if arguments.roofline:
        rooflines(results, gpu, arguments.roofline)


def _print_json(arguments: Namespace, results: "list[Result]", beside: "list[OnGpu]") -> None:
    from cost.terms import as_json

    rows = [{"model": m, "format": f, **one.as_json()} for m, f, ones in beside for one in ones]
    engine = [
        one.as_json() | ({"terms": as_json(one.token.terms)} if arguments.why else {})
        for one in results
    ]
    print(json.dumps({"engine": engine, "gpu": rows} if arguments.gpu else engine, indent=2))


def _print(arguments: Namespace, results: "list[Result]", beside: "list[OnGpu]") -> None:
    from cost.compare import table

    print(table(results))
    for warning in dict.fromkeys(w for one in results for w in one.token.warnings):
        print(f"warning: {warning}")
    for model, text, ones in beside:
        print(f"{arguments.gpu}, {model}, {text}:", *(one.show() for one in ones), sep="\n  ")
    _print_ratios(arguments, results, beside)
    if beside:
        idle = f"{arguments.idle:g} W by --idle" if arguments.idle else "nothing (--idle W)"
        ours = f"of engine and memory, and for all else {idle}"
        print("joules of a GPU are its board's, without a host; ours are "
              f"{'of the whole board' if arguments.board else ours}")  # fmt: skip


def _gpu(
    arguments: Namespace, gpu: "Prices", head: "Storage", results: "list[Result]"
) -> "list[OnGpu]":
    """Return what a GPU needs for each model in FP16 and in each format: name, format, tokens.

    What does not fit its memory is said on the error stream and left out.
    """
    from cost.measured import RECORDS
    from cost.storage import storage_of
    from cost.versus import on_gpu

    records, found = arguments.gpu_records or RECORDS, []
    known = records.is_dir() or arguments.gpu_records is None
    require(known, "--gpu-records", "be a folder of records", records)
    for model in {one.model.name: one.model for one in results}.values():
        for text in dict.fromkeys(["fp16", *arguments.format]):
            wide = storage_of("fp16") if text == "fp16" else head
            try:
                ones = on_gpu(model, storage_of(text), wide, gpu, arguments.context,
                              records)  # fmt: skip
            except ValueError as error:
                print(f"left out: {error}", file=sys.stderr)
                continue
            found.append((model.name, text, ones))
    return found


def _print_ratios(
    arguments: Namespace,
    results: "list[Result]",
    beside: "list[OnGpu]",
) -> None:
    from cost.versus import ends, ratio

    for result in results:
        for model, text, ones in beside:
            if model == result.model.name and text in ("fp16", result.storage.name):
                for one in ends(ones):
                    print(ratio(result, arguments.gpu, text, one))


def _chip(
    arguments: Namespace, model: "Shape", storage: "Storage", technology: "Prices",
    memory: "Prices",
) -> "Chip":  # fmt: skip
    from cost.engine import Chip, fastest
    from cost.interval import Interval
    from cost.prices import Price

    clock = arguments.clock
    require(clock is None or clock > 0, "clock", "be above 0 MHz", clock)
    require(arguments.idle >= 0, "idle", "be 0 W or more", arguments.idle)
    config = _config(arguments, model, storage, {})
    idle = Price("idle", Interval.of(arguments.idle), "W", "given by --idle")
    hertz = clock * 1e6 if clock else float(fastest(technology).low // 1e6) * 1e6
    return Chip(config, hertz, technology, memory, idle)


def _config(
    arguments: Namespace, model: "Shape", storage: "Storage", own: dict[str, Any]
) -> HardwareConfig:
    """Return the circuit that flags ask for, with room for the model's widest layer."""
    settings = own | settings_from(arguments)
    ternary = settings.get("kind") != "popcount"
    require(storage.terms > 0, "format", "be one that a circuit of ours takes", storage.name)
    k = (
        storage.planes + storage.planes % 2
        if ternary and settings.get("ternary", True)
        else (storage.planes)
    )
    widest = max(linear.inputs for linear in (*model.linears, model.head))
    columns = arguments.columns or max(widest, own.get("columns", 0))
    settings |= {"columns": columns, "k": k, "coef_bits": storage.coefficient_bits}
    return HardwareConfig(**settings)


def _board(arguments: Namespace, model: "Shape", storage: "Storage", head: "Storage") -> "Result":
    """Return a token's cost on a board; its joules are the watts that are given, times time."""
    from cost.board import memory_of, on_board
    from cost.compare import Result
    from cost.engine import Chip
    from cost.interval import Interval
    from cost.prices import Price, Prices
    from fpga.boards import board_of

    name, watts, clock = arguments.board, arguments.watts or 0.0, arguments.clock
    rule = "be given with --board, above 0 (no price of an FPGA's logic is known to us)"
    require(watts > 0, "--watts", rule, arguments.watts)
    board = board_of(name)
    require(clock is None or clock > 0, "clock", "be above 0 MHz", clock)
    config = _config(arguments, model, storage, board.circuit)
    nothing = Price("idle", Interval(0, 0), "W", "the board's power has it")
    chip = Chip(config, (clock or board.clock) * 1e6, Prices(name, {}), memory_of(name), nothing)
    power = Price("power", Interval.of(watts), "W", "given by --watts")
    done = on_board(model, storage, head, chip, arguments.context, power)
    return Result(model, storage, chip, done)


def _pareto(
    arguments: Namespace,
    tables: "dict[str, Prices]",
    memory: "Prices",
    head: "Storage",
    beside: "list[OnGpu]",
) -> None:
    """Draw every record of the model whose format costs are known of; say which are left out."""
    from cost.engine import token
    from cost.pareto import Point, pareto, scores
    from cost.prices import table_of
    from cost.storage import storage_of
    from cost.versus import ends
    from cost.workload import shape_of

    model = shape_of(arguments.model[0])
    found, left_out = scores(arguments.perplexity, model.name)
    points = []
    for text, perplexity in found.integers.items():
        for name in arguments.technology:
            storage, technology = storage_of(text), table_of(tables, "technology", name)
            chip = _chip(arguments, model, storage, technology, memory)
            done = token(model, storage, head, chip, arguments.context)
            points.append(Point(f"{text}, {name}", perplexity, done.joules, done.rate))
    for name, text, ones in beside:
        if name == model.name and text == "fp16":
            points += [
                Point(f"{arguments.gpu} FP16, batch {one.batch}, {one.origin}", found.real,
                      one.read_joules, one.rate, True, not one.measured)
                for one in ends(ones)
            ]  # fmt: skip
    for line in left_out:
        print(f"left out of the picture: {line}")
    pareto(points, arguments.pareto)
