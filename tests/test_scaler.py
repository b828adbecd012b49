"""Scaler: the totals of rows against plain sums, at the cycle that the docstring names."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.config import HardwareConfig
from hwgen.scaler import Scaler


@dataclass
class Row:
    """What one slot's row is made of.

    Attributes
    ----------
    sums : (groups, words, terms)
    coefficients : (groups, terms)
    offsets, x_sums : (groups,)
    """

    sums: np.ndarray
    coefficients: np.ndarray
    offsets: np.ndarray
    x_sums: np.ndarray

    def total(self, use_offset: bool) -> int:
        groups, words, terms = self.sums.shape
        total = 0
        for group in range(groups):
            for term in range(terms):
                group_sum = sum(int(self.sums[group, word, term]) for word in range(words))
                total += int(self.coefficients[group, term]) * group_sum
            if use_offset:
                total += int(self.offsets[group]) * int(self.x_sums[group])
        return total


@dataclass
class Schedule:
    """What the ports say in each cycle, and the total due in it."""

    ports: dict[int, dict[str, int]] = field(default_factory=dict)
    totals: dict[int, int] = field(default_factory=dict)
    cycle: int = 0

    def say(self, cycle: int, **ports: int) -> None:
        self.ports.setdefault(cycle, {}).update(ports)


def add_tile(
    plan: Schedule, rows: list[Row], use_offset: bool, gap: float, rng: np.random.Generator
) -> None:
    """Send a tile's rows through the scaler in the order of the array's steps."""
    groups, words, terms = rows[0].sums.shape
    for group, word, term in np.ndindex(groups, words, terms):
        last_term = term == terms - 1
        for slot, row in enumerate(rows):
            while rng.random() < gap:
                plan.cycle += 1
            cycle = plan.cycle
            plan.say(
                cycle, sum_slot=slot, sum_term=term, sum_first=word == 0, sum_valid=1,
            )  # fmt: skip
            plan.say(cycle + 1, value=int(row.sums[group, word, term]))
            if word == words - 1:
                plan.say(
                    cycle + 1,
                    coefficient=int(row.coefficients[group, term]),
                    offset=int(row.offsets[group]),
                    use_offset=use_offset and last_term,
                )
                plan.say(cycle + 3, x_sum=int(row.x_sums[group]))
                plan.say(
                    cycle + 5,
                    total_slot=slot,
                    total_first=group == 0 and term == 0,
                    total_valid=1,
                )
                if group == groups - 1 and last_term:
                    plan.totals[cycle + 7] = row.total(use_offset)
            plan.cycle += 1


def run(config: HardwareConfig, plan: Schedule, seed: int) -> None:
    """Drive the ports, with noise in those that say nothing, and compare the totals."""
    rng = np.random.default_rng(seed)
    dut = Scaler(config)
    noisy = [
        getattr(dut, name)
        for name in Scaler.ports(config).members
        if name not in ("total", "sum_valid", "total_valid")
    ]

    async def bench(ctx: SimulatorContext) -> None:
        for cycle in range(plan.cycle + 8):
            said = {"sum_valid": 0, "total_valid": 0} | plan.ports.get(cycle, {})
            for port in noisy:
                ctx.set(port, int(rng.integers(0, 1 << 32)) & ((1 << len(port)) - 1))
            for name, value in said.items():
                ctx.set(getattr(dut, name), value)
            if cycle in plan.totals:
                got, want = ctx.get(dut.total), plan.totals[cycle]
                assert got == want, f"cycle {cycle}: got {got}, want {want}, seed {seed}"
            await ctx.tick()

    assert plan.totals
    simulate(dut, bench)


def random_rows(
    rng: np.random.Generator, config: HardwareConfig, shape: tuple[int, int, int]
) -> list[Row]:
    groups, _, terms = shape
    low, high = (config.lanes * code for code in config.code_range)
    top = 1 << (config.coef_bits - 1)
    return [
        Row(
            rng.integers(low, high + 1, shape),
            rng.integers(-top, top, (groups, terms)),
            rng.integers(-top, top, groups),
            rng.integers(low, high + 1, groups),
        )
        for _ in range(config.slots)
    ]


@pytest.mark.parametrize("use_offset", [False, True])
@pytest.mark.parametrize("gap", [0.0, 0.4])
@pytest.mark.parametrize(
    ("pe", "act_bits", "terms"), [(1, 1, 1), (1, 8, 2), (5, 3, 3), (8, 8, 1), (9, 4, 2)]
)
def test_totals(pe: int, act_bits: int, terms: int, gap: float, use_offset: bool) -> None:
    """Several tiles, one after the other; a row every cycle where there is no gap."""
    config = HardwareConfig(
        k=terms, pe=pe, lanes=8, act_bits=act_bits, act_signed=act_bits > 1, columns=64
    )
    seed = 10 * pe + act_bits
    rng = np.random.default_rng(seed)
    plan = Schedule()
    for shape in [(1, 1, terms), (3, 2, terms), (2, 1, 1), (1, 4, terms), (4, 1, terms)]:
        add_tile(plan, random_rows(rng, config, shape), use_offset, gap, rng)
    run(config, plan, seed)


@pytest.mark.parametrize("end", [0, 1])
def test_largest_sums_and_coefficients(end: int) -> None:
    """The whole buffer in one group, everything at its end."""
    config = HardwareConfig(k=1, pe=4, lanes=8, columns=64)
    top = -(1 << (config.coef_bits - 1))
    most = config.lanes * config.code_range[end]
    words = config.buffer_words
    row = Row(
        np.full((1, words, 1), most),
        np.full((1, 1), top),
        np.full(1, top),
        np.full(1, words * most),
    )
    plan = Schedule()
    add_tile(plan, [row] * config.slots, True, 0.0, np.random.default_rng(1))
    assert set(plan.totals.values()) == {2 * top * words * most}
    run(config, plan, 1)
