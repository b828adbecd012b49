"""A model quantized, and a layer of each kind verified."""

import sys
from argparse import Namespace
from pathlib import Path

from hwgen.flags import add_config_flags, settings_from
from models.cli import Commands
from sim.commands import BUILD
from sim.fit import FITTED

EXAMPLE = "python -m sim demo --format ternary:scale=group,group=64"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "demo", "Quantize a model and verify a layer of each kind on RTL.", run, EXAMPLE
    )
    sub.add_argument("--model", default="smollm2", help="as for models quantize (default: smollm2)")
    sub.add_argument("--format", default="signs:k=2,group=64", help="(default: %(default)s)")
    sub.add_argument("--prompt", help="text that the model reads (default: a short sentence)")
    sub.add_argument("-o", dest="folder", type=Path, default=BUILD / "demo",
                     help="folder of all results (default: %(default)s)")  # fmt: skip
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Run the demo, print its table, draw its picture, and fail unless all is equal."""
    from sim.demo import run_demo
    from sim.real import PROMPT
    from sim.report import picture, table

    prompt = arguments.prompt or PROMPT
    given = settings_from(arguments)
    results, config = run_demo(arguments.model, arguments.format, prompt, given, arguments.folder)
    drawn = arguments.folder / "layers.png"
    picture(results, config, f"{arguments.model}, {arguments.format}", drawn)
    print(table(results))
    verified = sum(done.verified for done, _ in results)
    print(f"{verified} of {len(results)} layers verified: all integers and cycles as predicted")
    print(f"quantized model, Verilog and picture: {arguments.folder}")
    if verified < len(results):
        sys.exit(1)
