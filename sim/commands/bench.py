"""Run the RTL benches."""

import sys
from argparse import Namespace

from models.cli import Commands
from sim.commands import BUILD, PROGRAM

EXAMPLE = "python -m sim bench --seed 2"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("bench", "Run the RTL benches on the standard configurations.", run, EXAMPLE)
    sub.add_argument("--seed", type=int, default=1, help="seed of the random cases (default: 1)")
    sub.add_argument("--waves", action="store_true", help="keep FST waves of every bench")


def run(arguments: Namespace) -> None:
    """Run all benches; stop at the first that fails."""
    from sim.rtl import BENCHES, name, run_bench
    from sim.standard import STANDARD

    total = 0
    for config in STANDARD:
        print(f"{name(config)}: ", end="", flush=True)
        try:
            ran = run_bench(
                BENCHES[config.bus], config, BUILD / "sim",
                seed=arguments.seed, waves=arguments.waves,
            )  # fmt: skip
        except RuntimeError as error:
            print(f"failed\n{PROGRAM}: {error}", file=sys.stderr)
            sys.exit(1)
        total += ran
        print(f"{ran} tests passed")
    print(f"{total} passed, 0 failed")
