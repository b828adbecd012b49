"""The cycles of a model behind a memory."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from hwgen.flags import add_config_flags
from models.checks import require
from models.cli import Commands
from models.store import open_layers
from sim.commands.flags import add_system_flags, file_config, source_of, system_from
from sim.fit import FITTED

EXAMPLE = (
    "python -m sim system build/int4.safetensors --memory ddr3-1600x16 --trace build/trace.json"
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("system", "Predict a model on a circuit behind a memory.", run, EXAMPLE)
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--tokens", type=int, default=64,
                     help="of a prompt, after which one is decoded (default: 64)")  # fmt: skip
    add_system_flags(sub)
    sub.add_argument("--picture", type=Path, metavar="FILE",
                     help="write a PNG timeline of the decoded token")  # fmt: skip
    sub.add_argument("--trace", type=Path, metavar="FILE",
                     help="write a trace of it for Perfetto or Chrome")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Print what a decoded token and a prompt take, by kind; draw and trace the token."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    system = system_from(arguments)
    with open_layers(arguments.file) as file:
        source = source_of(arguments, file)
        config = file_config(arguments, file)
        layers = list(map(file.layer, file.names))
    from models.llm import load
    from sim.system import table
    from sim.timeline import picture, write_trace
    from sim.whole import pass_duties, shape_of

    shape, tokens = shape_of(load(source)), arguments.tokens
    prefill = pass_duties(shape, layers, config, system.memory, system.host, tokens)
    decode = pass_duties(shape, layers, config, system.memory, system.host, 1, tokens)
    if arguments.picture:
        title = f"{arguments.file.name}, a token after {tokens} others, at {system}"
        picture(decode, system.clock, title, arguments.picture)
    if arguments.trace:
        write_trace(decode, system.clock, arguments.trace)
    speeds = {"decode": system.speed(decode), "prefill": tokens * system.speed(prefill)}
    if arguments.json:
        parts = {
            name: [{**asdict(duty), "cycles": duty.cycles, "bound": duty.bound} for duty in duties]
            for name, duties in (("decode", decode), ("prefill", prefill))
        }
        print(json.dumps({"tokens_per_second": speeds, **parts}, indent=2))
        return
    print(f"a prompt of {tokens} tokens, at {system}\n{table(prefill, system.clock)}")
    print(f"{speeds['prefill']:.1f} tokens/s\n")
    print(f"the next token\n{table(decode, system.clock)}")
    print(f"{speeds['decode']:.1f} tokens/s")
