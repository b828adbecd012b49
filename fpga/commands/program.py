"""A bitstream into a board."""

import shutil
import subprocess
from argparse import Namespace

from fpga.boards import board_of
from fpga.commands import BUILD, add_folder_flag
from fpga.description import Description
from fpga.families import FAMILIES
from models.checks import require
from models.cli import Commands

EXAMPLE = "python -m fpga program ulx3s"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("program", "Load the bitstream of a build.", run, EXAMPLE)
    sub.add_argument("board", help="as python -m fpga boards lists it")
    add_folder_flag(sub, "of the build")


def run(arguments: Namespace) -> None:
    """Call the board's loader."""
    board = board_of(arguments.board)
    folder = arguments.folder or BUILD / arguments.board
    described = Description.read(folder)
    require(
        described.board == arguments.board, "build", f"be for {arguments.board}", described.board
    )
    if board.family not in FAMILIES:
        raise ValueError(f"{arguments.board} must be loaded by Vivado: see {folder}/build.tcl")
    tool = board.program[0]
    if shutil.which(tool) is None:
        raise FileNotFoundError(
            f"{tool} must be on PATH to load the {board.title}, found none; "
            "install your system's package, or the OSS CAD Suite"
        )
    file = folder / FAMILIES[board.family].bitstream
    done = subprocess.run([*board.program, str(file)], check=False)
    if done.returncode:
        raise OSError(f"{tool} must succeed, got exit status {done.returncode}: is it plugged in?")
