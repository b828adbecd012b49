"""Bit layouts that components and benches must agree on; all of them ask here."""

from amaranth import Shape, signed, unsigned
from amaranth.lib import data

from hwgen.config import HardwareConfig


def width_of(most: int) -> int:
    """Bits of an unsigned number up to ``most``."""
    return max(1, most.bit_length())


def weight_layout(config: HardwareConfig) -> data.ArrayLayout:
    """Weight word: for each PE, for each plane, one bit a lane."""
    return data.ArrayLayout(data.ArrayLayout(config.lanes, config.k), config.pe)


def activation_layout(config: HardwareConfig) -> data.StructLayout:
    """Activation word: one integer a lane; ``last`` ends the vector."""
    shape = signed(config.act_bits) if config.act_signed else unsigned(config.act_bits)
    return data.StructLayout({"values": data.ArrayLayout(shape, config.lanes), "last": 1})


def digit_layout(config: HardwareConfig) -> data.ArrayLayout:
    """One digit of each activation of a word."""
    low, high = config.digit_range
    return data.ArrayLayout(Shape.cast(range(low, high + 1)), config.lanes)


def parameter_layout(config: HardwareConfig) -> data.ArrayLayout:
    """Word of coefficients, offsets or row scales: one integer a scaler."""
    return data.ArrayLayout(signed(config.coef_bits), config.scalers)


def output_layout(config: HardwareConfig) -> data.StructLayout:
    """Output word: one accumulator, or requantized integer, a scaler; ``last`` ends the layer."""
    values = data.ArrayLayout(signed(config.acc_bits), config.scalers)
    return data.StructLayout({"values": values, "last": 1})


def layer_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe a layer: how often each loop runs, and what to do with its sums."""
    words = width_of(config.buffer_words)
    return data.StructLayout({
        "row_tiles": width_of(config.most_row_tiles),
        "groups": words,
        "group_words": words,
        "tail_words": words,
        "terms": width_of(config.most_terms),
        "monomials": data.ArrayLayout(config.k, config.most_terms),
        "offset": 1,
        "requantize": 1,
        "shift": 6,
    })
