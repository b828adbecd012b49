"""Parameter buffer: cycle by cycle against a queue, under traffic of all kinds."""

from collections import deque

import numpy as np
import pytest
from amaranth.lib import data
from amaranth.sim import SimulatorContext
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import simulate

from hwgen.buffer import ParameterBuffer

LAYOUT = data.ArrayLayout(4, 3)
Cycle = tuple[bool, bool, bool]
"""Whether a word is offered, a bundle is wanted, and a word is read, as far as may be."""


def run(bundle: int, bundles: int, traffic: list[Cycle]) -> tuple[int, int]:
    """Compare every output in every cycle with a queue; return words taken and words read."""
    dut = ParameterBuffer(LAYOUT, bundle, bundles)
    taken, claimed, given = 0, 0, 0
    waiting: deque[list[int]] = deque()
    word: list[int] | None = None

    async def bench(ctx: SimulatorContext) -> None:
        nonlocal taken, claimed, given, word
        for cycle, (offer, claim, read) in enumerate(traffic):
            at = f"cycle {cycle} of {traffic}"
            ready, available = len(waiting) < bundle * bundles, claimed < taken // bundle
            assert ctx.get(dut.i.ready) == ready, at
            assert ctx.get(dut.available) == available, at
            if word is not None:
                assert list(ctx.get(dut.word)) == word, at
            payload = [taken % 16, taken // 16 % 16, cycle % 16]
            claimed += claim and available
            reads = read and given < claimed * bundle
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, offer)
            ctx.set(dut.claim, claim and available)
            ctx.set(dut.read, reads)
            await ctx.tick()
            if reads:
                word = waiting.popleft()
                given += 1
            if offer and ready:
                waiting.append(payload)
                taken += 1

    simulate(dut, bench)
    return taken, given


SHAPES = [(1, 1), (1, 2), (1, 5), (2, 1), (3, 1), (3, 2), (4, 3)]


@pytest.mark.parametrize(("bundle", "bundles"), SHAPES)
@pytest.mark.parametrize(
    "busy", [(0.5, 0.5, 0.5), (0.9, 0.9, 0.9), (0.9, 0.9, 0.2), (0.2, 0.9, 0.9)]
)
def test_random_traffic(bundle: int, bundles: int, busy: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(bundle * bundles)
    traffic = [(bool(a), bool(b), bool(c)) for a, b, c in rng.random((200, 3)) < busy]
    taken, given = run(bundle, bundles, traffic)
    assert taken > 20
    assert given > 10


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from(SHAPES),
    traffic=st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), max_size=30),
)
def test_any_traffic(shape: tuple[int, int], traffic: list[Cycle]) -> None:
    run(*shape, traffic)


@pytest.mark.parametrize(("bundle", "bundles"), SHAPES)
def test_holds_depth_words_and_no_more(bundle: int, bundles: int) -> None:
    depth = bundle * bundles
    fill, drain = [(True, False, False)] * (depth + 3), [(False, True, True)] * (depth + 3)
    assert run(bundle, bundles, fill) == (depth, 0)
    assert run(bundle, bundles, fill + drain + fill + drain) == (2 * depth, 2 * depth)


@pytest.mark.parametrize(("bundle", "bundles"), [(1, 2), (3, 2), (4, 3)])
def test_one_word_comes_and_one_goes_each_cycle(bundle: int, bundles: int) -> None:
    """A bundle can be claimed in the cycle after its last word came in."""
    cycles = 50
    assert run(bundle, bundles, [(True, True, True)] * cycles) == (cycles, cycles - bundle)
