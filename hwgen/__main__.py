"""Command line of the generator."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from hwgen.flags import add_config_flags, config_from
from hwgen.ports import port_table
from models.cli import Parser, run
from models.files import whole_set

PROGRAM = "python -m hwgen"


def main() -> None:
    """Write the Verilog of one configuration to standard output, or a folder of files."""
    parser = Parser(
        prog=PROGRAM,
        description="Write the Verilog of one configuration to standard output.",
        epilog="example: python -m hwgen --k 2 --pe 64 > rtl/top.v",
    )
    add_config_flags(parser)
    parser.add_argument(
        "-o",
        dest="folder",
        metavar="DIR",
        type=Path,
        help="write top.v, config.json and ports.md into this folder instead",
    )
    arguments = parser.parse_args()
    config = config_from(arguments)
    if arguments.folder is None:
        sys.stdout.write(verilog(config))
    else:
        write_set(config, arguments.folder)


def write_set(config: HardwareConfig, folder: Path) -> None:
    """Write everything that belongs to a configuration; whole or not at all."""
    with whole_set(folder) as part:
        (part / "top.v").write_text(verilog(config))
        (part / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n")
        (part / "ports.md").write_text(port_table(config))


if __name__ == "__main__":
    run(PROGRAM, main)
