"""Text from a model whose layers run on the circuit."""

import json
import shlex
import sys
import time
from argparse import Namespace
from pathlib import Path

from hwgen.flags import add_config_flags
from models.checks import require
from models.cli import Commands
from models.store import open_layers
from sim.commands.flags import add_system_flags, file_config, source_of, system_from
from sim.fit import FITTED
from sim.recording import Piece, record

EXAMPLE = (
    'python -m sim generate build/int4.safetensors --prompt "The capital of France is" --tokens 16'
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "generate", "Text from a model whose layers run on the circuit.", run, EXAMPLE
    )
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--prompt", required=True, help="text to go on with")
    sub.add_argument("--tokens", type=int, default=16, help="at most so many (default: 16)")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--check", action="store_true",
                     help="compare the integers of every layer with the reference")  # fmt: skip
    sub.add_argument("--engines", type=int, default=2, metavar="N",
                     help="circuits side by side on this machine's cores (default: 2)")  # fmt: skip
    sub.add_argument("--recording", type=Path, metavar="FILE",
                     help="write the text as it came as an animated SVG")  # fmt: skip
    add_system_flags(sub)
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Print a text as it comes, then what it took; fail unless all integers compared are equal."""
    require(arguments.tokens >= 1, "tokens", "be 1 or more", arguments.tokens)
    require(arguments.engines >= 1, "engines", "be 1 or more", arguments.engines)
    system = system_from(arguments)
    with open_layers(arguments.file) as file:
        source = source_of(arguments, file)
        config = file_config(arguments, file)
        from models.llm import load
        from sim.generate import figures, report
        from sim.generate import generate as run_model
        from sim.whole import pass_duties, shape_of

        llm = load(source)
        shape = shape_of(llm)
        pieces: list[Piece] = []

        def show(piece: str) -> None:
            pieces.append((time.perf_counter(), piece))
            if not arguments.json:
                print(piece, end="", flush=True)

        done = run_model(
            llm, file, arguments.prompt, arguments.tokens, config,
            engines=arguments.engines, check=arguments.check, show=show,
        )  # fmt: skip
        layers = list(map(file.layer, file.names))
    read = done.prompt_tokens
    passes = {
        "decode": pass_duties(shape, layers, config, system.memory, system.host, 1, read),
        "prefill": pass_duties(shape, layers, config, system.memory, system.host, read),
    }
    speeds = {"decode": system.speed(passes["decode"]),
              "prefill": read * system.speed(passes["prefill"])}  # fmt: skip
    lines = [report(done), (f"predicted: {speeds['decode']:.1f} tokens/s, "
             f"{speeds['prefill']:.1f} of the prompt, at {system}")]  # fmt: skip
    if arguments.recording:
        begin = pieces[0][0] - done.prefill_seconds
        record([
            (0.0, f"$ {_command()}\n"),
            *((when - begin, piece) for when, piece in pieces),
            (pieces[-1][0] - begin, "\n\n" + "\n".join(lines)),
        ], arguments.recording)  # fmt: skip
    if arguments.json:
        print(json.dumps({**figures(done), "predicted_tokens_per_second": speeds}, indent=2))
    else:
        print("\n", *lines, sep="\n")
    if done.unequal:
        sys.exit(1)


def _command() -> str:
    """Return the command line, without the words that name the recording."""
    words = sys.argv[1:]
    at = next((n for n, word in enumerate(words) if word == "--recording"), len(words))
    return shlex.join(["python", "-m", "sim", *words[:at], *words[at + 2 :]])
