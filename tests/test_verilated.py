"""Verilog called from this process: ports, clocks, waves, lint, and the caller's errors."""

import gc
from pathlib import Path

import numpy as np
import pytest

from sim import tools
from sim.lint import lint
from sim.verilated import Verilated

COUNTER = """\
module counter(input wire clk, input wire rst, input wire en, output reg [7:0] count);
    always @(posedge clk)
        if (rst) count <= 0;
        else if (en) count <= count + 1;
endmodule
"""

WIDE = """\
module wide(input wire clk, input wire [199:0] a, input wire signed [199:0] i__b,
            input wire [0:63] \\odd$name , output wire [200:0] sum, output reg [199:0] held);
    assign sum = a + i__b;
    always @(posedge clk) held <= a ^ {136'd0, \\odd$name };
endmodule
"""

STOPPER = """\
module counter(input wire clk, input wire [1:0] count);
    always @(posedge clk)
        if (count == 1) $stop;
        else if (count == 2) $finish;
endmodule
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sources."""
    folder = tmp_path_factory.mktemp("with spaces")
    for name, text in (("counter", COUNTER), ("wide", WIDE), ("stopper", STOPPER)):
        (folder / f"{name}.v").write_text(text)
    return folder


def build(folder: Path, name: str, top: str, *, waves: bool = False) -> Verilated:
    cache = folder.parent / "user cache" / "planesmith" / "verilated"  # of test_library.py, too
    return Verilated.build([folder / name], top, build_dir=cache, waves=waves)


def test_counter(folder: Path) -> None:
    with build(folder, "counter.v", "counter") as dut:
        assert {name: (port.direction, port.width) for name, port in dut.ports.items()} == {
            "clk": ("input", 1),
            "rst": ("input", 1),
            "en": ("input", 1),
            "count": ("output", 8),
        }
        dut.clock(0)
        dut.eval()
        assert dut["clk"] == 0
        dut["en"] = 1
        dut.clock(3)
        assert (dut["count"], dut["en"]) == (3, 1)
        dut.clock(3000)
        assert dut["count"] == 3003 % 256
        dut.reset(2)
        assert (dut["count"], dut["rst"]) == (0, 0)


def test_wide_ports_match_integers(folder: Path) -> None:
    dut = build(folder, "wide.v", "wide")
    seed = 1
    rng = np.random.default_rng(seed)
    top = 2**200 - 1
    drawn = [int.from_bytes(rng.bytes(25), "little") for _ in range(40)]
    for a, b in [(0, 0), (top, top), (1, top), *zip(drawn[::2], drawn[1::2], strict=True)]:
        odd = a % 2**64
        dut["a"], dut["i__b"], dut["odd$name"] = a, b, odd
        dut.clock()
        assert (dut["a"], dut["i__b"], dut["odd$name"]) == (a, b, odd), f"seed {seed}"
        assert dut["sum"] == a + b, f"seed {seed}"
        assert dut["held"] == a ^ odd, f"seed {seed}"


def test_words_are_the_port_itself(folder: Path) -> None:
    dut = build(folder, "wide.v", "wide")
    a, held = dut.words("a"), dut.words("held")
    assert (a.dtype, a.shape, a.flags.writeable, held.flags.writeable) == (
        np.uint32,
        (7,),
        True,
        False,
    )
    a[:] = [1, 2, 3, 4, 5, 6, 255]
    assert dut["a"] == sum(int(word) << (32 * n) for n, word in enumerate(a))
    dut.clock()
    assert held.tolist() == a.tolist()
    dut.close()
    del dut
    gc.collect()
    assert held.tolist() == [1, 2, 3, 4, 5, 6, 255]


def test_two_designs_and_two_instances_do_not_meet(folder: Path) -> None:
    first = build(folder, "counter.v", "counter")
    second = Verilated(first.library)
    other = build(folder, "stopper.v", "counter")
    first["en"] = second["en"] = 1
    first.clock(5)
    other.clock(9)
    second.clock(7)
    assert (first["count"], second["count"]) == (5, 7)
    other["count"] = 1
    with pytest.raises(RuntimeError, match=r"stopper.v:3: Verilog \$stop$"):
        other.clock()
    first.clock()
    second.close()
    del second
    gc.collect()
    other["count"] = 2
    with pytest.raises(RuntimeError, match=r"stopper.v:4: Verilog \$finish$"):
        other.clock()
    first.clock()
    assert first["count"] == 7


def test_errors_of_the_caller(folder: Path) -> None:
    dut = build(folder, "counter.v", "counter")
    wide = build(folder, "wide.v", "wide")
    with pytest.raises(ValueError, match=r"^no port is called cuont; did you mean count\?$"):
        dut["cuont"]
    with pytest.raises(ValueError, match=r"^port to write must be an input, got output count$"):
        dut["count"] = 1
    with pytest.raises(ValueError, match=r"^en must be 0 to 2\*\*1 - 1, got 2$"):
        dut["en"] = 2
    with pytest.raises(ValueError, match=r"^a must be 0 to 2\*\*200 - 1, got -1$"):
        wide["a"] = -1
    with pytest.raises(ValueError, match=r"^en must have more than 64 bits, got 1$"):
        dut.words("en")
    with pytest.raises(ValueError, match=r"^cycles must be 0 or more, got -1$"):
        dut.clock(-1)
    with pytest.raises(ValueError, match=r"^waves must be chosen when building: .*$"):
        dut.trace(folder / "no.fst")
    with pytest.raises(ValueError, match=r"^top must be the name of a Verilog module, got '-E'$"):
        build(folder, "counter.v", "-E")
    with pytest.raises(FileNotFoundError, match=r"^source must be a file, got .*missing.v$"):
        build(folder, "missing.v", "counter")
    dut.close()
    dut.close()
    for use in (dut.eval, dut.clock, lambda: dut["en"]):
        with pytest.raises(ValueError, match=r"^instance must be open, got one that was closed$"):
            use()


def test_waves(folder: Path, tmp_path: Path) -> None:
    try:
        tools.require_fst()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    path = tmp_path / "counter.fst"
    with build(folder, "counter.v", "counter", waves=True) as dut:
        with pytest.raises(ValueError, match=r"^path of waves must be writable, got .*$"):
            dut.trace(tmp_path / "missing" / "counter.fst")
        dut.trace(path)
        dut["en"] = 1
        dut.clock(100)
        with pytest.raises(ValueError, match=r"^waves must be started once, they already were$"):
            dut.trace(path)
    header = path.read_bytes()
    # Block type, length of the block, first and last time: 100 cycles of two steps from 0.
    assert header[0] == 0
    assert [int.from_bytes(header[n : n + 8], "big") for n in (1, 9, 17)] == [329, 0, 199]


def test_lint(folder: Path, tmp_path: Path) -> None:
    lint([folder / "counter.v"], "counter")
    source = tmp_path / "unused.v"
    source.write_text(
        "module unused(input wire clk, output wire o);\n    assign o = 0;\nendmodule\n"
    )
    message = r"^unused must lint clean, got 1 warnings or errors: %Warning-UNUSEDSIGNAL: .*'clk'$"
    with pytest.raises(ValueError, match=message):
        lint([source], "unused")
    waivers = tmp_path / "waivers.vlt"
    waivers.write_text('`verilator_config\nlint_off -rule UNUSEDSIGNAL -file "*unused.v"\n')
    lint([source], "unused", waivers)
