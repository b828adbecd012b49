"""Counted ones: the same circuit as with adders, in another form."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwgen.config import HardwareConfig
from hwgen.emit import emit
from sim.counts import count_ones
from sim.verilated import Verilated

TREE = """\
module tree(v, sum);
  input [3:0] v;
  wire [1:0] a;
  wire [{top}:0] b;
  output [2:0] sum;
  wire [2:0] sum;
  assign a = v[0] + v[1];
  assign b = v[{third}] + v[3];
  assign sum = a + b;
endmodule
"""


def test_tree_becomes_a_count() -> None:
    text = count_ones(TREE.format(top=1, third=2))
    assert "assign sum = $countones(v[3:0]);" in text
    assert text.count("$countones") == 1


@pytest.mark.parametrize(("top", "third"), [(0, 2), (1, 1), (1, 3)])
def test_other_sums_stay(top: int, third: int) -> None:
    """One that may overflow, one with a gap and a bit twice, one with a bit twice."""
    text = count_ones(TREE.format(top=top, third=third))
    assert "assign sum = a + b;" in text


@pytest.mark.parametrize("lanes", [2, 7, 16, 33, 64])
def test_every_counter_of_the_generator_is_found(lanes: int) -> None:
    config = HardwareConfig(k=1, pe=1, lanes=lanes, columns=lanes)
    counted = count_ones(emit(config)["pe"])
    assert f"= $countones(chosen[{lanes - 1}:0]);" in counted
    assert counted.count("$countones") == 1


def counter_of(lanes: int) -> str:
    """Return the adders of a processing element of the generator, alone."""
    text = emit(HardwareConfig(k=1, pe=1, lanes=lanes, columns=lanes))["pe"]
    lines = text.splitlines()
    sums = [line for line in lines if line.startswith("  assign _") and " + " in line]
    sums = [line for line in sums if "$signed" not in line]
    names = {line.split()[1] for line in sums}
    wires = [line for line in lines if line.startswith("  wire") and line.split()[-1][:-1] in names]
    used = {word for line in sums for word in line.replace(";", "").split()[3:]}
    (root,) = names - used
    width = lanes.bit_length()
    return "\n".join([
        "module counter(clk, chosen, count);",
        "  input clk;",
        f"  input [{lanes - 1}:0] chosen;",
        f"  output [{width - 1}:0] count;",
        f"  wire [{width - 1}:0] count;",
        *wires,
        *sums,
        f"  assign count = {root};",
        "endmodule",
        "",
    ])


@pytest.fixture(scope="module")
def counters(tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Verilated]]:
    """Return both forms of the counters of 12 and 64 lanes."""
    folder = tmp_path_factory.mktemp("counters")
    made: dict[int, list[Verilated]] = {}
    for lanes in (12, 64):
        plain = counter_of(lanes)
        counted = count_ones(plain)
        assert counted != plain
        made[lanes] = []
        for name, text in (("plain", plain), ("counted", counted)):
            source = Path(folder, f"{name}{lanes}.v")
            source.write_text(text)
            made[lanes].append(Verilated.build([source], "counter", build_dir=folder))
    return made


def counts(counters: list[Verilated], word: int) -> list[int]:
    for dut in counters:
        dut["chosen"] = word
        dut.eval()
    return [dut["count"] for dut in counters]


def test_all_words_of_12_lanes(counters: dict[int, list[Verilated]]) -> None:
    for word in range(1 << 12):
        assert counts(counters[12], word) == [word.bit_count()] * 2


@settings(max_examples=300, deadline=None)
@given(word=st.integers(0, 2**64 - 1))
def test_words_of_64_lanes(counters: dict[int, list[Verilated]], word: int) -> None:
    assert counts(counters[64], word) == [word.bit_count()] * 2


def test_runs_of_ones_of_64_lanes(counters: dict[int, list[Verilated]]) -> None:
    rng = np.random.default_rng(1)
    for start in range(65):
        for stop in (64, int(rng.integers(start, 65)), start):
            word = (1 << stop) - (1 << start)
            assert counts(counters[64], word) == [stop - start] * 2
