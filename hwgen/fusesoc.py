"""FuseSoC core file of a configuration, so that a build system can find its Verilog."""

from hwgen.config import HardwareConfig

VERSION = "0.1.0"


def core_file(config: HardwareConfig) -> str:
    """Return the description of a core (CAPI version 2) whose only source is ``top.v``."""
    return f"""\
CAPI=2:
name: planesmith::engine:{VERSION}
description: {config.kind} engine, {config.pe} PEs of {config.lanes} lanes, for bitplane layers
filesets:
  rtl:
    files: [top.v]
    file_type: verilogSource-2005
targets:
  default: &default
    filesets: [rtl]
    toplevel: {config.top}
  lint:
    <<: *default
    default_tool: verilator
    tools:
      verilator: {{mode: lint-only}}
"""
