"""Which boards there are."""

import json
from argparse import Namespace

from fpga.boards import BOARDS
from models.cli import Commands

EXAMPLE = "python -m fpga boards"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("boards", "List the boards.", run, EXAMPLE)
    sub.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: Namespace) -> None:
    """Print a line for each board."""
    if arguments.json:
        boards = {
            name: {
                "title": board.title, "family": board.family, "clock": board.clock,
                "memory_bits": board.system(board.clock).bits, "circuit": board.circuit,
            }
            for name, board in BOARDS.items()
        }  # fmt: skip
        print(json.dumps(boards, indent=2))
        return
    for name, board in BOARDS.items():
        kind = "Vivado project" if board.family == "xilinx" else "bitstream"
        print(f"{name:14}{board.title:40}{board.clock:4g} MHz  {kind}")
