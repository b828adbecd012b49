"""Pictures of handshakes, of a real run."""

from argparse import Namespace
from pathlib import Path

from models.cli import Commands
from models.files import whole_set

EXAMPLE = "python -m sim handshake -o docs/records/handshake"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Run a small circuit with pauses; draw valid, ready and payload of its streams (SVG)."
    sub = commands.add("handshake", text, run, EXAMPLE)
    sub.add_argument("--seed", type=int, default=1, help="of layer and pauses (default: 1)")
    sub.add_argument("-o", dest="out", type=Path, required=True, metavar="FOLDER",
                     help="takes inputs.svg and results.svg")  # fmt: skip


def run(arguments: Namespace) -> None:
    """Write the pictures."""
    try:
        from sim.handshake import pictures
    except ModuleNotFoundError as error:
        need = f"handshake must have {error.name}: pip install 'planesmith[dev]'"
        raise ValueError(need) from error
    with whole_set(arguments.out) as folder:
        for name, text in pictures(arguments.seed).items():
            (folder / f"{name}.svg").write_text(text, "utf-8")
