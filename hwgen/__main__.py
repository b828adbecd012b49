"""Command line of the generator."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from hwgen.config import HardwareConfig
from hwgen.diagram import diagram
from hwgen.emit import emit, joined, verilog
from hwgen.flags import add_config_flags, config_from
from hwgen.fusesoc import core_file
from hwgen.ports import port_table
from hwgen.register_files import c_header, python_module, register_table
from models.cli import Parser, run
from models.files import whole_set

PROGRAM = "python -m hwgen"


def main() -> None:
    """Write the Verilog of one configuration to standard output, or a folder of files."""
    parser = Parser(
        prog=PROGRAM,
        description="Write the Verilog of one configuration to standard output.",
        epilog="""examples:
  python -m hwgen --k 2 --pe 64 > rtl/top.v
  python -m hwgen --bus axi --stream-bits 128 -o build/axi   # with registers, header, core file""",
    )
    add_config_flags(parser)
    parser.add_argument(
        "-o",
        dest="folder",
        metavar="DIR",
        type=Path,
        help="write top.v and what belongs to it into this folder instead",
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
        modules = emit(config)
        (part / "top.v").write_text(joined(modules))
        (part / "diagram.svg").write_text(diagram(modules, config))
        (part / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n")
        (part / "ports.md").write_text(port_table(config))
        (part / "planesmith.core").write_text(core_file(config))
        if config.bus == "axi":
            (part / "registers.md").write_text(register_table(config))
            (part / "planesmith_registers.h").write_text(c_header(config))
            (part / "planesmith_registers.py").write_text(python_module(config))


if __name__ == "__main__":
    run(PROGRAM, main)
