"""Scaling: results of row tiles against plain sums, at the cycles that the docstring names."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from amaranth.sim import SimulatorContext
from inlined import inline
from streams import simulate

from hwgen.config import HardwareConfig
from hwgen.scaling import Scaling
from models.exact import requantize


@dataclass
class Tile:
    """A row tile.

    Attributes
    ----------
    sums : integers, (groups, words, terms, pe)
    x_sums : integers, (groups, words)
    coefficients : integers, (groups, terms, slots * scalers)
    offsets : integers, (groups, slots * scalers), or None
    scales : integers, (slots * scalers,), or None
    shift : int
    last : bool
    """

    sums: np.ndarray
    x_sums: np.ndarray
    coefficients: np.ndarray
    offsets: np.ndarray | None
    scales: np.ndarray | None
    shift: int
    last: bool

    def results(self, bits: int) -> list[int]:
        """Return what is due for each row."""
        pe = self.sums.shape[-1]
        totals = (self.sums.sum(1) * self.coefficients[..., :pe]).sum((0, 1))
        if self.offsets is not None:
            totals += (self.x_sums.sum(1)[:, np.newaxis] * self.offsets[:, :pe]).sum(0)
        if self.scales is None:
            return totals.tolist()
        return requantize(torch.from_numpy(totals * self.scales[:pe]), self.shift, bits).tolist()


def random_tile(rng: np.random.Generator, config: HardwareConfig, last: bool) -> Tile:
    groups, words, terms = (int(rng.integers(1, 4)) for _ in range(3))
    terms = min(terms, config.most_terms)
    low, high = (config.lanes * code for code in config.code_range)
    top, rows = 1 << (config.coef_bits - 1), config.slots * config.scalers
    return Tile(
        rng.integers(low, high + 1, (groups, words, terms, config.pe)),
        rng.integers(low, high + 1, (groups, words)),
        rng.integers(-top, top, (groups, terms, rows)),
        rng.integers(-top, top, (groups, rows)) if rng.random() < 0.5 else None,
        rng.integers(-top, top, rows) if rng.random() < 0.5 else None,
        int(rng.integers(0, 40)),
        last,
    )


@dataclass
class Traffic:
    """What goes in and what is due, by cycle; and the words of each parameter in order."""

    ends: dict[int, dict[str, int]] = field(default_factory=dict)
    sums: dict[int, tuple[list[int], int]] = field(default_factory=dict)
    due: dict[int, tuple[list[int | None], bool]] = field(default_factory=dict)
    words: dict[str, list[list[int]]] = field(
        default_factory=lambda: {"coefficients": [], "offsets": [], "scales": []}
    )
    cycle: int = 0

    def add(self, tile: Tile, config: HardwareConfig, gap: float, rng: np.random.Generator) -> None:
        """Add the steps of a tile that end sums."""
        groups, words, terms, _ = tile.sums.shape
        for group, word, term in np.ndindex(groups, words, terms):
            while rng.random() < gap:
                self.cycle += 1
            last_group, last_term = group == groups - 1, term == terms - 1
            self.ends[self.cycle] = {
                "term": term,
                "last_term": last_term,
                "first_word": word == 0,
                "last_word": word == words - 1,
                "first_group": group == 0,
                "last_group": last_group,
                "last_tile": tile.last,
                "offset": tile.offsets is not None,
                "requantize": tile.scales is not None,
                "shift": tile.shift,
            }
            x_sum = int(tile.x_sums[group, word])
            self.sums[self.cycle + 1] = tile.sums[group, word, term].tolist(), x_sum
            if word == words - 1:
                self._send("coefficients", tile.coefficients[group, term], config)
                if last_term and tile.offsets is not None:
                    self._send("offsets", tile.offsets[group], config)
                if last_term and last_group:
                    self._end(tile, config)
            self.cycle += max(config.digits, config.slots if word == words - 1 else 1)

    def _send(self, name: str, rows: np.ndarray, config: HardwareConfig) -> None:
        self.words[name] += rows.reshape(config.slots, config.scalers).tolist()

    def _end(self, tile: Tile, config: HardwareConfig) -> None:
        if tile.scales is not None:
            self._send("scales", tile.scales, config)
        rows: list[int | None] = [*tile.results(config.requantize_bits)]
        rows += [None] * (config.slots * config.scalers - config.pe)
        for slot in range(config.slots):
            part = rows[slot * config.scalers : (slot + 1) * config.scalers]
            self.due[self.cycle + latency(config) + slot] = (
                part,
                tile.last and slot == config.slots - 1,
            )


def latency(config: HardwareConfig) -> int:
    """Cycles from ``ends`` to the results of the first slot."""
    return 8 + config.requantize_cycles + config.gathers


@pytest.mark.parametrize("gap", [0.0, 0.2])
@pytest.mark.parametrize(
    ("pe", "act_bits", "digit", "k", "share"),
    [
        (1, 1, 1, 1, 0),
        (3, 1, 1, 2, 0),
        (4, 8, 1, 2, 0),
        (5, 3, 1, 2, 0),
        (7, 4, 1, 3, 0),
        (7, 5, 2, 2, 0),
        (3, 4, 4, 2, 0),
        (5, 3, 1, 2, 4),
        (7, 4, 4, 1, 3),
        (3, 1, 1, 1, 3),
    ],
)
def test_results(
    monkeypatch: pytest.MonkeyPatch,
    pe: int,
    act_bits: int,
    digit: int,
    k: int,
    share: int,
    gap: float,
) -> None:
    """Slots leave one a cycle; a step may end every ``digits``, a group every ``slots``."""
    config = HardwareConfig(
        k=k, pe=pe, lanes=4, act_bits=act_bits, act_signed=act_bits > 1, digit=digit,
        columns=64, coef_bits=9, share=share,
    )  # fmt: skip
    inline(monkeypatch, config)
    rng = np.random.default_rng(10 * pe + act_bits)
    traffic = Traffic()
    for number in range(9):
        traffic.add(random_tile(rng, config, number % 3 == 2), config, gap, rng)
    dut = Scaling(config)

    async def bench(ctx: SimulatorContext) -> None:
        for cycle in range(traffic.cycle + latency(config) + config.slots):
            ctx.set(dut.ends, cycle in traffic.ends)
            if cycle in traffic.ends:
                ctx.set(dut.ended, traffic.ends[cycle])
            if cycle in traffic.sums:
                sums, x_sum = traffic.sums[cycle]
                ctx.set(dut.sums, sums)
                ctx.set(dut.x_sum, x_sum)
            assert ctx.get(dut.valid) == (cycle in traffic.due), f"cycle {cycle}"
            if cycle in traffic.due:
                wanted, last = traffic.due[cycle]
                got = ctx.get(dut.results)
                assert got["last"] == last, f"cycle {cycle}"
                for value, want in zip(got["values"], wanted, strict=True):
                    assert want in (None, value), f"cycle {cycle}: got {value}, want {want}"
            reads = [name for name in traffic.words if ctx.get(getattr(dut, f"{name}_read"))]
            await ctx.tick()
            for name in reads:
                ctx.set(getattr(dut, name), traffic.words[name].pop(0))
        assert not any(traffic.words.values()), "some parameters were not read"

    simulate(dut, bench)
