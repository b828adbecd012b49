"""Boolean functions as Liberty files write them, to be evaluated on words of bits."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.checks import require

Words = NDArray[np.uint64]
"""Bits of 64 sequences in each word."""

TOKEN = re.compile(r"\s*([A-Za-z_]\w*(?:\[\d+\])?|[01]|[()!'&*|+^])")


@dataclass(frozen=True)
class Function:
    """A function of pins.

    Attributes
    ----------
    text : str
    pins : tuple of str
        In the order in which the text first names them.
    evaluate : callable
        Takes the words of each pin.
    """

    text: str
    pins: tuple[str, ...]
    evaluate: Callable[[Mapping[str, Words]], Words]

    def truth(self, pins: tuple[str, ...]) -> int:
        """Return its truth table over up to six pins: bit ``n`` for the pins' values in ``n``."""
        rows = np.arange(1 << len(pins), dtype=np.uint64)
        columns = {pin: rows >> np.uint64(place) & np.uint64(1) for place, pin in enumerate(pins)}
        ones = self.evaluate(columns) & np.uint64(1)
        return sum(int(one) << row for row, one in enumerate(np.broadcast_to(ones, rows.shape)))


def parse(text: str) -> Function:
    """Parse a function: ``!`` and ``'``, ``&``, ``*`` or a space, ``^``, ``|`` and ``+``.

    Raises
    ------
    ValueError
        It is no such function.
    """
    tokens, place = [], 0
    while place < len(text.rstrip()):
        match = TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"function must have names and ! ' & * | + ^ ( ), got {text}")
        tokens.append(match[1])
        place = match.end()
    parser = _Parser(text, tokens)
    evaluate = parser.either()
    require(not parser.tokens, "function", "end after an operand", text)
    return Function(text, tuple(dict.fromkeys(parser.pins)), evaluate)


Evaluate = Callable[[Mapping[str, Words]], Words]


class _Parser:
    """Recursive descent: ``|`` binds least, then ``^``, then ``&``; in Liberty, as in C."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text, self.tokens, self.pins = text, tokens, list[str]()

    def either(self) -> Evaluate:
        left = self.differ()
        while self._next() in ("|", "+"):
            self.tokens.pop(0)
            left = _or(left, self.differ())
        return left

    def differ(self) -> Evaluate:
        left = self.both()
        while self._next() == "^":
            self.tokens.pop(0)
            left = _xor(left, self.both())
        return left

    def both(self) -> Evaluate:
        left = self.operand()
        while self._next() not in ("", "|", "+", "^", ")"):
            if self._next() in ("&", "*"):
                self.tokens.pop(0)
            left = _and(left, self.operand())
        return left

    def operand(self) -> Evaluate:
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "!":
            return _not(self.operand())
        if token == "(":
            value = self.either()
            require(self._next() == ")", "function", "close every (", self.text)
            self.tokens.pop(0)
        elif token in ("0", "1"):
            value = _constant(token == "1")
        else:
            require(token.isidentifier() or "[" in token, "function", "have operands", self.text)
            self.pins.append(token)
            value = _pin(token)
        while self._next() == "'":
            self.tokens.pop(0)
            value = _not(value)
        return value

    def _next(self) -> str:
        return self.tokens[0] if self.tokens else ""


def _or(a: Evaluate, b: Evaluate) -> Evaluate:
    return lambda pins: a(pins) | b(pins)


def _xor(a: Evaluate, b: Evaluate) -> Evaluate:
    return lambda pins: a(pins) ^ b(pins)


def _and(a: Evaluate, b: Evaluate) -> Evaluate:
    return lambda pins: a(pins) & b(pins)


def _not(a: Evaluate) -> Evaluate:
    return lambda pins: ~a(pins)


def _constant(one: bool) -> Evaluate:
    word = ~np.zeros(1, np.uint64) if one else np.zeros(1, np.uint64)
    return lambda pins: word


def _pin(name: str) -> Evaluate:
    return lambda pins: pins[name]
