"""Bit flips in the circuit's storage, and what they do to a model."""

import hashlib
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from hwgen.flags import add_config_flags
from models.checks import require
from models.cli import Commands
from models.store import open_layers
from sim.commands import BUILD
from sim.commands.flags import file_config, source_of
from sim.fit import FITTED

EXAMPLE = (
    "python -m sim faults build/k2.safetensors --text text.txt --seed 2 --picture build/faults.png"
)
TEXT = (
    "The city lies on a river that comes down from the mountains in the north. In spring the "
    "water is high and cold, and the people of the old town watch it from their windows."
)


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "faults", "Turn bits in weights, activations and accumulators.", run, EXAMPLE
    )
    sub.add_argument("file", type=Path, help="what python -m models quantize wrote")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    sub.add_argument("--text", type=Path, help="a text file to read (default: two sentences)")
    sub.add_argument("--tokens", type=int, default=16, help="of the text (default: 16)")
    sub.add_argument("--bits", type=int, nargs="+", default=[1, 8, 64, 512], metavar="N",
                     help="wrong in a trial (default: 1 8 64 512)")  # fmt: skip
    sub.add_argument("--trials", type=int, default=3, help="of each (default: 3)")
    sub.add_argument("--seed", type=int, default=1, help="of everything random (default: 1)")
    sub.add_argument("--state", type=Path, default=BUILD / "faults.json",
                     help="from which a stopped one goes on (default: %(default)s)")  # fmt: skip
    sub.add_argument("--picture", type=Path, metavar="FILE", help="write a PNG picture")
    sub.add_argument("--json", action="store_true", help="print JSON")
    add_config_flags(sub, fitted=FITTED)


def run(arguments: Namespace) -> None:
    """Run what is left of the campaign; print and draw what it found."""
    require(arguments.tokens >= 2, "tokens", "be 2 or more", arguments.tokens)
    require(arguments.trials >= 1, "trials", "be 1 or more", arguments.trials)
    require(min(arguments.bits) >= 1, "bits", "be 1 or more", min(arguments.bits))
    text = arguments.text.read_text("utf-8") if arguments.text else TEXT
    with open_layers(arguments.file) as file:
        source, config = source_of(arguments, file), file_config(arguments, file)
        from models.llm import load, tokens_of
        from sim.faults import Campaign, resumed, run_campaign, table
        from sim.faults_picture import picture

        llm = load(source)
        ids = tokens_of(llm, text)[:, : arguments.tokens]
        rule = f"have {arguments.tokens} tokens or more"
        require(ids.shape[1] == arguments.tokens, "text", rule, ids.shape[1])
        content = hashlib.sha256(repr((config, ids.tolist())).encode())
        content.update(arguments.file.read_bytes())
        start = Campaign(
            arguments.seed, arguments.tokens, sorted(set(arguments.bits)), arguments.trials,
            content.hexdigest(),
        )  # fmt: skip
        arguments.state.parent.mkdir(parents=True, exist_ok=True)
        left = len(list(resumed(start, arguments.state).rest()))
        with tqdm(desc="faults", unit="trial", total=left, leave=False) as bar:
            done = run_campaign(llm, file, ids, config, start, arguments.state, bar.update)
    if arguments.picture:
        picture(done, f"{arguments.file.name}, seed {done.seed}", arguments.picture)
    print(arguments.state.read_text() if arguments.json else table(done))
