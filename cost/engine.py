"""A token on our engine behind a memory: time, and every joule as count times price."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from math import ceil

from cost.fit import worked
from cost.interval import Interval
from cost.inventory import PRIMITIVES, element
from cost.prices import Price, Prices
from cost.storage import COEFFICIENT_BITS, Storage
from cost.terms import Term, total
from cost.workload import Linear, Shape
from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout
from hwgen.sequencer import step_layout
from hwgen.tiling import Tiling
from models.checks import require

CACHE_BITS = 8
"""Of a key's or value's element."""

STAGES = 9
"""Stages that carry a step's controls: three of the array besides ``depth``, six of scaling."""


@dataclass(frozen=True)
class Chip:
    """An engine, its technology, its memory, and what else draws power.

    Attributes
    ----------
    config : HardwareConfig
    clock : float
        Hz.
    technology, memory : Prices
    idle : Price
        Watts of all that is neither.
    """

    config: HardwareConfig
    clock: float
    technology: Prices
    memory: Prices
    idle: Price

    def __post_init__(self) -> None:
        require(self.clock > 0, "clock", "be above 0 Hz", self.clock)


@dataclass(frozen=True)
class Token:
    """What a token costs.

    Attributes
    ----------
    seconds : Interval
    terms : list of Term
        Of energy, in joules.
    compute, transfer : Interval
        Seconds that the array and the memory need, if each were alone.
    bytes : float
        From and to memory.
    area : Interval
        Of logic, in square micrometers: elements, scalers, controls; buffers are left out.
    warnings : list of str
    """

    seconds: Interval
    terms: list[Term]
    compute: float
    transfer: Interval
    bytes: float
    area: Interval
    warnings: list[str]

    @property
    def joules(self) -> Interval:
        """Of all terms."""
        return total(self.terms)


def tiling_of(linear: Linear, storage: Storage, config: HardwareConfig) -> Tiling:
    """Lay a linear layer over a circuit, from its shape alone."""
    require(storage.terms > 0, "format", "be one that a circuit of ours takes", storage.name)
    group = min(storage.group or linear.inputs, linear.inputs)
    groups = ceil(linear.inputs / group)
    passes = storage.terms // 2 if storage.ternary and config.signed_weights else storage.terms
    return Tiling(
        row_tiles=ceil(linear.out / config.pe),
        groups=groups,
        group_words=ceil(group / config.lanes),
        tail_words=ceil((linear.inputs - group * (groups - 1)) / config.lanes),
        terms=passes,
        digits=config.digits,
        slots=config.slots,
    )


def token(model: Shape, storage: Storage, head: Storage, chip: Chip, context: int) -> Token:
    """Return what one token costs after ``context`` others, batch 1.

    A layer takes as long as the slower of array and memory. Attention and real operations have
    units of their own, whose time is hidden; their energy is not.
    """
    require(context >= 0, "context", "be 0 or more", context)
    config, tech = chip.config, chip.technology
    counts: Counter[str] = Counter()
    compute, moved, seconds = 0.0, 0.0, Interval(0, 0)
    bandwidth = chip.memory["bandwidth"].value * chip.memory["reached"].value
    layers = [(linear, storage) for linear in model.linears] + [(model.head, head)]
    for linear, stored in layers:
        tiling = tiling_of(linear, stored, config)
        bytes_ = _count(counts, linear, stored, tiling, config)
        cycles = tiling.cycles + config.latency
        counts["cycles"] += cycles * linear.count
        times = [max(cycles / chip.clock, bytes_ / end) for end in (bandwidth.high, bandwidth.low)]
        seconds = seconds + Interval(*times) * linear.count
        compute += cycles / chip.clock * linear.count
        moved += bytes_ * linear.count
    cache = model.cache_elements() * CACHE_BITS / 8
    moved += cache * (context + 1)
    seconds = seconds + _over(cache * (context + 1), bandwidth)
    counts["cache"] = round(cache * 8 * (context + 1))
    counts["attention"] = model.attention_macs(context)
    counts["reals"] = model.real_operations(context)
    terms = _terms(counts, moved, seconds, chip)
    transfer = _over(moved, bandwidth)
    return Token(seconds, terms, compute, transfer, moved, logic_area(config, tech),
                 [*_warnings(compute, transfer, moved, chip), *sorted(tech.warnings)])  # fmt: skip


def _count(
    counts: Counter[str], linear: Linear, stored: Storage, tiling: Tiling, config: HardwareConfig
) -> float:
    """Count what a layer does; return the bytes that it takes from memory once."""
    rows = tiling.row_tiles * config.pe
    word = config.pe * stored.planes * config.lanes
    coefficients = rows * tiling.groups * tiling.terms
    bits = tiling.words * word + coefficients * COEFFICIENT_BITS
    counts["steps"] += tiling.steps * linear.count
    counts["weight bits"] += tiling.words * word * linear.count
    counts["activation bits"] += tiling.words * config.lanes * config.act_bits * linear.count
    counts["sums"] += rows * tiling.row_words * tiling.terms * linear.count
    counts["products"] += coefficients * linear.count
    return bits / 8


def _over(bytes_: float, bandwidth: Interval) -> Interval:
    return Interval(bytes_ / bandwidth.high, bytes_ / bandwidth.low)


def _terms(counts: Counter[str], moved: float, seconds: Interval, chip: Chip) -> list[Term]:
    config, tech = chip.config, chip.technology
    per_cycle = worked(config)
    full, register = tech["energy_full"], tech["energy_register"]
    logic = [
        Term("arithmetic", f"{name} in elements",
             counts["steps"] * (config.pe + 1) * per_cycle[name], tech[f"energy_{name}"])
        for name in PRIMITIVES if per_cycle[name]
    ]  # fmt: skip
    logic += [
        Term("arithmetic", "register bits of operands",
             counts["steps"] * operand_bits(config), register),
        Term("scaling", "full adders of group sums", counts["sums"] * config.sum_bits, full),
        Term("scaling", "register bits of group sums", counts["sums"] * config.sum_bits, register),
        Term("scaling", "full adders of coefficients",
             counts["products"] * config.sum_bits * config.coef_bits, full),
        Term("scaling", "register bits of totals", counts["products"] * config.acc_bits, register),
        Term("control", "register bits", counts["cycles"] * control_bits(config), register),
    ]  # fmt: skip
    dynamic = total(logic)
    around = tech["wires_and_clock_tree"]
    spread = Price(around.name, around.value * dynamic, "J", around.source)
    sram = tech["sram_bit"]
    area = logic_area(config, tech)
    leak = tech["leakage"]
    leaking = Price("leakage", leak.value * area * seconds, "J", f"{leak.source}; times area, time")
    idle = Price("idle", chip.idle.value * seconds, "J", f"{chip.idle.source}; times time")
    dram = chip.memory["energy"]
    return [
        *logic,
        Term("control", "wires and clock tree, of logic", 1, spread),
        Term("attention", "8-bit products", counts["attention"], tech["int8_mac"]),
        Term("attention", "real operations", counts["reals"], tech["real_operation"]),
        Term("SRAM", "weight bits in and out", 2 * counts["weight bits"], sram),
        Term("SRAM", "activation bits out", counts["activation bits"], sram),
        Term("DRAM", "bits of weights and parameters", moved * 8 - counts["cache"], dram),
        Term("DRAM", "bits of keys and values", counts["cache"], dram),
        Term("static", "leakage of logic", 1, leaking),
        Term("static", "idle power", 1, idle),
    ]


@cache
def operand_bits(config: HardwareConfig) -> int:
    """Return the register bits of a step's activations and weights' digits."""
    return digit_layout(config).size


@cache
def control_bits(config: HardwareConfig) -> int:
    """Return the register bits of a step's controls, along all stages."""
    return step_layout(config).size * (STAGES + config.depth)


@cache
def logic_area(config: HardwareConfig, tech: Prices) -> Interval:
    """Return the area of elements, scalers and controls; buffers are not in it."""
    one: Counter[str] = Counter(element(config))
    area = Interval(0, 0)
    for name in PRIMITIVES:
        area = area + tech[f"area_{name}"].value * (one[name] * (config.pe + 1))
    adders = config.sum_bits + 2 * config.sum_bits * config.coef_bits + config.acc_bits
    held = 4 * config.sum_bits + 3 * config.coef_bits + 2 * config.acc_bits
    area = area + tech["area_full"].value * (adders * config.scalers)
    control = control_bits(config) + operand_bits(config)
    return area + tech["area_register"].value * (held * config.scalers + control)


def _warnings(compute: float, transfer: Interval, moved: float, chip: Chip) -> list[str]:
    if compute <= transfer.high * 1.02:
        return []
    need = moved / compute / 1e9
    most = chip.memory["bandwidth"].value.high / 1e9
    config = chip.config
    return [
        (
            f"the array cannot feed on all of the memory: {config.pe} PEs of {config.lanes} lanes "
            f"at {chip.clock / 1e6:g} MHz take {need:.3g} of {most:.3g} GB/s"
        )
    ]
