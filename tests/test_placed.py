"""Placed modules: the component's ports as attributes, and an instance of the module."""

import re
from collections.abc import Iterator

import pytest
from amaranth import Module, Signal, signed
from amaranth.back import rtlil
from amaranth.hdl import Fragment
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

from hwgen.placed import Placed

PORTS = Signature({
    "i": In(stream.Signature(data.ArrayLayout(3, 2))),
    "claim": In(1),
    "step": In(data.StructLayout({"bit": 2, "last": 1})),
    "total": Out(signed(5)),
    "o": Out(stream.Signature(4)),
})


@pytest.fixture
def placed() -> Iterator[Placed]:
    """Return one that is elaborated in the end, as Amaranth wants it of all."""
    placed = Placed(PORTS, "adder", "adder_0")
    yield placed
    Fragment.get(placed, None)


def test_ports_are_attributes(placed: Placed) -> None:
    assert PORTS.is_compliant(placed)
    assert len(placed.step.last) == 1
    assert placed.total.shape() == signed(5)
    assert len(placed.i.payload[1]) == 3


def test_unknown_port(placed: Placed) -> None:
    with pytest.raises(AttributeError, match=r"^adder has no port sum$"):
        _ = placed.sum


def test_becomes_an_instance(placed: Placed) -> None:
    """Ports connect by name and direction; clock and reset come along."""
    go = Signal()
    m = Module()
    m.submodules.adder_0 = placed
    m.d.comb += placed.claim.eq(go)
    total = Signal(signed(5))
    taken = Signal()
    m.d.comb += total.eq(placed.total)
    m.d.comb += taken.eq(placed.i.ready & placed.o.valid)
    text = rtlil.convert(m, ports=[go, total, taken], emit_src=False)
    cell = text[text.index("cell \\adder \\adder_0") :]
    connected = dict(
        line.split()[1:3] for line in cell[: cell.index("end")].splitlines() if "connect" in line
    )
    assert set(connected) == {
        f"\\{name}"
        for name in (
            "clk", "rst", "i__payload", "i__valid", "i__ready",
            "claim", "step", "total", "o__payload", "o__valid", "o__ready",
        )
    }  # fmt: skip
    assert connected["\\claim"] == "\\go"
    assert connected["\\clk"] == "\\clk"
    nets = set(re.findall(r"wire .*\\(\S+)$", text, re.MULTILINE))
    assert nets >= {"adder_0__total", "adder_0__i__ready", "adder_0__o__valid"}
    assert not nets & {"adder_0__claim", "adder_0__step"}
    for name in ("total", "i__ready", "o__valid"):
        assert connected[f"\\{name}"].startswith("\\"), f"{name} is driven by the module"
