"""Engines' tokens: clocks, glitches, buffers, layers, and the sum that a reader can redo."""

import json
import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from cost.board import memory_of
from cost.buffers import SIZES, bit_price, buffer_bits
from cost.compare import Result
from cost.engine import Chip, fastest, layers, token
from cost.interval import Interval
from cost.libraries import held
from cost.pareto import front_of
from cost.prices import Price, read_tables
from cost.storage import storage_of
from cost.technology import memories, nodes_of, technologies
from cost.why import why
from cost.workload import shape_of
from hwgen.config import HardwareConfig

RECORDS = Path(__file__).parents[1] / "docs" / "records"
ADDSUB = HardwareConfig(kind="addsub", pe=64, lanes=32, columns=1536)
HEAD = storage_of("int8")


def chip(clock: float, technology: str = "asap7", config: HardwareConfig = ADDSUB) -> Chip:
    idle = Price("idle", Interval(0.0, 0.0), "W", "test")
    memory = memories()["lpddr5-6400x64"]
    return Chip(config, clock, technologies()[technology], memory, idle)


def cost(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sim", "cost", "SmolLM2-135M", "--kind", "addsub", *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("technology", ["sky130", "sg13g2", "asap7"])
def test_clocks_that_engines_do_not_reach_are_told(technology: str) -> None:
    reached = fastest(technologies()[technology])
    for clock, said in (
        (reached.low * 0.99, ""), (reached.middle, "in the upper part of"),
        (reached.high * 1.01, "beyond"),
    ):  # fmt: skip
        done = token(shape_of("SmolLM2-135M"), storage_of("ternary"), HEAD,
                     chip(clock, technology), 1)  # fmt: skip
        found = [text for text in done.warnings if "slowest paths" in text]
        assert [said in text for text in found] == ([True] if said else [])


def test_paths_are_those_of_the_engines() -> None:
    engines = json.loads((RECORDS / "engines.json").read_text())
    paths = [one["critical_ns"] for one in engines]
    value = technologies()["sky130"]["slowest_path"].value
    assert math.isclose(value.low, min(paths) * 1e-9, rel_tol=0.01)
    assert math.isclose(value.high, max(paths) * 1e-9, rel_tol=0.01)


def test_measured_glitches_are_within_the_range() -> None:
    """Of every unit whose glitches were measured but popcount on sky130, which is known as off."""
    found = [one for one in held(nodes_of(RECORDS), technologies())
             if one.figure == "fJ with glitches"]  # fmt: skip
    assert Counter(one.library for one in found) == {"sky130": 2, "sg13g2": 2, "asap7": 2}
    outside = {(one.library, one.unit) for one in found if one.off}
    assert outside <= {("sky130", "popcount, 64 lanes")}


def test_shipped_prices_of_other_libraries() -> None:
    """Areas within 1 % of their ranges, energies on a layer's data within 10 %."""
    found = held(nodes_of(RECORDS), technologies())
    other = [one for one in found if one.library != "sky130"]
    assert len(other) > 20
    for one in other:
        assert abs(one.off) < (0.01 if one.figure == "um2" else 0.1), one


def test_buffers_are_those_of_the_netlists() -> None:
    """Bits of the memories of all recorded engines."""
    for one in json.loads((RECORDS / "engines.json").read_text()):
        sizes = {name: m["words"] * m["bits"] for name, m in one["memories"].items()}
        assert buffer_bits(HardwareConfig(**one["config"])) == {
            "weights": sizes["weights.words"], "activations": sizes["activations.words"],
            "parameters": sizes["coefficients.words"], "results": sizes["outputs.words"],
        }  # fmt: skip


def test_prices_of_a_bit_by_size() -> None:
    """Of a known size that size's; between two the range of both; never below the smallest."""
    tech = technologies()["sky130"]
    small, middle, large = (tech[name].value for name in SIZES)
    assert bit_price(1, tech).value == bit_price(8 * 8192, tech).value == small
    assert bit_price(8 * 8192 + 1, tech).value == Interval(small.low, middle.high)
    assert bit_price(32 * 8192, tech).value == middle
    assert bit_price(33 * 8192, tech).value == Interval(middle.low, large.high)
    assert bit_price(1 << 30, tech).value == large


def test_layers_add_up_to_the_token() -> None:
    """Seconds without the cache's; joules without attention, and at least as many in parts."""
    model, storage, here = shape_of("SmolLM2-135M"), storage_of("ternary"), chip(2e8)
    found = layers(model, storage, HEAD, here)
    done = token(model, storage, HEAD, here, 0)
    cache = model.cache_elements() / here.bandwidth.high
    assert len(found) == len(model.linears) + 1
    seconds = sum(one.seconds.low * one.linear.count for one in found)
    assert math.isclose(seconds + cache, done.seconds.low)
    joules = sum(one.joules.low * one.linear.count for one in found if one.joules)
    rest = [term for term in done.terms if term.component in ("attention", "static")]
    of_cache = next(term for term in done.terms if term.what == "bits of keys and values")
    logic = done.joules.low - sum(t.value.low for t in (*rest, of_cache))
    assert math.isclose(joules, logic, rel_tol=0.02)


def test_the_sum_can_be_redone_from_its_text() -> None:
    """Counts times prices as printed give the values as printed, to the digits that are shown."""
    model, storage, here = shape_of("SmolLM2-135M"), storage_of("ternary"), chip(2e8)
    text = why(Result(model, storage, here, token(model, storage, HEAD, here, 64)), HEAD)
    scales = {"fJ": 1e-9, "pJ": 1e-6, "nW": 1e-3, "1": 1e6, "W": 1e6}
    found = re.findall(r"^\w+ .*?(\S+) x (\S+) (\w+)(?: \(.*?\))? += (\S+)$", text, re.MULTILINE)
    assert len(found) > 25
    total = Interval(0, 0)
    for count, price, unit, value in found:
        ours = _read(count) * _read(price) * scales[unit]
        shown = _read(value)
        assert math.isclose(ours.low, shown.low, rel_tol=0.02), (count, price, unit, value)
        assert math.isclose(ours.high, shown.high, rel_tol=0.02), (count, price, unit, value)
        total = total + shown
    (last,) = re.findall(r"^sum: (\S+) uJ", text, re.MULTILINE)
    assert math.isclose(total.high, _read(last).high, rel_tol=0.01)
    assert text.count("source:") == len(found)


def _read(text: str) -> Interval:
    ends = [float(end) for end in text.split("..")]
    return Interval(ends[0], ends[-1])


def test_json_has_the_terms() -> None:
    done = cost("--json", "--why", "--gpu", "h100")
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["engine"]
    ends = [sum(term["value"][end] for term in one["terms"]) for end in (0, 1)]
    assert ends == pytest.approx(one["joules_per_token"])


def test_a_users_table_stands_beside_ours(tmp_path: Path) -> None:
    """A memory of the user's, with our technologies."""
    file = tmp_path / "mine.toml"
    file.write_text("""
[mine]
energy = {value = 5, unit = "pJ", source = "a quote"}
bandwidth = {value = 10, unit = "GB/s", source = "a quote"}
reached = {value = 1, unit = "1", source = "a quote"}
""")
    done = cost("--prices", str(file), "--memory", "mine", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["memory"] == "mine"


def test_front_of_points() -> None:
    points = [(1.0, 9.0), (2.0, 5.0), (2.0, 6.0), (3.0, 5.0), (4.0, 1.0)]
    assert front_of(points, less=True) == [(1.0, 9.0), (2.0, 5.0), (4.0, 1.0)]
    assert front_of(points, less=False) == [(4.0, 1.0)]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("energy_full = {value = 1, unit = 'um2', source = 'us', node = 7, voltage = 1}",
         "unit of price energy_full of a must be one of fJ, pJ, nJ, J, got um2"),
        ("leakage = {value = 1, unit = 'fJ', source = 'us', node = 7, voltage = 1}",
         "unit of price leakage of a must be one of nW, mW, W, got fJ"),
        ("enrgy_full = {value = 1, unit = 'fJ', source = 'us'}",
         "name of price enrgy_full of a must be or begin with one of energy,"),
        ("energy_full = {value = 1, unit = 'fJ', source = ' ', node = 7, voltage = 1}",
         "source of price energy_full of a must say where it is from, got nothing"),
        ("energy_full = {value = 1, unit = 'fJ', source = 'us'}",
         "price energy_full of a must have node and voltage, got none"),
        ("energy_full = {value = 1, unit = 'fJ', source = 'us', node = 7}",
         "price energy_full of a must have node and voltage, or neither, got one of them"),
        ("energy_full = {value = 1, unit = 'fJ', source = 'us', node = 7, voltage = -3}",
         "voltage of price energy_full of a must be above 0 V, got -3"),
    ],
)  # fmt: skip
def test_prices_of_the_wrong_kind(entry: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(f"[a]\nnode = 7\nvoltage = 0.7\n{entry}\n")
    with pytest.raises(ValueError, match="must") as caught:
        read_tables(path)
    assert line in str(caught.value)


def test_a_technology_has_a_node(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("[a]\nnode = 7\n")
    with pytest.raises(ValueError, match="table a must have node and voltage, or neither"):
        read_tables(path)
    line = "^technology ddr3-1600x16 must have node and voltage, got none$"
    nothing = replace(chip(2e8), technology=memories()["ddr3-1600x16"])
    with pytest.raises(ValueError, match=line):
        token(shape_of("SmolLM2-135M"), storage_of("ternary"), HEAD, nothing, 1)


def test_records_that_are_not_there() -> None:
    done = cost("--gpu", "h100", "--gpu-records", "nowhere")
    line = "python -m sim: error: --gpu-records must be a folder of records, got nowhere\n"
    assert (done.returncode, done.stderr) == (2, line)


def test_a_board_takes_its_watts_for_its_time() -> None:
    """Arty A7: bound by 1.33 GB/s of DDR3, of which a part is reached; joules by --watts."""
    done = cost("--board", "arty-a7", "--watts", "4", "--pe", "16", "--share", "4", "--json")
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)
    rates, joules = one["tokens_per_second"], one["joules_per_token"]
    assert joules == pytest.approx([4 / rate for rate in reversed(rates)])
    speed = memory_of("arty-a7")["bandwidth"].value.low
    assert rates[1] <= speed / one["bytes_per_token"]
    assert one["logic_mm2"] is None
    text = cost("--board", "arty-a7", "--watts", "4", "--pe", "16", "--share", "4", "--why").stdout
    assert "power of the whole board: s" in text
    assert "source: given by --watts" in text


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--board", "arty-a7"],
         ("--watts must be given with --board, above 0 (no price of an FPGA's logic is known to us)"
         ", got None")),
        (["--watts", "3"], "--watts must be given with --board, got 3.0"),
        (["--board", "arty-a7", "--watts", "3", "--pareto", "x.png"],
         "--pareto must be given without --board, got arty-a7"),
        (["--board", "arty-a8", "--watts", "3"],
         "board must be a known one (did you mean arty-a7?), got arty-a8"),
        (["--board", "ulx3s", "--watts", "3"],
         "SmolLM2-135M in ternary must fit the 33.55 MB of ulx3s, got 74.9 MB"),
    ],
)  # fmt: skip
def test_boards_that_cannot_be_priced(flags: list[str], line: str) -> None:
    done = cost(*flags)
    assert (done.returncode, done.stderr) == (2, f"python -m sim: error: {line}\n")
