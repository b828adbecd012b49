"""Vectors on a stream: words of a few signed integers each, the last one marked."""

from amaranth import signed
from amaranth.lib import data


def vector_layout(lanes: int, bits: int) -> data.StructLayout:
    """Describe a word of a vector: ``lanes`` two's complement integers of so many bits."""
    return data.StructLayout({"values": data.ArrayLayout(signed(bits), lanes), "last": 1})
