"""A layer on a board, every integer against the reference."""

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from fpga.description import Description
from fpga.host import Host
from fpga.line import SerialLine
from fpga.onboard import OnBoard
from models.checks import require
from models.cli import Commands
from models.store import open_layers

EXAMPLE = (
    "python -m fpga verify build/ulx3s build/ternary.safetensors "
    "--layer layers.3.self_attn.q_proj --port /dev/ttyUSB0"
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Run a layer on a board, and compare every integer with the reference."
    sub = commands.add("verify", text, run, EXAMPLE)
    sub.add_argument("build", type=Path, help="folder of the build that the board was loaded from")
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--layer", required=True, help="its name, or the end of it")
    sub.add_argument("--port", required=True, help="serial port, or link of python -m sim uart")
    sub.add_argument("--tokens", type=int, default=2, metavar="N", help="(default: 2)")
    sub.add_argument("--seed", type=int, default=1, metavar="N", help="of inputs (default: 1)")
    sub.add_argument(
        "--patience", type=float, default=0.3, metavar="S",
        help="seconds to wait for a first reply (default: 0.3)",
    )  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Run and compare; exit with 1 where an integer differs."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    require(arguments.patience > 0, "patience", "be positive", arguments.patience)
    described = Description.read(arguments.build)
    with open_layers(arguments.file) as file:
        layer = file.layer(arguments.layer)
    line = SerialLine(arguments.port, described.baud)
    try:
        host = Host(line, patience=arguments.patience)
        host.identify(described.design)
        board = OnBoard(host, described.config, described.system)
        from fpga.verify import verify

        with tqdm(desc="to the board", unit="B", unit_scale=True, leave=False) as bar:
            done = verify(layer, board, arguments.tokens, arguments.seed, bar.update)
    finally:
        line.close()
    figures = {
        "layer": layer.name, "integers": done.integers, "equal": done.equal,
        "retries": host.retries, **asdict(board.tally),
        "seconds_on_the_engine": board.tally.cycles / described.clock / 1e6,
    }  # fmt: skip
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print(
            f"{layer.name}: {done.equal} of {done.integers} integers equal; "
            f"{board.tally.cycles} cycles in {board.tally.runs} runs, "
            f"{board.tally.starved} of them waiting for weights; {host.retries} frames repeated"
        )
    if done.equal != done.integers:
        sys.exit(1)
