"""A token on our engine behind a memory: time, and every joule as count times price."""

from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from math import ceil

from cost.buffers import bit_price, buffer_bits
from cost.components import Rates, area_counts, energy_counts, key_of
from cost.interval import Interval
from cost.inventory import PRIMITIVES, element
from cost.prices import Price, Prices
from cost.storage import Storage
from cost.terms import Term, total
from cost.toggling import worked
from cost.workload import Linear, Shape
from hwgen.config import HardwareConfig
from hwgen.tiling import Tiling
from models.checks import require

CACHE_BITS = 8
"""Of a key's or value's element."""

PART_OF = {"scalers": "scaling", "requantizers": "scaling"}
"""Terms' component of an engine's; of others ``control``."""


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

    @property
    def bandwidth(self) -> Interval:
        """Bytes a second that memory gives."""
        return self.memory["bandwidth"].value * self.memory["reached"].value


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
        Of logic, in square micrometers; what buffers hold is left out. Empty on a board.
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

    @property
    def rate(self) -> Interval:
        """Tokens a second."""
        return Interval(1 / self.seconds.high, 1 / self.seconds.low)


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


@dataclass(frozen=True)
class Layer:
    """What one linear layer costs, alone.

    Attributes
    ----------
    linear : Linear
    cycles : int
        Of the array, filling and emptying included.
    bytes : float
        From memory.
    seconds : Interval
        Of one of them.
    joules : Interval or None
        Likewise; None on a board, whose logic has no prices.
    """

    linear: Linear
    cycles: int
    bytes: float
    seconds: Interval
    joules: Interval | None


def layers(model: Shape, storage: Storage, head: Storage, chip: Chip) -> list[Layer]:
    """Return what each linear layer costs; the head last."""
    found = []
    for linear, stored in _stored(model, storage, head):
        counts: Counter[str] = Counter()
        alone = replace(linear, count=1)
        cycles, bytes_, seconds = _layer(counts, alone, stored, chip)
        priced = chip.technology.node is not None
        joules = total(_terms(counts, bytes_, seconds, chip)) if priced else None
        found.append(Layer(linear, cycles, bytes_, seconds, joules))
    return found


def _stored(model: Shape, storage: Storage, head: Storage) -> list[tuple[Linear, Storage]]:
    return [(linear, storage) for linear in model.linears] + [(model.head, head)]


def _layer(
    counts: Counter[str], linear: Linear, stored: Storage, chip: Chip
) -> tuple[int, float, Interval]:
    """Count what a layer does; return cycles, bytes and seconds of one of its kind."""
    tiling = tiling_of(linear, stored, chip.config)
    bytes_ = _count(counts, linear, stored, tiling, chip.config)
    cycles = tiling.cycles + chip.config.latency
    array, memory = cycles / chip.clock, over(bytes_, chip.bandwidth)
    return cycles, bytes_, Interval(max(array, memory.low), max(array, memory.high))


@dataclass(frozen=True)
class Work:
    """What a token asks of a chip: counts of what is priced, and time.

    Attributes
    ----------
    counts : Counter
    seconds : Interval
    compute : float
        Seconds that the array needs alone.
    bytes : float
        From and to memory.
    transfer : Interval
        Seconds that they need alone.
    """

    counts: Counter[str]
    seconds: Interval
    compute: float
    bytes: float
    transfer: Interval


def work_of(model: Shape, storage: Storage, head: Storage, chip: Chip, context: int) -> Work:
    """Count what one token needs after ``context`` others, batch 1; no price but speed matters.

    A layer takes as long as the slower of array and memory; the clock runs all the time. Attention
    and real operations have units of their own, whose time is hidden.
    """
    require(context >= 0, "context", "be 0 or more", context)
    counts: Counter[str] = Counter()
    compute, moved, seconds = 0.0, 0.0, Interval(0, 0)
    for linear, stored in _stored(model, storage, head):
        cycles, bytes_, times = _layer(counts, linear, stored, chip)
        seconds = seconds + times * linear.count
        compute += cycles / chip.clock * linear.count
        moved += bytes_ * linear.count
    cache = cache_bytes(model, context)
    moved += cache
    seconds = seconds + over(cache, chip.bandwidth)
    counts["cache"] = round(cache * 8)
    counts["attention"] = model.attention_macs(context)
    counts["reals"] = model.real_operations(context)
    return Work(counts, seconds, compute, moved, over(moved, chip.bandwidth))


def token(model: Shape, storage: Storage, head: Storage, chip: Chip, context: int) -> Token:
    """Return what one token costs after ``context`` others, batch 1."""
    tech = chip.technology
    require(tech.node is not None, f"technology {tech.name}", "have node and voltage", "none")
    work = work_of(model, storage, head, chip, context)
    terms = _terms(work.counts, work.bytes, work.seconds, chip)
    warnings = [*_clock(chip), *feeding(work, chip), *sorted(tech.warnings)]
    return Token(work.seconds, terms, work.compute, work.transfer, work.bytes,
                 logic_area(chip.config, tech), warnings)  # fmt: skip


def _count(
    counts: Counter[str], linear: Linear, stored: Storage, tiling: Tiling, config: HardwareConfig
) -> float:
    """Count what a layer does; return the bytes that it takes from memory once."""
    rows = tiling.row_tiles * config.pe
    word = config.pe * stored.planes * config.lanes
    coefficients = rows * tiling.groups * tiling.terms
    parameters = coefficients * stored.coefficient_bits
    bits = tiling.words * word + parameters
    inputs = linear.inputs + tiling.words * config.lanes
    counts["steps"] += tiling.steps * linear.count
    counts["weight bits"] += tiling.words * word * linear.count
    counts["activation bits"] += inputs * config.act_bits * linear.count
    counts["parameter bits"] += parameters * linear.count
    counts["result bits"] += rows * config.acc_bits * linear.count
    counts["sums"] += rows * tiling.row_words * tiling.terms * linear.count
    counts["products"] += coefficients * linear.count
    return bits / 8


def cache_bytes(model: Shape, context: int) -> float:
    """Return the bytes of keys and values after ``context`` tokens, its own included."""
    return model.cache_elements() * CACHE_BITS / 8 * (context + 1)


def over(bytes_: float, bandwidth: Interval) -> Interval:
    """Return the seconds that bytes take."""
    return Interval(bytes_ / bandwidth.high, bytes_ / bandwidth.low)


def _terms(counts: Counter[str], moved: float, seconds: Interval, chip: Chip) -> list[Term]:
    config, tech = chip.config, chip.technology
    logic = _logic(counts, seconds, chip)
    logic += [
        Term(part, f"glitches, of {part}: J", total(_of(part, logic)), tech["glitches"])
        for part in ("arithmetic", "scaling")
    ]  # fmt: skip
    held = buffer_bits(config)
    sram = {name: bit_price(bits, tech) for name, bits in held.items()}
    dram = chip.memory["energy"]
    return [
        *logic,
        Term("control", "wires and clock tree, of logic: J", total(logic),
             tech["wires_and_clock_tree"]),
        Term("attention", "8-bit products", counts["attention"], tech["int8_mac"]),
        Term("attention", "real operations", counts["reals"], tech["real_operation"]),
        Term("SRAM", "weight bits in and out", 2 * counts["weight bits"], sram["weights"]),
        Term("SRAM", "activation bits in and out", counts["activation bits"], sram["activations"]),
        Term("SRAM", "parameter bits in and out", 2 * counts["parameter bits"],
             sram["parameters"]),
        Term("SRAM", "result bits in and out", 2 * counts["result bits"], sram["results"]),
        Term("DRAM", "bits of weights and parameters", moved * 8 - counts["cache"], dram),
        Term("DRAM", "bits of keys and values", counts["cache"], dram),
        Term("static", "leakage of logic: um2 s", logic_area(config, tech) * seconds,
             tech["leakage"]),
        Term("static", "idle power: s", seconds, chip.idle),
    ]  # fmt: skip


def _logic(counts: Counter[str], seconds: Interval, chip: Chip) -> list[Term]:
    """Return the terms of elements and components, without glitches and wires."""
    config, tech = chip.config, chip.technology
    each = config.pe + 1  # one more for what all rows share, as the fit has it
    cycles = [chip.clock * end for end in (seconds.low, seconds.high)]
    waiting = Interval(*(max(0.0, end - counts["steps"]) * each for end in cycles))
    low, high = (
        energy_counts(config, Rates(end, counts["steps"], counts["sums"], counts["products"]))
        for end in cycles
    )
    return [
        *(
            Term("arithmetic", f"{name} in elements", counts["steps"] * each * count,
                 tech[f"energy_{name}"])
            for name, count in worked(config).items() if count
        ),
        Term("control", "registers of waiting elements", waiting * element(config)["register"],
             tech["energy_clocked"]),
        *(
            Term(PART_OF.get(component, "control"), f"{component}: {feature}",
                 Interval(count, high[component][feature]),
                 tech[f"energy_{key_of(component, feature)}"])
            for component, features in low.items()
            for feature, count in features.items() if high[component][feature]
        ),
    ]  # fmt: skip


def _of(part: str, terms: list[Term]) -> list[Term]:
    return [term for term in terms if term.component == part]


def element_area(config: HardwareConfig, tech: Prices) -> Interval:
    """Return the area of one element."""
    counts = element(config)
    areas = (tech[f"area_{name}"].value * counts[name] for name in PRIMITIVES)
    return sum(areas, Interval(0, 0))


def element_energy(config: HardwareConfig, tech: Prices) -> Interval:
    """Return the joules of an element's cycle in which it works, without glitches."""
    parts = (
        tech[f"energy_{name}"].value * count for name, count in worked(config).items() if count
    )
    return sum(parts, Interval(0, 0))


@cache
def logic_area(config: HardwareConfig, tech: Prices) -> Interval:
    """Return the area of elements and components; what buffers hold is not in it."""
    area = element_area(config, tech) * (config.pe + 1)
    for component, features in area_counts(config).items():
        for feature, count in features.items():
            area = area + tech[f"area_{key_of(component, feature)}"].value * count
    return area


def _clock(chip: Chip) -> list[str]:
    """Warn of a clock that engines may not reach."""
    reached = fastest(chip.technology)
    if chip.clock <= reached.low:
        return []
    what = "beyond" if chip.clock > reached.high else "in the upper part of"
    return [
        (
            f"a clock of {chip.clock / 1e6:g} MHz is {what} what the slowest paths of whole "
            f"engines on {chip.technology.name} allow, {reached.show(1e-6)} MHz"
        )
    ]


def feeding(work: Work, chip: Chip) -> list[str]:
    """Warn of an array that is too slow for its memory."""
    if work.compute <= work.transfer.high * 1.02:
        return []
    need = work.bytes / work.compute / 1e9
    most = chip.memory["bandwidth"].value.high / 1e9
    config = chip.config
    return [
        (
            f"the array cannot feed on all of the memory: {config.pe} PEs of {config.lanes} lanes "
            f"at {chip.clock / 1e6:g} MHz take {need:.3g} of {most:.3g} GB/s"
        )
    ]


def fastest(tech: Prices) -> Interval:
    """Return the clock, in Hz, that slowest paths of whole engines allow, from all to some."""
    path = tech["slowest_path"].value
    return Interval(1 / path.high, 1 / path.low)
