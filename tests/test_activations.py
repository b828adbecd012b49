"""Activation buffer: cycle by cycle against lists of vectors."""

from collections import deque

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from streams import feeder, put, simulate

from hwgen.activations import ActivationBuffer
from hwgen.config import HardwareConfig
from hwgen.layouts import digit_layout

Word = list[int]


def config_of(
    words: int, lanes: int = 3, act_bits: int = 5, digit: int = 1, *, signed: bool = True
) -> HardwareConfig:
    signed = signed and act_bits > 1
    return HardwareConfig(
        lanes=lanes, act_bits=act_bits, act_signed=signed, digit=digit, columns=words * lanes
    )


def digits_of(word: Word, config: HardwareConfig) -> int:
    """Bits of the port: digit after digit, each lane after lane.

    The top digit is what is left of the activation, with its sign; single bits have none.
    """
    width = digit_layout(config).size // config.lanes
    bits, place = 0, 0
    for number in range(config.digits):
        for value in word:
            digit = value >> number * config.digit
            if number < config.digits - 1:
                digit %= 1 << config.digit
            bits |= digit % (1 << width) << place
            place += width
    return bits


def random_vectors(
    rng: np.random.Generator, config: HardwareConfig, lengths: list[int]
) -> list[list[Word]]:
    low, high = config.code_range
    return [rng.integers(low, high + 1, (length, config.lanes)).tolist() for length in lengths]


def run(
    config: HardwareConfig, vectors: list[list[Word]], busy: tuple[float, float, float], seed: int
) -> None:
    """Fill, claim and read at random.

    ``busy`` is how often words come, are claimed or read, and vectors done.
    """
    rng = np.random.default_rng(seed)
    dut = ActivationBuffer(config)
    depth = config.buffer_words
    to_come = deque((word, word is vector[-1], vector) for vector in vectors for word in vector)
    banks: deque[tuple[list[Word], list[Word]]] = deque()  # the whole vector, and what came in
    digits: int | None = None
    claimed = 0  # words of the vector that is read

    async def bench(ctx: SimulatorContext) -> None:
        nonlocal digits, claimed
        while to_come or banks:
            whole = [came for vector, came in banks if len(came) == len(vector)]
            filling = [came for vector, came in banks if len(came) < len(vector)]
            ready = len(whole) < 2 and (not filling or len(filling[0]) < depth)
            assert ctx.get(dut.i.ready) == ready, f"seed {seed}"
            if digits is not None:
                assert ctx.get(dut.digits.as_value()) == digits, f"seed {seed}"

            offer = bool(to_come) and rng.random() < busy[0]
            if offer:
                word, last, _ = to_come[0]
                ctx.set(dut.i.payload, {"values": word, "last": last})
            ctx.set(dut.i.valid, offer)
            came = banks[0][1] if banks else []
            available = claimed < len(came)
            assert ctx.get(dut.available) == available, f"seed {seed}"
            claim = available and rng.random() < busy[1]
            ctx.set(dut.claim, claim)
            claimed += claim
            address = int(rng.integers(0, max(1, claimed)))
            ctx.set(dut.address, address)
            read = claimed > 0 and rng.random() < busy[1]
            done = bool(banks) and len(came) == len(banks[0][0]) and rng.random() < busy[2]
            ctx.set(dut.read, read)
            ctx.set(dut.done, done)
            await ctx.tick()

            if read:
                digits = digits_of(came[address], config)
            if offer and ready:
                word, _, vector = to_come.popleft()
                if not filling:
                    banks.append((vector, []))
                banks[-1][1].append(word)
            if done:
                banks.popleft()
                claimed = 0

    simulate(dut, bench)


@pytest.mark.parametrize("busy", [(0.9, 0.9, 0.9), (0.9, 0.5, 0.05), (0.2, 0.9, 0.9)])
@pytest.mark.parametrize("words", [1, 2, 5, 8])
def test_random_vectors(words: int, busy: tuple[float, float, float]) -> None:
    """Nothing is lost or overwritten, and a word is available the cycle after it came."""
    rng = np.random.default_rng(words)
    config = config_of(words)
    lengths = [words, 1, *rng.integers(1, words + 1, 10).tolist(), words, words]
    run(config, random_vectors(rng, config, lengths), busy, words)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    ("lanes", "act_bits", "digit"),
    [
        (1, 1, 1), (1, 8, 1), (2, 2, 1), (8, 8, 1), (24, 3, 1),
        (1, 2, 2), (3, 5, 2), (8, 8, 2), (24, 8, 3), (5, 5, 4), (8, 7, 4), (2, 8, 8),
    ],
)  # fmt: skip
def test_digits(lanes: int, act_bits: int, digit: int, signed: bool) -> None:
    """A top digit of fewer bits is extended, with the sign if there is one."""
    rng = np.random.default_rng(lanes)
    config = config_of(3, lanes, act_bits, digit, signed=signed)
    extremes = [[[code] * lanes] for code in (*config.code_range, 0)]
    run(config, extremes + random_vectors(rng, config, [3, 2, 3]), (0.9, 0.9, 0.3), lanes)


def test_vectors_of_one_word_back_to_back() -> None:
    """One word comes, is read and is done in each cycle: there is never a gap."""
    config = config_of(2)
    dut = ActivationBuffer(config)
    rng = np.random.default_rng(1)
    words = [vector[0] for vector in random_vectors(rng, config, [1] * 20)]

    async def read(ctx: SimulatorContext) -> None:
        await ctx.tick().until(dut.i.ready & dut.i.valid)
        for word in words:
            ctx.set(dut.claim, 1)
            ctx.set(dut.read, 1)
            ctx.set(dut.done, 1)
            assert ctx.get(dut.available)
            await ctx.tick()
            assert ctx.get(dut.digits.as_value()) == digits_of(word, config)
        ctx.set(dut.claim, 0)
        ctx.set(dut.read, 0)
        ctx.set(dut.done, 0)
        assert not ctx.get(dut.available)

    feed = feeder(dut.i, [{"values": word, "last": 1} for word in words], 0.0, rng)
    simulate(dut, read, feed)


def test_only_words_of_the_vector_that_is_read_are_available() -> None:
    """A longer vector waits in the other bank meanwhile."""
    config = config_of(4)
    dut = ActivationBuffer(config)
    rng = np.random.default_rng(2)
    short, long = random_vectors(rng, config, [1, 4])

    async def read(ctx: SimulatorContext) -> None:
        await ctx.tick().repeat(8)
        ctx.set(dut.claim, 1)
        for vector in (short, long):
            for _ in vector:
                assert ctx.get(dut.available)
                await ctx.tick()
            ctx.set(dut.claim, 0)
            assert not ctx.get(dut.available)
            ctx.set(dut.done, 1)
            await ctx.tick()
            ctx.set(dut.claim, 1)
            ctx.set(dut.done, 0)

    words = [
        {"values": word, "last": word is vector[-1]} for vector in (short, long) for word in vector
    ]
    simulate(dut, read, feeder(dut.i, words, 0.0, rng))


def test_vector_longer_than_the_buffer_waits() -> None:
    """What does not fit overwrites nothing."""
    config = config_of(3)
    dut = ActivationBuffer(config)
    rng = np.random.default_rng(3)
    (vector,) = random_vectors(rng, config, [5])

    async def read(ctx: SimulatorContext) -> None:
        await ctx.tick().repeat(8)
        assert not ctx.get(dut.i.ready)
        for address in range(3):
            ctx.set(dut.address, address)
            ctx.set(dut.read, 1)
            await ctx.tick()
            assert ctx.get(dut.digits.as_value()) == digits_of(vector[address], config)

    async def feed(ctx: SimulatorContext) -> None:
        for word in vector[:3]:
            await put(ctx, dut.i, {"values": word, "last": 0})
        ctx.set(dut.i.payload, {"values": vector[3], "last": 0})
        ctx.set(dut.i.valid, 1)

    simulate(dut, read, feed)
