"""The cycles of a file's layers behind a memory."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from tqdm import tqdm

from hwgen.flags import add_config_flags
from models.checks import require
from models.cli import Commands
from models.store import open_layers
from sim.commands.flags import add_system_flags, file_config, system_from
from sim.fit import FITTED

EXAMPLE = (
    "python -m sim system build/int4.safetensors --memory ddr3-1600x16 --trace build/trace.json"
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "system", "Predict a file's layers on a circuit behind a memory.", run, EXAMPLE
    )
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--tokens", type=int, default=1, help="read at once (default: 1)")
    add_system_flags(sub)
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG timeline")
    sub.add_argument("--trace", type=Path, metavar="FILE",
                     help="write a trace for Perfetto or Chrome")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Print what the layers take together, by kind; draw and trace them if asked to."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    clock, memory = system_from(arguments)

    from sim.system import layer_duties, table
    from sim.timeline import picture, write_trace

    with open_layers(arguments.file) as file:
        config = file_config(arguments, file)
        duties = [
            duty
            for name in tqdm(file.names, desc="laying out", unit="layer", leave=False)
            for duty in layer_duties(file.layer(name), config, memory, arguments.tokens)
        ]
    if arguments.picture:
        title = f"{arguments.file.name}, {arguments.tokens} tokens at {arguments.clock:g} MHz"
        picture(duties, clock, title, arguments.picture)
    if arguments.trace:
        write_trace(duties, clock, arguments.trace)
    seconds = sum(duty.cycles for duty in duties) / clock
    speed = arguments.tokens / seconds
    if arguments.json:
        layers = [{**asdict(duty), "cycles": duty.cycles, "bound": duty.bound} for duty in duties]
        print(json.dumps({"tokens_per_second": speed, "layers": layers}, indent=2))
        return
    print(table(duties, clock))
    print(f"{speed:.1f} tokens/s at {arguments.clock:g} MHz, "
          f"{memory.sustained * clock / 1e9:.2f} GB/s")  # fmt: skip
