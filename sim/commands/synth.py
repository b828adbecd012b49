"""What a processing element costs on a cell library."""

import json
import re
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from hwgen.flags import add_config_flags, config_from
from models.checks import require
from models.cli import Commands
from models.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from cost.cells import Library
    from cost.stimulus import Work
    from cost.units import Unit
    from models.bitplane import BitplaneLayer

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
    sub.add_argument("--standard", action="store_true",
                     help="all units of cost/standard.py that the file of -o lacks")  # fmt: skip
    sub.add_argument("--engines", action="store_true",
                     help="likewise whole engines, on a layer")  # fmt: skip
    sub.add_argument("--baseline", metavar="WxA",
                     help="a dot product of W- and A-bit integers instead")  # fmt: skip
    sub.add_argument("--coding", choices=("array", "booth"), default="array",
                     help="of a baseline's multipliers (default: array)")  # fmt: skip
    sub.add_argument("--layer-of", type=Path, metavar="FILE",
                     help="work on a layer of it (default: random numbers)")  # fmt: skip
    sub.add_argument("--layer", default="layers.3.mlp.down_proj", help="(default: %(default)s)")
    sub.add_argument("--prompt", help="text that the model reads (default: a short sentence)")
    sub.add_argument("--cycles", type=int, default=64, help="of work, at most (default: 64)")
    sub.add_argument("--glitches", action="store_true",
                     help="also with the delays of gates: takes a minute")  # fmt: skip
    sub.add_argument("--clock", type=float, default=100.0, metavar="MHZ",
                     help="for leakage, and to size gates for (default: 100)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    sub.add_argument("-o", dest="out", type=Path, metavar="FILE", help="keep the JSON here too")
    add_config_flags(sub, skip=("pe", "mapping"))


def run(arguments: Namespace) -> None:
    """Measure a unit and print its figures, or all standard ones that a file lacks."""
    from cost.cells import Library
    from cost.liberty import read
    from cost.recipe import Recipe
    from cost.report import table_of, text_of
    from cost.standard import UNITS, WITH_GLITCHES
    from cost.synth import measure, record

    require(arguments.clock > 0, "clock", "be above 0 MHz", arguments.clock)
    require(arguments.cycles >= 16, "cycles", "be 16 or more", arguments.cycles)
    out: Path | None = arguments.out
    many = "--standard" if arguments.standard else "--engines"
    if (arguments.standard or arguments.engines) and out is None:
        raise ValueError(f"-o must be given with {many}, got none")
    if arguments.engines:
        require(arguments.layer_of is not None, "--layer-of", "be given with --engines", "none")
    unit = _unit(arguments)
    library = Library(read(arguments.liberty))
    if arguments.engines:
        _engines(arguments, library)
        return
    work_of = _works(arguments)
    clock = arguments.clock * 1e6
    recipe = Recipe(period=1 / clock)

    def measured(unit: "Unit", glitches: bool) -> dict[str, Any]:
        work = work_of(unit)
        timed = work if glitches else None
        figures = measure(unit, library, recipe, work, arguments.dont_use, timed)
        return record(unit, library, recipe, work, figures, clock)

    if not arguments.standard or out is None:
        kept = measured(unit, arguments.glitches)
        _keep(kept, out)
        print(json.dumps(kept, indent=1) if arguments.json else text_of(kept))
        return
    every = json.loads(out.read_text()) if out.exists() else {}
    for name, one in tqdm(UNITS.items(), desc=library.name, unit="unit", leave=False):
        same = every.get(name, {}).get("library") == library.name
        if not same:
            every[name] = measured(one, name in WITH_GLITCHES)
            _keep(every, out)
    print(json.dumps(every, indent=1) if arguments.json else table_of(every))


def _unit(arguments: Namespace) -> "Unit":
    from cost.baseline import Baseline
    from cost.units import Element, Plain, Row

    config = replace(config_from(arguments), pe=1)
    if arguments.baseline:
        bits = re.fullmatch(r"(\d+)x(\d+)", arguments.baseline)
        if bits is None:
            raise ValueError(f"baseline must be two numbers as 8x8, got {arguments.baseline}")
        return Plain(Baseline(int(bits[1]), int(bits[2]), config.lanes, arguments.coding))
    many = arguments.standard or arguments.engines
    require(config.weights == 1 or many, "weights in a word",
            "be 1 to measure an element: k 1, or 2 of ternary ones", config.weights)  # fmt: skip
    return Row(config) if arguments.accumulate else Element(config)


def _engines(arguments: Namespace, library: "Library") -> None:
    """Measure the engines that the file lacks, each on a token of the layer."""
    from cost.recipe import Recipe
    from cost.standard import ENGINES
    from cost.whole import same, table
    from sim.gates import measure_engine
    from sim.layer import jobs_of

    out: Path = arguments.out
    layer, x, _ = _layer(arguments)
    job = jobs_of(layer, x[-1:])[0]
    kept = json.loads(out.read_text()) if out.exists() else []
    recipe = Recipe(period=1e-6 / arguments.clock)
    for config in tqdm(ENGINES, desc=library.name, unit="engine", leave=False):
        if not any(same(one, config, library.name) for one in kept):
            kept.append({
                **measure_engine(job, config, library, recipe, arguments.dont_use),
                "layer": layer.name,
            })  # fmt: skip
            _keep(kept, out)
    print(json.dumps(kept, indent=1) if arguments.json else table(kept))


def _works(arguments: Namespace) -> "Callable[[Unit], Work]":
    """Return what gives a unit its work: random numbers, or the layer's, loaded once."""
    from cost.stimulus import random_work
    from cost.units import columns_of

    cycles = arguments.cycles
    if not arguments.layer_of:
        return lambda unit: random_work(
            64, columns_of(unit, cycles), unit.weights, unit.codes, seed=1
        )
    from sim.work import layer_work

    layer, x, floats = _layer(arguments)
    return lambda unit: layer_work(layer, x, floats, unit, cycles)


def _layer(arguments: Namespace) -> "tuple[BitplaneLayer, Tensor, Tensor]":
    """Return the layer, what reaches it, (tokens, in), and the float matrix that it is for."""
    from models.llm import linear_layers, load
    from models.store import open_layers
    from sim.real import PROMPT, inputs_of

    with open_layers(arguments.layer_of) as file:
        layer = file.layer(arguments.layer)
        model = load(file.info["model"])
    x = inputs_of(model, [layer.name], arguments.prompt or PROMPT)[layer.name]
    return layer, x, linear_layers(model)[layer.name].weight.detach().clone()


def _keep(kept: object, path: Path | None) -> None:
    if path is not None:
        with whole_file(path) as part:
            part.write_text(json.dumps(kept, indent=1) + "\n")
