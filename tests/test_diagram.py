"""Block diagrams show the instances that the Verilog has, and what connects them."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from hwgen.config import HardwareConfig
from hwgen.diagram import diagram
from hwgen.emit import emit
from hwgen.layouts import output_layout, weight_layout
from hwgen.netlist import netlist

SMALL = HardwareConfig(k=2, pe=3, lanes=4, columns=16, rows=9)
CONFIGS = {bus: replace(SMALL, bus=bus) for bus in ("stream", "axi")}


@pytest.fixture(scope="module", params=CONFIGS)
def circuit(request: pytest.FixtureRequest) -> tuple[HardwareConfig, dict[str, str]]:
    config = CONFIGS[request.param]
    return config, emit(config)


def test_engine(circuit: tuple[HardwareConfig, dict[str, str]]) -> None:
    """Every component once, the array with its elements, and whole words between them."""
    config, modules = circuit
    found = netlist(modules, "top")
    inside = {name for name, node in found.nodes.items() if node.module}
    assert inside == {
        "sequencer", "weights", "activations", "coefficients", "offsets", "scales", "array",
        "scaling", "outputs",
    }  # fmt: skip
    assert found.nodes["array"].parts == {"pe": config.pe + 1}
    assert found.nodes["coefficients"].module == "parameter_buffer"
    assert found.bits["weights", "array"] == weight_layout(config).size
    assert found.bits["scaling", "outputs"] == output_layout(config).size + 1
    assert found.bits["i_weights", "weights"] == weight_layout(config).size + 1


def test_picture(circuit: tuple[HardwareConfig, dict[str, str]]) -> None:
    """A box for each node of the outermost module, none upon another, and a line for each net."""
    config, modules = circuit
    found = netlist(modules, config.top)
    drawn = ElementTree.fromstring(diagram(modules, config))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [
        (box.get("x"), box.get("y")) for box in drawn.iter(f"{space}rect") if box.get("stroke")
    ]
    assert len(boxes) == len(set(boxes)) == len(found.nodes)
    lines = [line for line in drawn.iter(f"{space}path") if line.get("marker-end")]
    assert len(lines) == len(found.bits)
    names = {text.text for text in drawn.iter(f"{space}text")}
    assert names >= set(found.nodes)
    if config.bus == "axi":
        assert {"engine", "registers", "s_axil", "m_axis_results", "irq"} <= set(found.nodes)
