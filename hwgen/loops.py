"""Loops that count down, and know in registers whether they are at their end."""

from dataclasses import dataclass

from amaranth import Module, Mux, Signal, Value


@dataclass(frozen=True)
class Limit:
    """How often a loop runs.

    Attributes
    ----------
    rest : Value
        Once less.
    once, twice : Value
        Whether it runs once, or twice.
    """

    rest: Value
    once: Value
    twice: Value

    @classmethod
    def of(cls, times: Value) -> "Limit":
        """Return the limit of a loop that runs so many times, 1 or more."""
        return cls((times - 1)[: len(times)], times == 1, times == 2)

    @classmethod
    def kept(cls, m: Module, name: str, times: Value, when: Value) -> "Limit":
        """Return registers that take a limit."""
        limit, parts = cls.of(times), []
        for part in ("rest", "once", "twice"):
            value: Value = getattr(limit, part)
            kept = Signal(value.shape(), name=f"{name}_{part}", reset_less=True)
            with m.If(when):
                m.d.sync += kept.eq(value)
            parts.append(kept)
        return cls(*parts)

    def where(self, holds: Value, other: "Limit") -> "Limit":
        """Return this limit where a condition holds, else the other."""
        return Limit(
            Mux(holds, self.rest, other.rest),
            Mux(holds, self.once, other.once),
            Mux(holds, self.twice, other.twice),
        )


class Loop:
    """A loop. No comparison lies between its turn and what it says.

    Attributes
    ----------
    first, last, near : Signal
        It runs for the first time; for the last time; for the last time but one.
    """

    def __init__(self, m: Module, name: str, bits: int) -> None:
        self.first, self.last, self.near = (
            Signal(name=f"{name}_{flag}", reset_less=True) for flag in ("first", "last", "near")
        )
        self._m = m
        self._left = Signal(bits, name=f"{name}_left", reset_less=True)

    def count(self, turn: Value, again: Limit, begin: Value, start: Limit) -> None:
        """Go on at each turn, from the end on with the limit ``again``; or begin anew."""
        m, left = self._m, self._left
        with m.If(begin):
            m.d.sync += [
                self.first.eq(1), left.eq(start.rest),
                self.last.eq(start.once), self.near.eq(start.twice),
            ]  # fmt: skip
        with m.Elif(turn):
            m.d.sync += [
                self.first.eq(self.last), left.eq(Mux(self.last, again.rest, left - 1)),
                self.last.eq(Mux(self.last, again.once, self.near)),
                self.near.eq(Mux(self.last, again.twice, left == 2)),
            ]  # fmt: skip
