"""How busy the array is with the layers of a model."""

import json
from argparse import Namespace

from hwgen.flags import add_config_flags, config_from
from models.cli import Commands

EXAMPLE = "python -m sim utilization llama-2-7b --group 128"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "utilization", "Print how busy the array is with a model's layers.", run, EXAMPLE
    )
    sub.add_argument("model", help="smollm2-135m or llama-2-7b")
    text = "columns that share a coefficient; 0 is a whole row (default: 64)"
    sub.add_argument("--group", type=int, default=64, metavar="N", help=text)
    text = "over a weight word: binary terms, or pairs of them (default: 2)"
    sub.add_argument("--passes", type=int, default=2, metavar="N", help=text)
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub)


def run(arguments: Namespace) -> None:
    """Print a line for each kind of layer, and the model as a whole."""
    from sim.utilization import uses, whole

    config = config_from(arguments)
    layers = uses(arguments.model, arguments.group, arguments.passes, config)
    if arguments.json:
        print(json.dumps([vars(use) for use in layers], indent=1))
        return
    print(f"{'layer':<10}  {'out x in':>13}  {'number':>6}  {'cycles':>9}  utilization")
    for use in layers:
        shape = f"{use.out} x {use.inputs}"
        share = f"{use.utilization:11.1%}"
        print(f"{use.layer:<10}  {shape:>13}  {use.count:>6}  {use.cycles:>9}  {share}")
    print(f"all: {whole(layers):.1%}")
