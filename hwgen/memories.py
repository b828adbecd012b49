"""Memories of words, for the blocks that FPGAs have of them."""

from amaranth import Module
from amaranth.lib.memory import Memory, ReadPort, WritePort

ATTRIBUTES = {"no_rw_check": 1, "ram_style": "block"}
"""No word is read in the cycle in which it is written: any kind of memory block will do."""


def word_memory(m: Module, width: int, depth: int) -> tuple[WritePort, ReadPort]:
    """Add a memory, and return its ports; a word follows its address by one cycle.

    Whoever reads must know that the word has been written in an earlier cycle.
    """
    m.submodules.words = words = Memory(shape=width, depth=depth, init=[], attrs=ATTRIBUTES)
    write = words.write_port()
    read = words.read_port()
    return write, read
