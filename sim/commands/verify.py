"""A file's text on the circuit against the reference model."""

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from hwgen.flags import add_config_flags
from models.checks import require
from models.cli import Commands
from models.store import open_layers
from sim.commands.flags import file_config, source_of
from sim.fit import FITTED

EXAMPLE = "python -m sim verify build/int4.safetensors --kind addsub --tokens 32 --lanes 64"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "verify", "Compare a text on the circuit with the reference model's.", run, EXAMPLE
    )
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--prompt", default="The capital of France is", help="(default: %(default)s)")
    sub.add_argument("--tokens", type=int, default=32, help="at most so many (default: 32)")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--engines", type=int, default=2, metavar="N",
                     help="circuits side by side on this machine's cores (default: 2)")  # fmt: skip
    sub.add_argument("--record", type=Path, metavar="FILE",
                     help="keep the result here; what it has already is not run again")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Print what is equal; fail unless all is."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    require(arguments.engines >= 1, "engines", "be 1 or more", arguments.engines)
    with open_layers(arguments.file) as file:
        source = source_of(arguments, file)
        config = file_config(arguments, file)
        from sim import verify

        what = (source, file, arguments.prompt, arguments.tokens, config, arguments.engines)
        wanted, record = verify.asked(*what), arguments.record
        done = verify.kept(record, wanted) if record else None
        if done is None:
            done = verify.verify(*what)
            if record:
                verify.keep(record, wanted, done)
    if arguments.json:
        print(json.dumps(asdict(wanted) | asdict(done), indent=1))
    else:
        print(f"{wanted.name}: {verify.line(done)}")
    if not done.equal:
        sys.exit(1)
