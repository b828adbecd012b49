"""A board without a board."""

from argparse import Namespace
from pathlib import Path

from models.cli import Commands

EXAMPLE = "python -m sim uart build/icebreaker/board.v --divisor 24 --link build/tty"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Simulate a module with a serial line, and serve that on a pseudo-terminal."
    sub = commands.add("uart", text, run, EXAMPLE)
    sub.add_argument("file", type=Path, help="Verilog, as python -m fpga build writes it")
    sub.add_argument("--top", default="system", metavar="NAME", help="(default: system)")
    sub.add_argument("--divisor", type=int, required=True, metavar="N", help="cycles of a bit")
    sub.add_argument(
        "--link", type=Path, required=True, help="becomes the port; remove it to end the simulation"
    )
    sub.add_argument(
        "--idle-seconds", type=float, default=600, metavar="S",
        help="end after so long without a byte (default: 600)",
    )  # fmt: skip
    sub.add_argument("--quick", action="store_true", help="compile quickly, simulate slowly")


def run(arguments: Namespace) -> None:
    """Serve until nobody wants it."""
    from sim.uart import serve

    print(f"building; then the port is {arguments.link}", flush=True)
    serve(
        arguments.file, arguments.top, arguments.divisor, arguments.link,
        idle_seconds=arguments.idle_seconds, quick=arguments.quick,
    )  # fmt: skip
