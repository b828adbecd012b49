"""The engine on AXI: its bench, its register map in every form, and what goes over its ports."""

import ctypes
import json
import subprocess
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from hwgen.__main__ import write_set
from hwgen.axi_stream import beats_of, port_bits, word_bits
from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from hwgen.register_files import c_header, python_module, register_table
from hwgen.registers import REFUSALS, digest, layer_words, register_map
from sim import rtl
from sim.axi import frames, from_frames, layer_writes
from sim.axi_engine import AxiEngine
from sim.cases import every_kind, random_job
from sim.jobs import to_integers
from sim.library import build_library
from sim.standard import AXI

pytest.importorskip("cocotbext.axi", reason="the bench needs the package cocotbext-axi")


def test_bench_passes(tmp_path: Path) -> None:
    assert rtl.run_bench("sim.bench_axi", AXI[0], tmp_path, seed=2) == 12


def test_engine_equals_reference(tmp_path: Path) -> None:
    config = AXI[1]
    source = tmp_path / "top.v"
    source.write_text(verilog(config))
    engine = AxiEngine(config, build_library([source], config.top, None, waves=False))
    rng = np.random.default_rng(3)
    jobs = [*every_kind(rng, config)[:6], random_job(rng, config, tokens=3)]
    for idle, stall in ((0.0, 0.0), (0.4, 0.4)):
        for job, got in zip(jobs, engine.run(jobs, idle=idle, stall=stall), strict=True):
            assert (got == job.expected()).all()
    engine.close()


@pytest.mark.parametrize("config", AXI, ids=rtl.name)
def test_registers_lie_apart_within_a_page(config: HardwareConfig) -> None:
    rows = register_map(config)
    addresses = [row.address for row in rows]
    assert addresses == sorted(set(addresses))
    assert all(address % 4 == 0 and address < 4096 for address in addresses)
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        ends = [(field.low, field.low + field.width) for field in row.fields]
        assert all(end <= low for (_, end), (low, _) in pairwise(ends))
        assert 0 < row.mask < 1 << 32
        assert row.access != "ro" or row.value is None or not row.value & ~row.mask


def test_largest_configuration_fits_the_page() -> None:
    rows = register_map(HardwareConfig(k=8, terms=64, bus="axi", views=16, exponents=15))
    assert rows[-1].address < 4096


def test_digest_is_of_the_configuration_file(tmp_path: Path) -> None:
    """As ``docs/bus.md`` says: its JSON on one line."""
    write_set(AXI[0], tmp_path / "set")
    text = json.dumps(json.loads((tmp_path / "set/config.json").read_text()))
    assert text.startswith('{"k": 2, "pe": 4, "lanes": 8, ')
    assert digest(AXI[0]) == crc32(text.encode())


def test_identification() -> None:
    rows = {row.name: row.value for row in register_map(AXI[0])}
    assert rows["id"] == int.from_bytes(b"PLSM", "big")
    assert rows["digest"] == crc32(json.dumps(asdict(AXI[0])).encode())
    assert (rows["config_pe"], rows["config_bus"], rows["config_kind"]) == (4, 1, 0)


def test_forms_of_the_map_agree(tmp_path: Path) -> None:
    """Compile the header and run the module: the same names, with the same values."""
    config = AXI[0]
    found: dict[str, int] = {}
    exec(python_module(config), found)
    module = {name: value for name, value in found.items() if name.isupper()}
    (tmp_path / "registers.h").write_text(c_header(config))
    lines = "\n".join(f"unsigned value_{name} = PLANESMITH_{name};" for name in module)
    (tmp_path / "all.c").write_text(f'#include "registers.h"\n{lines}\n')
    library = tmp_path / "all.so"
    command = ["gcc", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library, tmp_path / "all.c"]
    subprocess.run(command, check=True)
    header = ctypes.CDLL(str(library))
    for name, value in module.items():
        assert ctypes.c_uint.in_dll(header, f"value_{name}").value == value, name
    table = register_table(config)
    for row in register_map(config):
        assert module[row.name.upper()] == row.address
        assert f"| `0x{row.address:03x}` | `{row.name}` | {row.access} |" in table
    assert module["CONTROL_START"] == 2
    assert all(module[f"ERRORS_{name.upper()}"] == 1 << n for n, name in enumerate(REFUSALS))


def test_descriptor_has_every_field_of_a_layer() -> None:
    config = AXI[0]
    job = random_job(np.random.default_rng(5), config, tokens=3)
    rows = {row.address: row for row in register_map(config)}
    written = {rows[address].name: value for address, value in layer_writes(job, config)}
    tiling = job.tiling(config)
    assert written["layer_vectors"] == 3
    assert written["layer_row_tiles"] == tiling.row_tiles
    assert written["layer_tail_words"] == tiling.tail_words
    packed, at = 0, 0
    for name, value in written.items():
        if name != "layer_vectors":
            packed |= value << at
            at += rows[next(a for a, row in rows.items() if row.name == name)].mask.bit_length()
    assert [packed] == to_integers(job.image(config).layers)
    assert layer_words(config, packed, 3) == layer_writes(job, config)


@pytest.mark.parametrize("stream_bits", [0, 8, 40, 512])
def test_beats(stream_bits: int) -> None:
    config = HardwareConfig(
        pe=3, lanes=5, act_bits=3, columns=20, bus="axi", stream_bits=stream_bits
    )
    job = random_job(np.random.default_rng(1), config, tokens=2)
    sent, bits = frames(job, config), word_bits(config)
    for name, parts in sent.items():
        width = port_bits(bits[name], config)
        assert width % 8 == 0
        assert stream_bits in (0, width)
        assert width * (beats_of(bits[name], config) - 1) < bits[name]
        for part in parts:
            assert len(part) % (width * beats_of(bits[name], config) // 8) == 0
    words, _ = job.feeds(config)["activations"]
    size = len(sent["activations"][0]) * 2 // len(words)
    first = int.from_bytes(sent["activations"][0][:size], "little")
    assert first == to_integers(words[:1])[0] & (1 << bits["activations"]) - 1


def test_results_cut_short() -> None:
    config = AXI[0]
    job = random_job(np.random.default_rng(1), config)
    with pytest.raises(ValueError, match=r"^results of a vector must have \d+ bytes, got 3$"):
        from_frames([b"abc"], job, config)
