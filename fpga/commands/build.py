"""A circuit for a board, from parameters to a bitstream."""

import json
from argparse import Namespace
from dataclasses import fields, replace
from pathlib import Path

from fpga.boards import Board, board_of
from fpga.build import Built, build, deliver
from fpga.commands import BUILD, CACHE, add_folder_flag, progress
from fpga.design import design_of
from fpga.fit import largest
from fpga.report import line, path_text, record
from fpga.vendor import write_project
from hwgen.config import HardwareConfig
from hwgen.flags import add_config_flags, settings_from
from models.checks import require
from models.cli import Commands

EXAMPLE = "python -m fpga build icebreaker --pe 4"


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    sub = commands.add("build", "Make the bitstream of an engine on a board.", run, EXAMPLE)
    sub.add_argument("board", help="as python -m fpga boards lists it")
    add_folder_flag(sub, "takes the bitstream and all that belongs to it")
    sub.add_argument("--clock", type=float, metavar="MHZ", help="(default: the board's)")
    sub.add_argument("--seeds", type=int, nargs="+", default=[1], help="(default: 1)")
    sub.add_argument("--fit", action="store_true", help="find the most PEs that meet timing")
    sub.add_argument("--allow-timing-fail", action="store_true", help="take a slower circuit too")
    sub.add_argument("--cache", type=Path, default=CACHE, help=f"(default: {CACHE})")
    sub.add_argument("--json", action="store_true", help="print JSON")
    names = tuple(field.name for field in fields(HardwareConfig))
    add_config_flags(sub, fitted=names, otherwise="the board's")


def run(arguments: Namespace) -> None:
    """Build, or write a project where the tools are the vendor's; refuse what is too slow."""
    board = board_of(arguments.board)
    clock = board.clock if arguments.clock is None else arguments.clock
    require(clock > 0, "clock", "be positive", clock)
    seeds = arguments.seeds
    require(all(seed >= 0 for seed in seeds), "seeds", "be 0 or more", seeds)
    config = HardwareConfig(**(board.circuit | settings_from(arguments)))
    folder = arguments.folder or BUILD / arguments.board
    folder.parent.mkdir(parents=True, exist_ok=True)
    if board.family == "xilinx":
        require(not arguments.fit, "--fit", "be left to boards with open tools", arguments.board)
        found = write_project(board, design_of(arguments.board, board, config, clock), folder)
        print(json.dumps(found, indent=2) if arguments.json else _project(folder, found))
        return
    if arguments.fit:
        config = _fitted(arguments, board, config, clock, seeds)
    built = _build(arguments, board, config, clock, seeds)
    if not built.met and not arguments.allow_timing_fail:
        figures = built.seeds[built.best]
        raise ValueError(
            f"timing must be met at {built.clock:g} MHz, got {figures.fmax:.1f} MHz at best; "
            f"slowest path: {path_text(figures)}; "
            f"use --clock {int(figures.fmax)}, more --seeds or --allow-timing-fail"
        )
    figures = record(arguments.board, config, built)
    deliver(built, board, figures, folder)
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print(f"{line(arguments.board, config, built)}\n{folder}")


def _build(
    arguments: Namespace, board: Board, config: HardwareConfig, clock: float, seeds: list[int]
) -> Built:
    design = design_of(arguments.board, board, config, clock)
    return build(board, design, seeds, arguments.cache, progress)


def _fitted(
    arguments: Namespace, board: Board, config: HardwareConfig, clock: float, seeds: list[int]
) -> HardwareConfig:
    def met(pe: int, seed: int) -> bool:
        try:
            return _build(arguments, board, replace(config, pe=pe), clock, [seed]).met
        except ValueError as error:
            progress(str(error))
            return False

    def works(pe: int) -> bool:
        progress(f"{pe} PEs")
        return any(met(pe, seed) for seed in seeds)

    found = largest(works, config.pe)
    require(found > 0, "an engine", f"fit and run at {clock:g} MHz with 1 PE", "one that does not")
    return replace(config, pe=found)


def _project(folder: Path, found: dict[str, float]) -> str:
    counts = ", ".join(f"{count:g} {kind}" for kind, count in found.items())
    return (
        f"{counts} (Yosys synth_xilinx); in Vivado: vivado -mode batch -source build.tcl\n{folder}"
    )
