"""Verilog text: its modules, their ports, and that it depends on the configuration only."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Shape
from amaranth.lib.wiring import In, Signature

from hwgen.activations import ActivationBuffer
from hwgen.array import PEArray
from hwgen.buffer import ParameterBuffer
from hwgen.config import HardwareConfig
from hwgen.emit import emit, verilog
from hwgen.layouts import parameter_layout, weight_layout
from hwgen.output import OutputBuffer
from hwgen.pe import ProcessingElement
from hwgen.requantize import Requantizer
from hwgen.scaler import Scaler
from hwgen.scaling import Scaling
from hwgen.sequencer import Sequencer
from hwgen.top import Top

CONFIG = HardwareConfig(k=2, pe=4, lanes=8, columns=64)
SIGNATURES = {
    "activation_buffer": ActivationBuffer.ports(CONFIG),
    "output_buffer": OutputBuffer.ports(CONFIG),
    "parameter_buffer": ParameterBuffer.ports(parameter_layout(CONFIG)),
    "pe": ProcessingElement.ports(CONFIG),
    "pe_array": PEArray.ports(CONFIG),
    "requantizer": Requantizer.ports(CONFIG),
    "scaler": Scaler.ports(CONFIG),
    "scaling": Scaling.ports(CONFIG),
    "sequencer": Sequencer.ports(CONFIG),
    "top": Top.ports(CONFIG),
    "weight_buffer": ParameterBuffer.ports(weight_layout(CONFIG)),
}


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    return emit(CONFIG)


def declared(module: str) -> dict[str, tuple[str, int]]:
    """Return the direction and width of each port that a module declares."""
    found = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\S+) ?;$", module, re.MULTILINE)
    return {name: (way, int(top or 0) + 1) for way, top, name in found}


def listed(module: str) -> list[str]:
    """Return the ports in a module's head."""
    head = re.match(r"module \w+ ?\((.*?)\);", module, re.DOTALL)
    assert head is not None
    return [name.strip() for name in head[1].split(",")]


def wanted(ports: Signature) -> dict[str, tuple[str, int]]:
    """Return the ports of a signature as Verilog has them, with clock and reset."""
    members = ports.flatten(ports.create())
    found = {
        "__".join(map(str, path)): (
            "input" if member.flow == In else "output",
            Shape.cast(member.shape).width,
        )
        for path, member, _ in members
    }
    return found | {"clk": ("input", 1), "rst": ("input", 1)}


def test_each_module_once(modules: dict[str, str]) -> None:
    """In alphabetical order, and nothing between them in the whole text."""
    names = list(modules)
    assert names == sorted(SIGNATURES)
    text = verilog(CONFIG)
    assert re.findall(r"^module (\w+)", text, re.MULTILINE) == names
    assert text == "\n".join(modules.values())


def test_text_is_from_module_to_endmodule(modules: dict[str, str]) -> None:
    for name, text in modules.items():
        assert re.match(rf"module {name} ?\(", text), name
        assert text.endswith("\nendmodule\n"), name
        assert len(re.findall(r"^(module|endmodule)\b", text, re.MULTILINE)) == 2, name


@pytest.mark.parametrize("name", SIGNATURES)
def test_ports_are_those_of_the_component(modules: dict[str, str], name: str) -> None:
    ports = wanted(SIGNATURES[name])
    assert declared(modules[name]) == ports
    assert sorted(listed(modules[name])) == sorted(ports)


def test_ports_of_top(modules: dict[str, str]) -> None:
    """Streams have a payload, valid and ready; the names are part of the contract."""
    ports = declared(modules["top"])
    streams = ("layers", "weights", "activations", "coefficients", "offsets", "scales")
    for stream in streams:
        assert ports[f"i_{stream}__payload"][0] == ports[f"i_{stream}__valid"][0] == "input"
        assert ports[f"i_{stream}__ready"] == ("output", 1)
    assert ports["i_weights__payload"] == ("input", 4 * 2 * 8)
    assert ports["o__payload"] == ("output", 48 + 1)
    assert ports["o__ready"] == ("input", 1)
    assert ports["works"][0] == ports["waits"][0] == "output"
    assert len(ports) == 3 * (len(streams) + 1) + 4


def test_ports_have_plain_names(modules: dict[str, str]) -> None:
    for text in modules.values():
        for port in listed(text):
            assert re.fullmatch(r"[a-z]\w*", port), port


def test_no_name_is_made_up_by_a_tool(modules: dict[str, str]) -> None:
    """Registers and memories have their names of the source; only plain wires may be numbered."""
    for name, text in modules.items():
        for register in re.findall(r"^  reg (?:\[\d+:0\] )?(\S+)", text, re.MULTILINE):
            assert "$" not in register, f"{register} in {name}"
        assert not re.search(r"\\\$", text), name


def test_no_initial_values_and_no_paths(modules: dict[str, str]) -> None:
    """Attributes are those of memories, for synthesis."""
    for name, text in modules.items():
        assert "initial" not in text, name
        assert not re.search(r"^  reg .*=", text, re.MULTILINE), name
        attributes = set(re.findall(r"\(\* (\w+)", text))
        assert attributes <= {"ram_style", "no_rw_check"}, name
        assert str(Path.cwd()) not in text, name
        assert not re.search(r"\.py\b|(^|[\s\"'])/\w", text), name


def test_instances_are_of_emitted_modules(modules: dict[str, str]) -> None:
    """Each module but the top is used, and none is missing."""
    used = set()
    for text in modules.values():
        used |= set(re.findall(r"^  (\w+) \w+ \($", text, re.MULTILINE))
    assert used == set(modules) - {"top"}


def test_as_many_instances_as_parameters_say() -> None:
    config = HardwareConfig(k=1, pe=5, lanes=3, act_bits=2, columns=9)
    modules = emit(config)
    array, scaling = modules["pe_array"], modules["scaling"]
    assert len(re.findall(r"^  pe pe_\d+ \($", array, re.MULTILINE)) == 5
    assert len(re.findall(r"^  scaler scaler_\d+ \($", scaling, re.MULTILINE)) == 3
    assert len(re.findall(r"^  requantizer requantizer_\d+ \($", scaling, re.MULTILINE)) == 3


def test_same_text_in_another_process(modules: dict[str, str], tmp_path: Path) -> None:
    """With another hash seed, from another folder."""
    code = (
        "from hwgen.config import HardwareConfig; from hwgen.emit import verilog; "
        f"print(verilog({CONFIG!r}), end='')"
    )
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": root}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == "\n".join(modules.values())


def test_failure_of_yosys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwgen.emit.SCRIPT", "no_such_command\n{circuit}")
    with pytest.raises(RuntimeError, match=r"^yosys failed: ERROR: No such command: no_such_com.*"):
        emit(CONFIG)
