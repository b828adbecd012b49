"""The model against figures that others published: errors, and the reasons of misses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

from cost.gpu import model_bytes, roofline
from cost.interval import Interval
from cost.measured import measured
from cost.prices import Prices
from cost.scaling import AREA, ENERGY, energy_factor, polynomial
from cost.storage import Storage, storage_of
from cost.technology import INT8
from cost.workload import of_config, shape_of

WITHIN = 0.25

BITNET = {
    "hidden_size": 2560, "intermediate_size": 6912, "num_hidden_layers": 30,
    "num_attention_heads": 20, "num_key_value_heads": 5, "head_dim": 128, "vocab_size": 128256,
}  # fmt: skip
"""microsoft/bitnet-b1.58-2B-4T, its public configuration."""


@dataclass(frozen=True)
class Row:
    """A published figure and ours.

    Attributes
    ----------
    name, unit, source : str
    published : float
    ours : Interval
    note : str
        Why a miss is one, or what the two have not in common.
    """

    name: str
    unit: str
    source: str
    published: float
    ours: Interval
    note: str = ""

    @property
    def error(self) -> float:
        """Of the middle of ours."""
        return self.ours.middle / self.published - 1

    @property
    def within(self) -> bool:
        """Whether the error is at most :data:`WITHIN`."""
        return abs(self.error) <= WITHIN


def worked_case() -> list[Row]:
    """Return the corrigendum's worked case."""
    source = "Stillmaker and Baas, corrigendum"
    target, start = polynomial(ENERGY[32], 0.9), polynomial(ENERGY[65], 1.3)
    rounded = float(f"{target:.4g}") / float(f"{start:.4g}")  # as it is done there
    return [
        Row("32 nm at 0.9 V", "1", source, 0.4571, Interval.of(target)),
        Row("65 nm at 1.3 V", "1", source, 2.604, Interval.of(start)),
        Row("1 pJ of 65 nm at 32 nm", "pJ", source, 0.1755, Interval.of(rounded)),
    ]


def rows(
    technologies: Mapping[str, Prices],
    gpus: Mapping[str, Prices],
    memories: Mapping[str, Prices],
    records: Path,
) -> list[Row]:
    """Return all rows.

    Parameters
    ----------
    records : Path
        The folder with ``ecp5.json`` and the records of libraries.
    """  # fmt: skip
    ecp5 = json.loads((records / "ecp5.json").read_text())
    libraries = {nm: json.loads((records / f"{name}.json").read_text())
                 for name, nm in (("sky130", 130), ("asap7", 7))}  # fmt: skip
    return [
        *worked_case(), *_horowitz(technologies["sky130"], libraries[130]),
        *_bit_fusion(technologies, libraries), _precision_scalable(technologies, libraries),
        *_luts(ecp5), *_board(memories["ddr4-2400x64"]), *_cards(memories),
        *_gpus(gpus, records / "gpu"),
    ]  # fmt: skip


RANDOM = 0.5
"""Toggles of a random operand's bit a cycle."""


def pulses(records: Mapping[str, Any]) -> float:
    """Return by how much the pulses of a product's tree, as measured, raise its energy."""
    cycle = records["INT8 x INT8, array"]["cycle_fJ"]
    return cycle["all with glitches"] / cycle["all"]


def _horowitz(sky130: Prices, records: Mapping[str, Any]) -> list[Row]:
    """Adders and a product with random operands, from 130 nm; of the product with its pulses."""
    to_45 = energy_factor((130, 1.8), (45, 0.9)) * 1e15
    source = "Horowitz, ISSCC 2014, 45 nm 0.9 V"
    add = sky130["energy_full"].value * (RANDOM * to_45)
    plain = [records[name]["fJ_per_mac"] * 1e-15 for name in INT8]
    product = Interval(min(plain), max(plain)) * (to_45 * pulses(records))
    note = "full adders without pulses and registers; from 130 nm at 1.8 V, its highest voltage"
    return [
        Row("8-bit addition", "fJ", source, 30, add * 8, note),
        Row("32-bit addition", "fJ", source, 100, add * 32, note),
        Row("8-bit product and 32-bit addition", "fJ", source, 300, product + add * 32, note),
    ]


def _bit_fusion(
    technologies: Mapping[str, Prices], libraries: Mapping[int, Mapping[str, Any]]
) -> list[Row]:
    """Columns of 16 plain products: theirs hold weights and activations, and have one accumulator.

    (Their rows in a column share one: from 1 to 16 rows the area grows by 427 um2 a row at 8 bits,
    from 1 to 16 columns by 789.)
    """
    source = "Bit Fusion, results/systolic_array_synth.csv, commit 0246bc4c, 45 nm"
    published = {8: 7095.337, 4: 2735.258, 2: 1263.024}
    found = []
    for bits, theirs in published.items():
        areas = [
            _column(technologies[library], libraries[nm], bits, "area") / AREA[nm]
            for library, nm in (("sky130", 130), ("asap7", 7))
        ]
        found.append(Row(
            f"16 products of {bits} bits, accumulated", "um2", source, theirs,
            Interval(min(areas), max(areas)),
            "from 130 nm and from a predictive 7 nm library; no figure of ours is of 45 nm",
        ))  # fmt: skip
    energy = _column(technologies["sky130"], libraries[130], 8, "energy")
    dynamic = 1627200e-9 / 500e6 * 1e15
    return [*found, Row(
        "16 products of 8 bits, accumulated", "fJ", source, dynamic,
        Interval.of(energy * energy_factor((130, 1.8), (45, 0.9))),
        "theirs by a tool's default activity; their voltage is not given",
    )]  # fmt: skip


def _column(prices: Prices, records: Mapping[str, Any], bits: int, figure: str) -> float:
    """Return a baseline's figure with registers of activations and a 32-bit accumulator.

    Energy is that of a cycle with pulses.
    """
    one = records[f"INT{bits} x INT{bits}, array"]
    registers = one["lanes"] * bits
    if figure == "area":
        more = prices["area_register"].value * (registers + 32) + prices["area_full"].value * 32
        return one["area_um2"] + more.middle
    clock, full = prices["energy_clocked"].value, prices["energy_full"].value
    more = clock * (registers + 32) + full * (32 * RANDOM)
    return one["cycle_fJ"]["all with glitches"] + more.middle * 1e15


def _precision_scalable(
    technologies: Mapping[str, Prices], libraries: Mapping[int, Mapping[str, Any]]
) -> Row:
    """Compare a product's share of an array; 28 nm lies between two nodes of the area table."""
    part = (log(32) - log(28)) / (log(32) - log(20))
    to_28 = AREA[32] * (AREA[20] / AREA[32]) ** part
    areas = [
        _column(technologies[library], libraries[nm], 8, "area") / 16 / AREA[nm] * to_28
        for library, nm in (("sky130", 130), ("asap7", 7))
    ]
    source = "PSMA-benchmark, 1.00/FU/area.csv, commit 94913e3b, 28 nm, the smallest"
    return Row(
        "8-bit product of an array", "um2", source, 125105 / 256,
        Interval(min(areas), max(areas)),
        "theirs is made of 2-bit products that can be taken apart, at 1 GHz; ours of 8 bits only",
    )  # fmt: skip


def _luts(ecp5: Mapping[str, Any]) -> list[Row]:
    found: list[Row] = []
    for lanes in (64, 256):
        ours = ecp5[f"popcount, {lanes} lanes"]["lut4"]
        found.append(Row(
            f"popcount unit of {lanes} lanes", "LUT", "BISMO v2, 1.17 Dk + 44.1, commit b388d782",
            1.17 * lanes + 44.1, Interval.of(ours), "theirs are LUT6 of 7-series parts, ours LUT4",
        ))  # fmt: skip
    return found


def _board(memory: Prices) -> list[Row]:
    """BitNet-2B-4T on a KV260: bandwidth and idle power as measured there, all else ours."""
    source = "bitnet-kv260, commit 705c55ad, measured"
    model = of_config("bitnet-2B-4T", BITNET)
    trits = Storage("five trits a byte", 1.6, 2, 2, True)
    moved = (sum(one.weights for one in model.linears) * trits.bits + model.head.weights * 8) / 8
    seconds = moved / 12.73e9
    idle = (0.381 - 0.147) * 16.78
    joules = memory["energy"].value * (moved * 8) + idle * seconds
    return [
        Row("BitNet-2B-4T on a KV260", "tokens/s", source, 16.78, Interval.of(1 / seconds),
            "at their bandwidth of 12.73 GB/s: compares the bytes of a token"),
        Row("BitNet-2B-4T on a KV260", "J/token", source, 0.381, joules,
            "with their idle power of 3.93 W, without the FPGA's logic, of which we know no price: "
            "compares what memory takes"),
    ]  # fmt: skip


def _cards(memories: Mapping[str, Prices]) -> list[Row]:
    """2.7 G ternary weights of five a byte from one stack's bandwidth, if nothing else limits."""
    memory = memories["hbm2e-460"]
    moved = 2.7e9 * 1.6 / 8
    rate = memory["bandwidth"].value * memory["reached"].value
    return [
        Row("TerEffic 2.7B on a U280", "tokens/s", "arXiv 2502.16473, abstract", 727,
            rate * (1 / moved), "bandwidth only"),
    ]  # fmt: skip


def _gpus(gpus: Mapping[str, Prices], records: Path) -> list[Row]:
    """Rooflines; at batch 1 of LLaMA-2-7B what was measured, where there is a record."""
    fp16, h100 = storage_of("fp16"), gpus["h100"]
    seven, eight = shape_of("LLaMA-2-7B"), shape_of("LLaMA-3-8B")
    plain = roofline(seven, fp16, fp16, h100, 128, 1)
    one_bit = roofline(seven, Storage("1 bit", 1, 1, 1), fp16, h100, 128, 1)
    if own := measured(records, "h100", seven, fp16):
        plain = own[0]
    if own := measured(records, "h100", seven, storage_of("binary")):
        one_bit = own[0]
    many = roofline(eight, fp16, fp16, h100, 512, 64)
    two = roofline(seven, Storage("2 bits", 2, 0, 0), storage_of("int8"), gpus["orin-agx"], 128, 1)
    four = Interval.of(4) * h100["power"].value
    reached = h100["bandwidth"].value * h100["reached"].value * 4
    held = model_bytes(shape_of("LLaMA-2-70B"), fp16, fp16)
    step = Interval(held / reached.high, held / reached.low)
    return [
        Row(f"LLaMA-2-7B BF16 on an H100, batch 1 ({plain.bound})", "tokens/s", "NanoQuant", 145,
            plain.rate, "measured by us on such a GPU, with no host: a bound of theirs"),
        Row(f"LLaMA-2-7B 1 bit on an H100, batch 1 ({one_bit.bound})", "tokens/s", "NanoQuant", 320,
            one_bit.rate, "theirs is not bound by memory: launches, attention, head"),
        Row("LLaMA-2-7B 2 bits on an AGX Orin's GPU, batch 1", "J/token",
            "T-MAC README, commit 7042f8f7, llama.cpp", 1.54, two.read_joules,
            "a roofline has no unpacking of 2-bit weights, which takes longer there than reading"),
        Row("LLaMA-3.1-8B on an H100, batch 64", "J/token", "ML.ENERGY v3", 0.12,
            many.read_joules, "a roofline has no prefill, no scheduling and no host"),
        Row("LLaMA-2-70B on four H100, batch 1", "J/token", "clune.org, 28 to 56", 42,
            step * four, "a roofline has no exchange between GPUs, which dominates there"),
    ]  # fmt: skip


def table(found: list[Row]) -> str:
    """Return rows as text, misses with their reasons."""
    lines = [f"{'figure':<52}{'unit':<10}{'published':>10}{'ours':>18}{'error':>9}  source"]
    for row in found:
        said = f"{'' if row.within else 'MISS: '}{row.note}"
        mark = f"\n{'':<52}{said}" if said else ""
        lines.append(
            f"{row.name:<52}{row.unit:<10}{row.published:>10.4g}{row.ours.show(digits=4):>18}"
            f"{100 * row.error:>8.1f}%  {row.source}{mark}"
        )
    others = [row for row in found if "Stillmaker" not in row.source]
    hit = sum(row.within for row in others)
    lines.append(
        f"besides Stillmaker's case {hit} of {len(others)} within {100 * WITHIN:g} % (bar: half)"
    )
    return "\n".join(lines)
