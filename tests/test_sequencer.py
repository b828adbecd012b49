"""Sequencer: its steps, waits and claims against plain nested loops."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.config import HardwareConfig
from hwgen.layouts import layer_layout
from hwgen.sequencer import Sequencer
from hwgen.tiling import Tiling

RESOURCES: tuple[str, ...] = ("word", "x", "coefficients", "offsets", "scales", "room")


@dataclass
class Layer:
    """What a word of the layer stream says."""

    tiling: Tiling
    monomials: list[int]
    offset: bool
    requantize: bool
    shift: int

    def word(self, config: HardwareConfig) -> int:
        tiling = self.tiling
        more = {"views": tiling.views} if config.views > 1 else {}
        const = layer_layout(config).const({
            **more,
            "row_tiles": tiling.row_tiles,
            "groups": tiling.groups,
            "group_words": tiling.group_words,
            "tail_words": tiling.tail_words,
            "terms": tiling.terms,
            "monomials": self.monomials,
            "offset": self.offset,
            "requantize": self.requantize,
            "shift": self.shift,
        })
        return const.as_value().value


@dataclass
class Step:
    """A step as the loops give it: its fields, its word's address, what it claims and reads."""

    fields: dict[str, int]
    address: int
    needs: set[str]
    reads_x: bool
    ends_layer: bool


def steps_of(layer: Layer) -> Iterator[Step]:
    """Walk the loops of a layer in their order; a view is a number of a term and its view."""
    tiling = layer.tiling
    for row_tile in range(tiling.row_tiles):
        address = 0
        for group in range(tiling.groups):
            last_group = group == tiling.groups - 1
            words = tiling.tail_words if last_group else tiling.group_words
            for word in range(words):
                for view, term in np.ndindex(tiling.views, tiling.terms):
                    last_view = view == tiling.views - 1
                    for digit in reversed(range(tiling.digits)):
                        first, last = digit == tiling.digits - 1, digit == 0
                        ends_sums = last and word == words - 1
                        ends_group = ends_sums and term == tiling.terms - 1
                        ends_row = ends_group and last_group
                        needs = {
                            "word": first and term == 0 and view == 0,
                            "x": first and term == 0 and row_tile == 0,
                            "coefficients": ends_sums,
                            "offsets": ends_group and layer.offset,
                            "scales": ends_row and layer.requantize,
                            "room": ends_row and (last_view or layer.requantize),
                        }
                        views = {"view": view, "last_view": last_view} if tiling.views > 1 else {}
                        fields = {
                            "digit": digit,
                            "first": first,
                            "last": last,
                            "mask": layer.monomials[term],
                            "term": term,
                            "last_term": term == tiling.terms - 1,
                            "first_word": word == 0,
                            "last_word": word == words - 1,
                            "first_group": group == 0,
                            "last_group": last_group,
                            "last_tile": row_tile == tiling.row_tiles - 1,
                            "offset": layer.offset,
                            "requantize": layer.requantize,
                            "shift": layer.shift,
                            **views,
                        }
                        yield Step(
                            fields,
                            address,
                            {name for name, need in needs.items() if need},
                            first and term == 0,
                            ends_row and last_view and row_tile == tiling.row_tiles - 1,
                        )
                    address += term == tiling.terms - 1


def random_layer(rng: np.random.Generator, config: HardwareConfig) -> Layer:
    """Make a layer that fits the circuit; often with one step in a loop."""
    words = config.buffer_words
    groups = int(rng.integers(1, min(3, words) + 1))
    views = int(rng.integers(1, min(config.views, words // groups) + 1))
    group_words = int(rng.integers(1, words // groups // views + 1))
    terms = int(rng.integers(1, config.most_terms + 1))
    tiling = Tiling(
        row_tiles=int(rng.integers(1, min(3, config.most_row_tiles) + 1)),
        groups=groups,
        group_words=group_words,
        tail_words=int(rng.integers(1, group_words + 1)),
        terms=terms,
        digits=config.digits,
        views=views,
    )
    monomials = rng.integers(1, 1 << config.k, config.most_terms).tolist()
    offset, requantize = (bool(flag) for flag in rng.random(2) < 0.5)
    return Layer(tiling, monomials, offset, requantize, int(rng.integers(0, 64)))


def run(
    config: HardwareConfig, layers: list[Layer], there: float, offered: float, seed: int = 1
) -> tuple[int, dict[str, int]]:
    """Compare every output in every cycle; return the cycles and how often each was claimed.

    ``there`` is how often each resource is available, ``offered`` how often a layer waits.
    """
    rng = np.random.default_rng(seed)
    dut = Sequencer(config)
    steps = [step for layer in layers for step in steps_of(layer)]
    words = [layer.word(config) for layer in layers]
    assert sum(layer.tiling.steps for layer in layers) == len(steps)
    claims = dict.fromkeys(RESOURCES, 0)
    cycles = 0

    async def bench(ctx: SimulatorContext) -> None:
        nonlocal cycles
        taken, walked = 0, 0  # layers that came; steps that were prepared
        waiting, walking, due = False, False, False
        at, free, ended = 0, 0, -config.slots
        while at < len(steps):
            offer = taken < len(words) and rng.random() < offered
            if offer:
                ctx.set(dut.i.payload, layer_layout(config).from_bits(words[taken]))
            ctx.set(dut.i.valid, offer)
            available = {name for name in RESOURCES if rng.random() < there}
            for name in RESOURCES:
                ctx.set(getattr(dut, f"{name}_available"), name in available)

            step = steps[at]
            ends_tile = "room" in step.needs and step.fields.get("last_view", True)
            pauses = "coefficients" in step.needs and config.gathers
            pauses = pauses and cycles < ended + config.slots
            leaves = ends_tile and cycles < free
            go = due and step.needs <= available and not leaves and not pauses
            where = f"step {at}, seed {seed}"
            assert ctx.get(dut.valid) == go, where
            for name in RESOURCES:
                claimed = ctx.get(getattr(dut, f"{name}_claim"))
                assert claimed == (go and name in step.needs), f"{name} at {where}"
                claims[name] += claimed
            assert ctx.get(dut.x_read) == (go and step.reads_x), where
            assert ctx.get(dut.x_done) == (go and step.ends_layer), where
            advance = walking and (not due or go)
            ends = advance and steps[walked].ends_layer
            take = waiting and (not walking or ends)
            ready = not waiting or take
            assert ctx.get(dut.i.ready) == ready, where
            if due:
                assert ctx.get(dut.address) == step.address, where
            if go:
                for name, want in step.fields.items():
                    got = ctx.get(dut.step[name])
                    assert got == want, f"{name} at {where}: got {got}, want {want}"
            if go and ends_tile and "scales" in step.needs and config.views > 1:
                free = cycles + (step.fields.get("view", 0) + 1) * config.slots
            if go and "coefficients" in step.needs:
                ended = cycles
            await ctx.tick()
            at += go
            walked += advance
            due = walking if go or not due else due
            walking = take or (walking and not ends)
            waiting = offer if ready else waiting
            taken += offer and ready
            cycles += 1

    simulate(dut, bench)
    return cycles, claims


CONFIGS = [
    HardwareConfig(k=2, pe=4, lanes=8, act_bits=3, columns=64, rows=16),
    HardwareConfig(k=1, pe=4, lanes=8, act_bits=1, act_signed=False, columns=8, rows=4),
    HardwareConfig(k=3, terms=7, pe=1, lanes=3, act_bits=2, columns=15, rows=9),
    HardwareConfig(k=2, pe=4, lanes=8, act_bits=5, digit=2, columns=64, rows=16),
    HardwareConfig(k=2, pe=4, lanes=8, act_bits=8, digit=8, columns=64, rows=16),
    HardwareConfig(k=1, pe=4, lanes=8, act_bits=3, columns=64, rows=16, views=3),
    HardwareConfig(k=2, pe=4, lanes=8, act_bits=8, digit=8, columns=64, rows=16, share=3),
    HardwareConfig(k=2, pe=6, lanes=8, act_bits=2, columns=64, rows=16, share=5, views=2),
]
IDS = ["A3", "A1", "T7", "A5 by 2", "A8 by 8", "V3", "S3", "S5"]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
def test_steps_waits_and_claims(config: HardwareConfig, seed: int) -> None:
    rng = np.random.default_rng(seed)
    layers = [random_layer(rng, config) for _ in range(4)]
    run(config, layers, 0.8, 0.5, seed)


@pytest.mark.parametrize("config", CONFIGS[:-3], ids=IDS[:-3])
def test_layers_follow_each_other_without_a_gap(config: HardwareConfig) -> None:
    """A step every cycle; the first, three cycles after its layer."""
    rng = np.random.default_rng(9)
    layers = [random_layer(rng, config) for _ in range(6)]
    cycles, _ = run(config, layers, 1.0, 1.0)
    assert cycles == 3 + sum(layer.tiling.steps for layer in layers)


def test_layers_of_a_single_step_back_to_back() -> None:
    config = CONFIGS[1]
    layers = [Layer(Tiling(1, 1, 1, 1, 1, 1), [1], bool(n & 1), bool(n & 2), n) for n in range(8)]
    cycles, claims = run(config, layers, 1.0, 1.0)
    assert cycles == 11
    assert claims == {
        "word": 8, "x": 8, "coefficients": 8, "offsets": 4, "scales": 4, "room": 8,
    }  # fmt: skip


@pytest.mark.parametrize("tail_words", [1, 2, 3])
def test_claims_of_a_layer(tail_words: int) -> None:
    """Two row tiles of three groups, three words each and fewer in the last, with two terms."""
    config = HardwareConfig(k=2, pe=4, lanes=8, act_bits=2, columns=9 * 8)
    tiling = Tiling(2, 3, 3, tail_words, 2, 2)
    cycles, claims = run(config, [Layer(tiling, [1, 2], True, True, 5)], 1.0, 1.0)
    words = 2 * (2 * 3 + tail_words)
    assert cycles - 3 == words * 2 * 2
    assert claims == {
        "word": words, "x": words // 2, "coefficients": 12, "offsets": 6, "scales": 2, "room": 2,
    }  # fmt: skip


@pytest.mark.parametrize("missing", RESOURCES)
def test_waits_for_each_resource(missing: str) -> None:
    """Without one resource, the sequencer stops at the first step that needs it."""
    config = CONFIGS[0]
    layer = Layer(Tiling(1, 2, 2, 1, 2, 3), [1, 3], True, True, 3)
    steps = list(steps_of(layer))
    stop = next(number for number, step in enumerate(steps) if missing in step.needs)
    dut = Sequencer(config)

    async def bench(ctx: SimulatorContext) -> None:
        ctx.set(dut.i.payload, layer_layout(config).from_bits(layer.word(config)))
        ctx.set(dut.i.valid, 1)
        for name in RESOURCES:
            ctx.set(getattr(dut, f"{name}_available"), name != missing)
        await ctx.tick().repeat(3)
        for _ in range(stop):
            assert ctx.get(dut.valid)
            await ctx.tick()
        for _ in range(3):
            assert not ctx.get(dut.valid)
            await ctx.tick()
        ctx.set(getattr(dut, f"{missing}_available"), 1)
        assert ctx.get(dut.valid)

    simulate(dut, bench)


def test_widest_layer_fits_its_word() -> None:
    """Each field holds the most that the configuration allows."""
    config = CONFIGS[2]
    most = Tiling(
        row_tiles=ceil(config.rows / config.pe),
        groups=config.buffer_words,
        group_words=config.buffer_words,
        tail_words=config.buffer_words,
        terms=config.most_terms,
        digits=config.digits,
    )
    monomials = list(range(1, 1 << config.k))
    word = layer_layout(config).from_bits(Layer(most, monomials, True, True, 62).word(config))
    assert [word[name] for name in ("row_tiles", "groups", "terms", "shift")] == [9, 5, 7, 62]
    assert word.group_words == word.tail_words == 5
    assert list(word.monomials) == monomials
