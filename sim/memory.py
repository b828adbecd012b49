"""A memory of finite bandwidth and latency behind the circuit: see ``memory.cpp``."""

from ctypes import Structure, c_uint64, c_void_p
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from models.checks import require

REPLAYED = 0x80
"""Mark of a word that comes from a buffer that has it already."""


@dataclass(frozen=True)
class Memory:
    """What a memory can do, in cycles of the circuit.

    Words are read in the order in which the circuit needs them, as far ahead as buffers have room.

    Attributes
    ----------
    rate : float
        Bytes a cycle, while it transfers.
    latency : int
        Cycles from the end of a word's transfer until the circuit can have it: the way through
        the memory's controller and the array's access time.
    ahead : int
        Words of each stream that can wait outside the circuit, besides those on their way; with
        2, one is used while the next one comes.
    row_bytes, row_cycles : int
        So often a row of the memory is opened, and what that costs.
    refresh_every, refresh_cycles : int
        So often the memory is refreshed, and for how long.
    """

    rate: float
    latency: int = 0
    ahead: int = 2
    row_bytes: int = 0
    row_cycles: int = 0
    refresh_every: int = 0
    refresh_cycles: int = 0

    def __post_init__(self) -> None:
        require(0 < self.rate < 2**24, "memory rate", "be above 0 bytes a cycle", self.rate)
        for name in ("latency", "row_bytes", "row_cycles", "refresh_every", "refresh_cycles"):
            value = getattr(self, name)
            require(value >= 0, f"memory {name}", "be 0 or more", value)
        require(self.ahead >= 1, "memory ahead", "be 1 word or more", self.ahead)
        share = self.refresh_cycles < self.refresh_every or self.refresh_cycles == 0
        rule = f"be under refresh_every, {self.refresh_every}"
        require(share, "memory refresh_cycles", rule, self.refresh_cycles)

    @property
    def sustained(self) -> float:
        """Bytes a cycle in the long run: rows opened and refreshes counted."""
        share = 1 - self.refresh_cycles / self.refresh_every if self.refresh_every else 1.0
        return share / self._cycles_per_byte

    @property
    def _cycles_per_byte(self) -> float:
        """Without refreshes."""
        return 1 / self.rate + (self.row_cycles / self.row_bytes if self.row_bytes else 0.0)

    def room(self, word: int, tile: int) -> int:
        """Words of a stream that can be on their way or waiting.

        Parameters
        ----------
        word : int
            Bytes of one.
        tile : int
            Words of a row tile that is read while the one before it is worked on.
        """
        return max(self.ahead, tile) + ceil(self.latency * self.rate / word)

    def cycles(self, transferred: int) -> int:
        """Cycles of a transfer of so many bytes that begins with a refresh, as a run does."""
        busy = transferred * self._cycles_per_byte
        refreshes = busy / (self.refresh_every - self.refresh_cycles) if self.refresh_every else 0
        return ceil(busy) + ceil(refreshes) * self.refresh_cycles


class MemoryState(Structure):
    """The structure ``Memory`` of ``memory.cpp``."""

    _fields_ = (
        ("order", c_void_p), ("arrives", c_void_p),
        ("words", c_uint64), ("requested", c_uint64), ("landed", c_uint64),
        ("latency", c_uint64),
        ("rate", c_uint64), ("credit", c_uint64),
        ("row_bytes", c_uint64), ("row_cycles", c_uint64),
        ("row_used", c_uint64), ("opening", c_uint64),
        ("refresh_every", c_uint64), ("refresh_cycles", c_uint64),
    )  # fmt: skip


class Behind:
    """A memory at the beginning of a run.

    Parameters
    ----------
    order : uint8, (words,)
        The source of each word, in the order in which they are transferred.
    tile_words : integers, (sources,)
        See :meth:`Memory.room`.

    Attributes
    ----------
    spec : Memory
    tile_words : integers, (sources,)
    sources : set of int
        Those in the order.
    state : MemoryState
        It is used up by a run.
    """

    def __init__(
        self, memory: Memory, order: NDArray[np.uint8], tile_words: NDArray[np.int64]
    ) -> None:
        self.spec = memory
        self.tile_words = tile_words
        self.sources = set(np.unique(order & ~np.uint8(REPLAYED)).tolist())
        self._order = np.ascontiguousarray(order)
        self._arrives = np.zeros(len(order), np.uint64)
        self.state = MemoryState(
            order=self._order.ctypes.data,
            arrives=self._arrives.ctypes.data,
            words=len(order),
            latency=memory.latency,
            rate=round(memory.rate * 2**32),
            row_bytes=memory.row_bytes,
            row_cycles=memory.row_cycles,
            refresh_every=memory.refresh_every,
            refresh_cycles=memory.refresh_cycles,
        )
