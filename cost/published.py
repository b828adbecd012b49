"""The model against figures that others published: errors, and the reasons of misses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cost.gpu import model_bytes, roofline
from cost.interval import Interval
from cost.prices import Prices
from cost.scaling import AREA, energy_factor, polynomial
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
    """Return the corrigendum's worked case; its 32 nm row is not that of our table."""
    source = "Stillmaker and Baas, corrigendum"
    target = polynomial((0.8367, -0.4341, 0.1701), 0.9)
    start = polynomial((3.755, -4.398, 1.975), 1.3)
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
    asap7 = json.loads((records / "asap7.json").read_text())
    return [
        *worked_case(), *_logic(technologies["sky130"], asap7), *_luts(ecp5),
        *_board(memories["ddr4-2400x64"]), *_cards(memories), *_gpus(gpus),
    ]  # fmt: skip


def _logic(sky130: Prices, asap7: Mapping[str, Any]) -> list[Row]:
    to_45 = energy_factor((130, 1.8), (45, 0.9))
    full, mac = sky130["energy_full"].value, sky130["int8_mac"].value
    horowitz = "Horowitz, ISSCC 2014, 45 nm 0.9 V"
    area = [asap7[name]["um2_per_mac_a_cycle"] / AREA[7] for name in INT8]
    dense = "a dot product's adders carry no sums of their own; his stand alone"
    return [
        Row("8-bit addition", "fJ", horowitz, 30, full * (8 * to_45 * 1e15), dense),
        Row("32-bit addition", "fJ", horowitz, 100, full * (32 * to_45 * 1e15), dense),
        Row("8-bit product and 32-bit addition", "fJ", horowitz, 300, mac * (to_45 * 1e15),
            "ours is one of 16 in one tree, without an accumulator of its own"),
        Row("8-bit MAC at 45 nm", "um2", "Bit Fusion, systolic_array_synth.csv, commit 04ec1c87",
            687.6, Interval(min(area), max(area)),
            "scaled from a predictive 7 nm library; theirs has registers and an accumulator each"),
    ]  # fmt: skip


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
    """BitNet-2B-4T on a KV260: bandwidth and idle power as measured."""
    source = "bitnet-kv260, commit 705c55ad, measured"
    model = of_config("bitnet-2B-4T", BITNET)
    trits = Storage("five trits a byte", 1.6, 2, 2, True)
    moved = (sum(one.weights for one in model.linears) * trits.bits + model.head.weights * 8) / 8
    seconds = moved / 12.73e9
    idle = (0.381 - 0.147) * 16.78
    joules = memory["energy"].value * (moved * 8) + idle * seconds
    return [
        Row("BitNet-2B-4T on a KV260", "tokens/s", source, 16.78, Interval.of(1 / seconds)),
        Row("BitNet-2B-4T on a KV260", "J/token", source, 0.381, joules,
            "without the FPGA's logic, of which we know no price"),
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


def _gpus(gpus: Mapping[str, Prices]) -> list[Row]:
    fp16, h100 = storage_of("fp16"), gpus["h100"]
    seven, eight = shape_of("LLaMA-2-7B"), shape_of("LLaMA-3-8B")
    plain = roofline(seven, fp16, fp16, h100, 128, 1)
    bits = Storage("1 bit", 1, 1, 1)
    one_bit = roofline(seven, bits, fp16, h100, 128, 1)
    many = roofline(eight, fp16, fp16, h100, 512, 64)
    four = Interval.of(4) * gpus["h100"]["power"].value
    large = shape_of("LLaMA-2-70B")
    reached = h100["bandwidth"].value * h100["reached"].value * 4
    held = model_bytes(large, fp16, fp16)
    step = Interval(held / reached.high, held / reached.low)
    return [
        Row("LLaMA-2-7B BF16 on an H100, batch 1", "tokens/s", "NanoQuant", 145,
            _rate(plain.seconds), "the interval has it; its upper end is what memory allows"),
        Row("LLaMA-2-7B 1 bit on an H100, batch 1", "tokens/s", "NanoQuant", 320,
            _rate(one_bit.seconds), "not bound by memory any more: launches, attention, head"),
        Row("LLaMA-3.1-8B on an H100, batch 64", "J/token", "ML.ENERGY v3", 0.12, many.joules,
            "a roofline has no prefill, no scheduling and no host"),
        Row("LLaMA-2-70B on four H100, batch 1", "J/token", "clune.org, 28 to 56", 42,
            step * four, "a roofline has no exchange between GPUs, which dominates there"),
    ]  # fmt: skip


def _rate(seconds: Interval) -> Interval:
    return Interval(1 / seconds.high, 1 / seconds.low)


def table(found: list[Row]) -> str:
    """Return rows as text, misses with their reasons."""
    lines = [f"{'figure':<40}{'unit':<10}{'published':>10}{'ours':>18}{'error':>9}  source"]
    for row in found:
        mark = "" if row.within else f"\n{'':<40}MISS: {row.note}"
        lines.append(
            f"{row.name:<40}{row.unit:<10}{row.published:>10.4g}{row.ours.show(digits=4):>18}"
            f"{100 * row.error:>8.1f}%  {row.source}{mark}"
        )
    hit = sum(row.within for row in found)
    return "\n".join([*lines, f"{hit} of {len(found)} within {100 * WITHIN:g} %"])
