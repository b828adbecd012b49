"""What a processing element costs on a cell library."""

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwgen.flags import add_config_flags, config_from
from models.checks import require
from models.cli import Commands
from models.files import whole_file

if TYPE_CHECKING:
    from cost.stimulus import Work
    from cost.units import Unit

EXAMPLE = "python -m sim synth cells.lib --k 1 --lanes 64 --layer-of build/k2.safetensors"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Synthesize a processing element against a Liberty file: area, timing, energy."
    sub = commands.add("synth", text, run, EXAMPLE)
    sub.add_argument("liberty", type=Path, nargs="+", help="Liberty files of one library, or .gz")
    sub.add_argument("--dont-use", nargs="+", default=[], metavar="CELL",
                     help="cells to leave out; * and ? stand for any")  # fmt: skip
    sub.add_argument("--accumulate", action="store_true",
                     help="with a 32-bit accumulator and a register of operands")  # fmt: skip
    sub.add_argument("--baseline", metavar="WxA",
                     help="a dot product of W- and A-bit integers instead")  # fmt: skip
    sub.add_argument("--coding", choices=("array", "booth"), default="array",
                     help="of a baseline's multipliers (default: array)")  # fmt: skip
    sub.add_argument("--layer-of", type=Path, metavar="FILE",
                     help="work on a layer of it (default: random numbers)")  # fmt: skip
    sub.add_argument("--layer", default="layers.3.mlp.down_proj", help="(default: %(default)s)")
    sub.add_argument("--prompt", help="text that the model reads (default: a short sentence)")
    sub.add_argument("--words", type=int, default=8, help="of each row, at most (default: 8)")
    sub.add_argument("--glitches", action="store_true",
                     help="also with the delays of gates: takes a minute")  # fmt: skip
    sub.add_argument("--clock", type=float, default=100.0, metavar="MHZ",
                     help="for leakage, and to size gates for (default: 100)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("-o", dest="out", type=Path, metavar="FILE", help="keep the JSON here too")
    add_config_flags(sub, skip=("pe", "mapping"))


def run(arguments: Namespace) -> None:
    """Measure a unit and print its figures."""
    from cost.baseline import Baseline
    from cost.cells import Library
    from cost.liberty import read
    from cost.recipe import Recipe
    from cost.report import text_of
    from cost.stimulus import random_work
    from cost.synth import measure, record
    from cost.units import Element, Plain, Row

    require(arguments.clock > 0, "clock", "be above 0 MHz", arguments.clock)
    require(arguments.words >= 1, "words", "be 1 or more", arguments.words)
    config = replace(config_from(arguments), pe=1)
    if arguments.baseline:
        bits = arguments.baseline.split("x")
        shape = "be two numbers as 8x8"
        require(len(bits) == 2 and all(b.isdigit() for b in bits), "baseline", shape,
                arguments.baseline)  # fmt: skip
        one = Baseline(int(bits[0]), int(bits[1]), config.lanes, arguments.coding)
        unit, most = Plain(one), (1 << one.weight_bits - 1) - 1
        weights, codes = (-most, most), (-(1 << one.act_bits - 1), (1 << one.act_bits - 1) - 1)
        lanes = one.lanes
    else:
        require(config.weights == 1, "weights in a word",
                "be 1 to measure an element: k 1, or 2 of ternary ones",
                config.weights)  # fmt: skip
        unit = Row(config) if arguments.accumulate else Element(config)
        weights, codes, lanes = (-int(config.signed_weights), 1), config.code_range, config.lanes
    library = Library(read(arguments.liberty))
    if arguments.layer_of:
        work = _real(arguments, unit)
    else:
        work = random_work(64, arguments.words * lanes, weights, codes, seed=1)
    clock = arguments.clock * 1e6
    recipe = Recipe(period=1 / clock)
    figures = measure(unit, library, recipe, work, arguments.dont_use,
                      work if arguments.glitches else None)  # fmt: skip
    kept = record(unit, library, recipe, work, figures, clock)
    text = json.dumps(kept, indent=2)
    if arguments.out:
        with whole_file(arguments.out) as part:
            part.write_text(text + "\n")
    print(text if arguments.json else text_of(kept))


def _real(arguments: Namespace, unit: "Unit") -> "Work":
    from models.llm import linear_layers, load
    from models.store import open_layers
    from sim.real import PROMPT, inputs_of
    from sim.work import layer_work

    with open_layers(arguments.layer_of) as file:
        layer = file.layer(arguments.layer)
        model = load(file.info["model"])
    x = inputs_of(model, [layer.name], arguments.prompt or PROMPT)[layer.name]
    floats = linear_layers(model)[layer.name].weight.detach()
    return layer_work(layer, x, floats, unit, arguments.words)
