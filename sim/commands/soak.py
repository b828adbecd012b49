"""Random layers on random circuits."""

import sys
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from models.checks import require
from models.cli import Commands
from sim.commands import BUILD

EXAMPLE = "python -m sim soak --layers 100"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add(
        "soak", "Random layers on random circuits, as many as asked for.", run, EXAMPLE
    )
    sub.add_argument("--layers", type=int, default=1000, help="(default: 1000)")
    sub.add_argument("--circuits", type=int, default=20, help="in turn (default: 20)")
    sub.add_argument("--seed", type=int, default=1, help="of everything random (default: 1)")
    sub.add_argument("--state", type=Path, default=BUILD / "soak.json",
                     help="from which a stopped soak goes on (default: %(default)s)")  # fmt: skip


def run(arguments: Namespace) -> None:
    """Print how many integers were compared, and fail if any differ."""
    require(arguments.layers >= 1, "layers", "be 1 or more", arguments.layers)
    most = arguments.layers
    require(1 <= arguments.circuits <= most, "circuits", f"be 1 to {most}", arguments.circuits)
    from sim.soak import Soak, resumed
    from sim.soak import soak as run_soak

    arguments.state.parent.mkdir(parents=True, exist_ok=True)
    start = Soak(arguments.seed, arguments.layers, arguments.circuits)
    there = resumed(start, arguments.state).done
    with tqdm(desc="soak", unit="layer", total=start.layers, initial=there, leave=False) as bar:
        done = run_soak(start, arguments.state, bar.update)
    ran = f"{done.done} layers on {done.circuits} circuits, {done.resets} after a reset"
    timed = f"{done.timed - done.late} of {done.timed} cycle counts as predicted"
    print(f"{ran}: {done.integers - done.unequal} of {done.integers} integers equal, {timed}")
    if not done.right:
        sys.exit(1)
