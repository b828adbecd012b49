"""Processing element: every sum against the plain one, at the cycle that the docstring names."""

from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout
from hwgen.pe import ProcessingElement

CUTS = [(bits, digit) for bits in range(2, 9) for digit in (1, 2, 3, 4, 5, 8) if digit <= bits]
"""Bits of activations and of digits."""


@dataclass
class Term:
    """A binary term with the activations that it meets.

    Attributes
    ----------
    planes : list of k integers
        Bit ``n`` is that of lane ``n``.
    mask : int
    x : list of int
        One for each lane.
    starts : list of int
        The cycle of each digit, top digit first; the first is that of ``term_load``.
    """

    planes: list[int]
    mask: int
    x: list[int]
    starts: list[int] = field(default_factory=list)

    def sum(self) -> int:
        """Add the activations whose bit is set in all planes of the mask."""
        chosen = [plane for number, plane in enumerate(self.planes) if self.mask >> number & 1]
        bits = reduce(lambda a, b: a & b, chosen)
        return sum(x for lane, x in enumerate(self.x) if bits >> lane & 1)


def config_of(lanes: int, k: int, act_bits: int, digit: int = 1) -> HardwareConfig:
    signed = act_bits > 1
    return HardwareConfig(k=k, pe=1, lanes=lanes, act_bits=act_bits, act_signed=signed, digit=digit)


def digit_of(x: int, number: int, config: HardwareConfig) -> int:
    """Digit ``number`` of an activation, the top one first, as the port has it.

    The top one has the sign, unless digits are single bits.
    """
    place = config.digits - 1 - number
    rest = x >> place * config.digit
    return rest if number == 0 and config.digit > 1 else rest % (1 << config.digit)


def random_terms(rng: np.random.Generator, config: HardwareConfig, count: int) -> list[Term]:
    low, high = config.code_range
    whole = (1 << config.lanes) - 1
    return [
        Term(
            [int(plane) & whole for plane in rng.integers(0, 1 << 32, config.k)],
            int(rng.integers(1, 1 << config.k)),
            rng.integers(low, high + 1, config.lanes).tolist(),
        )
        for _ in range(count)
    ]


def extreme_terms(config: HardwareConfig) -> list[Term]:
    """All lanes chosen, and none, for activations at either end and zero."""
    low, high = config.code_range
    whole, mask = (1 << config.lanes) - 1, (1 << config.k) - 1
    return [
        Term([plane] * config.k, mask, [code] * config.lanes)
        for code in (low, high, 0)
        for plane in (whole, 0)
    ]


def schedule(
    terms: list[Term], config: HardwareConfig, gap: float, rng: np.random.Generator
) -> int:
    """Give each digit its cycle, with gaps; return the first cycle after them."""
    cycle = 0
    for term in terms:
        for _ in range(config.digits):
            while rng.random() < gap:
                cycle += 1
            term.starts.append(cycle)
            cycle += 1
    return cycle


def drive(terms: list[Term], config: HardwareConfig, gap: float, seed: int) -> None:
    """Run terms; in cycles without meaning, ports that say nothing hold noise."""
    rng = np.random.default_rng(seed)
    dut = ProcessingElement(config)
    cycles = schedule(terms, config, gap, rng) + 3
    loads = {term.starts[0]: term for term in terms}
    digits = {start: (term, n) for term in terms for n, start in enumerate(term.starts)}
    ends = {term.starts[-1]: term for term in terms}

    def noise(width: int) -> int:
        return int.from_bytes(rng.bytes(-(-width // 8)), "little") & ((1 << width) - 1)

    async def bench(ctx: SimulatorContext) -> None:
        held: int | None = None
        for cycle in range(cycles):
            load = loads.get(cycle)
            planes = load.planes if load else [noise(config.lanes) for _ in range(config.k)]
            ctx.set(dut.term_load, load is not None)
            ctx.set(dut.weights, planes)
            ctx.set(dut.mask, load.mask if load else noise(config.k))
            term, number = digits.get(cycle - 1, (None, 0))
            if term:
                ctx.set(dut.digit, [digit_of(x, number, config) for x in term.x])
            else:
                ctx.set(dut.digit.as_value(), noise(digit_layout(config).size))
            term, number = digits.get(cycle - 2, (None, 0))
            ctx.set(dut.valid, term is not None)
            ctx.set(dut.first, number == 0 if term else noise(1))
            ctx.set(dut.last, number == config.digits - 1 if term else noise(1))
            if cycle - 3 in ends:
                held = ends[cycle - 3].sum()
            if held is not None:
                got = ctx.get(dut.sum)
                assert got == held, f"cycle {cycle}: got {got}, want {held}, seed {seed}"
            await ctx.tick()
        assert held == terms[-1].sum()

    simulate(dut, bench)


@pytest.mark.parametrize("lanes", [1, 2, 3, 8, 24, 32])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("act_bits", [1, 2, 5, 8])
def test_sums_of_terms_back_to_back(lanes: int, k: int, act_bits: int) -> None:
    """Latency 3 from the last digit's step; a new digit is taken every cycle."""
    config = config_of(lanes, k, act_bits)
    seed = 100 * lanes + 10 * k + act_bits
    terms = extreme_terms(config) + random_terms(np.random.default_rng(seed), config, 6)
    drive(terms, config, 0.0, seed)


@pytest.mark.parametrize("lanes", [1, 5, 24])
@pytest.mark.parametrize(("act_bits", "digit"), [pair for pair in CUTS if pair[1] > 1])
def test_digits_back_to_back(act_bits: int, digit: int, lanes: int) -> None:
    """Sums do not depend on the digit, nor the latency; an activation is cut up as ports say."""
    config = config_of(lanes, 2, act_bits, digit)
    seed = 100 * lanes + 10 * digit + act_bits
    rng = np.random.default_rng(seed)
    terms = extreme_terms(config) + random_terms(rng, config, 6)
    places = [1 << config.digit * (config.digits - 1 - n) for n in range(config.digits)]
    for x in config.code_range:
        assert sum(digit_of(x, n, config) * place for n, place in enumerate(places)) == x
    drive(terms, config, 0.0, seed)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("lanes", "act_bits", "digit"),
    [(3, 1, 1), (8, 5, 1), (24, 8, 1), (8, 5, 2), (3, 8, 3), (24, 8, 4), (5, 8, 8)],
)
def test_gaps_between_digits(lanes: int, act_bits: int, digit: int, seed: int) -> None:
    config = config_of(lanes, 2, act_bits, digit)
    drive(random_terms(np.random.default_rng(seed), config, 8), config, 0.5, seed)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(("act_bits", "digit"), CUTS)
def test_signed_and_unsigned_extremes(act_bits: int, digit: int, signed: bool) -> None:
    """Sums reach both ends of ``dot_bits``' range."""
    config = HardwareConfig(k=1, pe=1, lanes=8, act_bits=act_bits, act_signed=signed, digit=digit)
    terms = extreme_terms(config)
    assert {term.sum() for term in terms} >= {8 * code for code in config.code_range}
    drive(terms, config, 0.0, 1)


def test_every_monomial() -> None:
    config = config_of(8, 3, 5)
    rng = np.random.default_rng(7)
    terms = random_terms(rng, config, 7)
    for mask, term in enumerate(terms, 1):
        term.mask = mask
    drive(terms, config, 0.0, 7)
