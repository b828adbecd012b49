"""Array: the sums of random steps against plain ones, at the cycles that the docstring names."""

from dataclasses import dataclass

import numpy as np
import pytest
from amaranth.sim import SimulatorContext
from inlined import inline
from streams import simulate

from hwgen.array import PEArray
from hwgen.config import HardwareConfig


@dataclass
class Word:
    """A weight word with its activations and one of its terms.

    Attributes
    ----------
    weights : {0, 1}, (pe, k, lanes)
    x : integers, (lanes,)
    mask : int
    """

    weights: np.ndarray
    x: np.ndarray
    mask: int

    def sums(self) -> list[int]:
        chosen = [plane for plane in range(self.weights.shape[1]) if self.mask >> plane & 1]
        return (self.weights[:, chosen].min(axis=1) @ self.x).tolist()


def random_words(rng: np.random.Generator, config: HardwareConfig, count: int) -> list[Word]:
    low, high = config.code_range
    return [
        Word(
            rng.integers(0, 2, (config.pe, config.k, config.lanes)),
            rng.integers(low, high + 1, config.lanes),
            int(rng.integers(1, 1 << config.k)),
        )
        for _ in range(count)
    ]


def bits_of(values: np.ndarray) -> int:
    """Return bits, the first the least significant, as an integer."""
    return int("".join(map(str, values.reshape(-1)[::-1])), 2)


@pytest.mark.parametrize("gap", [0.0, 0.4])
@pytest.mark.parametrize(
    ("pe", "lanes", "k", "act_bits", "digit"),
    [
        (1, 1, 1, 1, 1), (3, 5, 2, 2, 1), (2, 8, 3, 5, 1), (4, 3, 1, 8, 1),
        (1, 1, 1, 2, 2), (3, 5, 2, 5, 2), (2, 8, 3, 8, 3), (4, 3, 1, 8, 4), (2, 5, 2, 8, 8),
    ],
)  # fmt: skip
def test_sums(
    monkeypatch: pytest.MonkeyPatch,
    pe: int,
    lanes: int,
    k: int,
    act_bits: int,
    digit: int,
    gap: float,
) -> None:
    """Sums follow six cycles after the last step, announced one before, for ``digits``."""
    config = HardwareConfig(
        k=k, pe=pe, lanes=lanes, act_bits=act_bits, act_signed=act_bits > 1, digit=digit,
        columns=lanes,
    )  # fmt: skip
    top = config.digits - 1
    inline(monkeypatch, config)
    rng = np.random.default_rng(pe)
    words = random_words(rng, config, 12)
    issued: dict[int, tuple[Word, int]] = {}
    cycle = 0
    for word in words:
        for number in reversed(range(config.digits)):
            while rng.random() < gap:
                cycle += 1
            issued[cycle] = word, number
            cycle += 1
    ends = {at: word for at, (word, number) in issued.items() if number == 0}
    dut = PEArray(config)

    async def bench(ctx: SimulatorContext) -> None:
        for now in range(cycle + 6):
            ctx.set(dut.valid, now in issued)
            if now in issued:
                word, number = issued[now]
                step = {"digit": number, "first": number == top, "last": number == 0}
                ctx.set(dut.step, step | {"mask": word.mask, "shift": now % 64})
            if now - 1 in issued:
                word, _ = issued[now - 1]
                digits = word.x >> digit * np.arange(config.digits)[:, np.newaxis]
                digits[: None if digit == 1 else -1] %= 1 << digit
                ctx.set(dut.digits, digits.tolist())
            if now - 2 in issued:
                word, _ = issued[now - 2]
                ctx.set(dut.weights.as_value(), bits_of(word.weights))
            assert ctx.get(dut.ends) == (now - 5 in ends), f"cycle {now}"
            if now - 5 in ends:
                assert ctx.get(dut.ended.shift) == (now - 5) % 64
            latest = next(
                (at for at in range(now - 6, now - 6 - config.digits, -1) if at in ends), None
            )
            if latest is not None:
                assert list(ctx.get(dut.sums)) == ends[latest].sums(), f"cycle {now}"
                assert ctx.get(dut.x_sum) == ends[latest].x.sum(), f"cycle {now}"
            await ctx.tick()

    simulate(dut, bench)
