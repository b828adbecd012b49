"""What a choice costs on real layers."""

import json
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path

from models.checks import require
from models.cli import Commands
from models.commands.flags import MODEL

EXAMPLE = (
    "python -m models study formats smollm2 layers.10.mlp.up_proj --text text.txt "
    "--format signs:k=2,group=36,coef_bits=8 signs:k=2,group=36"
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("study", "Errors of outputs by format, or by the width between the stages "
                       "of a chain.", run, EXAMPLE)  # fmt: skip
    sub.add_argument("subject", choices=["formats", "chain"])
    sub.add_argument("model", help=MODEL)
    sub.add_argument("layers", nargs="+", help="names of layers, or their ends")
    sub.add_argument("--text", type=Path, required=True, help="file with the text, UTF-8")
    sub.add_argument("--tokens", type=int, help="of the text (default: 1024, or the model's)")
    sub.add_argument("--format", nargs="+", default=["dbf"], help="formats (default: dbf)")
    codes = "token:bits=8 (default) or group:bits=8,group=64,exponents=3"
    sub.add_argument("--activation", nargs="+", default=["token:bits=8"], help=codes)
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print what layers lose."""
    from models.eval import CONTEXT, read_windows
    from models.formats import parse as parse_format
    from models.formats.dbf import Product
    from models.llm import load
    from models.studies import chain, formats

    llm = load(arguments.model)
    most = CONTEXT if arguments.tokens is None else arguments.tokens
    tokens = read_windows(llm, arguments.text, most, arguments.tokens)
    prompt = str(llm.tokenizer.decode(tokens[0]))
    if arguments.subject == "chain":
        require(len(arguments.format) == 1, "--format", "be one", len(arguments.format))
        spec = parse_format(arguments.format[0])
        if not isinstance(spec, Product):
            raise ValueError(f"--format must be one of chains, got {arguments.format[0]!r}")
        rows = chain.chain_width(llm, prompt, arguments.layers, spec)
        text = chain.report(rows)
    else:
        rows = formats.format_errors(
            llm, prompt, arguments.layers, arguments.format, arguments.activation
        )
        text = formats.report(rows)
    print(json.dumps([asdict(row) for row in rows], indent=2) if arguments.json else text)
