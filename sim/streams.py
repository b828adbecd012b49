"""The ends of ready/valid streams: what a source offers and a sink takes, cycle by cycle."""

from collections import deque
from collections.abc import Iterable

import numpy as np


class Source:
    """Offer words in order, each until it is taken; pause before a word with a probability.

    Attributes
    ----------
    left : int
        Words not taken yet.
    """

    def __init__(self, words: Iterable[int], idle: float, rng: np.random.Generator) -> None:
        self._words = deque(words)
        self._idle = idle
        self._rng = rng
        self._offered = False

    @property
    def left(self) -> int:
        return len(self._words)

    def offer(self) -> int | None:
        """Begin a cycle: the word that is valid in it, or None."""
        if not self._offered and self._words:
            self._offered = not self._idle or self._rng.random() >= self._idle
        return self._words[0] if self._offered else None

    def end_cycle(self, ready: bool) -> bool:
        """End a cycle; return whether the word was taken in it."""
        taken = self._offered and ready
        if taken:
            self._words.popleft()
            self._offered = False
        return taken


class Sink:
    """Take words, refusing with a probability.

    Attributes
    ----------
    words : list of int
        Taken so far.
    """

    def __init__(self, stall: float, rng: np.random.Generator) -> None:
        self.words: list[int] = []
        self._stall = stall
        self._rng = rng
        self._ready = False

    def ready(self) -> bool:
        """Begin a cycle: whether a word is accepted in it."""
        self._ready = not self._stall or self._rng.random() >= self._stall
        return self._ready

    def end_cycle(self, word: int | None) -> bool:
        """End a cycle in which ``word`` was valid; return whether it was taken."""
        taken = self._ready and word is not None
        if taken and word is not None:
            self.words.append(word)
        return taken
