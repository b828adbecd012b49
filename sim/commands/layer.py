"""One real layer of a file on the circuit."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from hwgen.flags import add_config_flags, settings_from
from models.cli import Commands
from models.store import open_layers
from sim.commands.flags import source_of
from sim.fit import FITTED, fitted

EXAMPLE = "python -m sim layer build/demo/layers.safetensors --layer layers.3.mlp.down_proj"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("layer", "Run one real layer of a file on the circuit.", run, EXAMPLE)
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--layer", required=True, help="its name, or the end of it")
    sub.add_argument("--model", help="where its inputs come from (default: the file's own model)")
    sub.add_argument("--prompt", help="text that the model reads (default: a short sentence)")
    sub.add_argument("--waves", type=Path, metavar="FILE", help="write FST waves")
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG picture")
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Run a layer, print its line, and fail unless all is equal."""
    with open_layers(arguments.file) as file:
        found = file.layer(arguments.layer)
        source = source_of(arguments, file)
    config = fitted([found], settings_from(arguments))
    from models.llm import load
    from sim.engine import Engine
    from sim.layer import run_layer
    from sim.real import PROMPT, errors_of, inputs_of
    from sim.report import as_json, picture, table

    llm = load(source)
    x = inputs_of(llm, [found.name], arguments.prompt or PROMPT)[found.name]
    engine = Engine(config, waves=arguments.waves)
    with tqdm(desc="on the RTL", unit=" words", leave=False) as bar:
        done = run_layer(found, x, engine, progress=lambda words: bar.update(words - bar.n))
    engine.close()
    result = (done, errors_of(llm, found, x, done))
    print(json.dumps(as_json(result), indent=2) if arguments.json else table([result]))
    if arguments.picture:
        picture([result], config, found.name, arguments.picture)
    if not done.verified:
        sys.exit(1)
