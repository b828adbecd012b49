"""Random configurations against the reference."""

import json
import sys
from argparse import Namespace
from pathlib import Path

from tqdm import tqdm

from models.checks import require
from models.cli import Commands
from sim.commands import BUILD

EXAMPLE = "python -m sim sweep --count 200 --seed 0"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Random configurations: each equals the reference, or is refused in one line."
    sub = commands.add("sweep", text, run, EXAMPLE)
    sub.add_argument("--count", type=int, default=200, help="configurations (default: 200)")
    sub.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    sub.add_argument("--state", type=Path, default=BUILD / "sweep" / "sweep.json",
                     help="from which a stopped sweep goes on (default: %(default)s)")  # fmt: skip
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print what became of the configurations; fail with the smallest one that is wrong."""
    require(arguments.count >= 1, "count", "be 1 or more", arguments.count)
    try:
        from sim.sweep import Sweep, resumed, sweep
    except ModuleNotFoundError as error:
        raise ValueError(f"sweep must have {error.name}: pip install 'planesmith[dev]'") from error
    arguments.state.parent.mkdir(parents=True, exist_ok=True)
    start = resumed(Sweep(arguments.seed, arguments.count), arguments.state)
    with tqdm(desc="sweep", total=arguments.count, initial=start.done, leave=False) as bar:
        done = sweep(start, arguments.state, lambda number: bar.update(number - bar.n))
    if arguments.json:
        print(json.dumps(vars(done), indent=2))
    else:
        integers = sum(done.equal.values())
        print(f"{len(done.equal)} configurations equal the reference in {integers} integers, "
              f"{len(done.refused)} refused")  # fmt: skip
    if done.failed:
        print(f"wrong: {done.failed['what']}: {json.dumps(done.failed['parameters'])}",
              file=sys.stderr)  # fmt: skip
        sys.exit(1)
