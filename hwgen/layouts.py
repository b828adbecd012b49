"""Bit layouts that components and benches must agree on; all of them ask here."""

from amaranth import Shape, signed, unsigned
from amaranth.lib import data

from hwgen.config import HardwareConfig
from hwgen.patterns import entry_range, patterns
from hwgen.weights import row_layout


def width_of(most: int) -> int:
    """Bits of an unsigned number up to ``most``."""
    return max(1, most.bit_length())


def weight_layout(config: HardwareConfig) -> data.ArrayLayout:
    """Weight word: the weights of each PE's row."""
    return data.ArrayLayout(row_layout(config), config.pe)


def activation_layout(config: HardwareConfig) -> data.StructLayout:
    """Activation word: one integer a lane; ``last`` ends the vector.

    With ``exponents``, that of the word's group. With ``link``, whether the vector that follows the
    last word is that of the results of the layer that reads this one.
    """
    shape = signed(config.act_bits) if config.act_signed else unsigned(config.act_bits)
    fields: dict[str, object] = {"values": data.ArrayLayout(shape, config.lanes), "last": 1}
    if config.exponents:
        fields["exponent"] = width_of(config.exponents)
    if config.link:
        fields["link"] = 1
    return data.StructLayout(fields)


def digit_layout(config: HardwareConfig) -> data.ArrayLayout:
    """One digit of each activation of a word."""
    low, high = config.digit_range
    return data.ArrayLayout(Shape.cast(range(low, high + 1)), config.lanes)


def operand_layout(config: HardwareConfig) -> data.ArrayLayout:
    """Operands that all processing elements share: digits of activations, or lut's tables of them.

    A table has the sums of codes 1 and up; that of code 0 is 0.
    """
    if config.kind != "lut":
        return digit_layout(config)
    low, high = entry_range(config)
    sums = data.ArrayLayout(Shape.cast(range(low, high + 1)), len(patterns(config)) - 1)
    return data.ArrayLayout(sums, config.table_groups)


def parameter_layout(config: HardwareConfig) -> data.ArrayLayout:
    """Word of coefficients, offsets or row scales: one integer a scaler."""
    return data.ArrayLayout(signed(config.coef_bits), config.scalers)


def output_layout(config: HardwareConfig) -> data.StructLayout:
    """Output word: one accumulator, or requantized integer, a scaler; ``last`` ends the layer.

    With ``link``, whether it is an activation of the next layer, and stays inside.
    """
    values = data.ArrayLayout(signed(config.acc_bits), config.scalers)
    return data.StructLayout({"values": values, "last": 1, **({"link": 1} if config.link else {})})


def layer_layout(config: HardwareConfig) -> data.StructLayout:
    """Describe a layer: how often each loop runs, and what to do with its sums.

    A monomial has the planes of a term; but for popcount, a single one: which weight of the word.
    With ``link``, whether results stay inside, and how many words of each view's activations they
    make.
    """
    words = width_of(config.buffer_words)
    fields = {
        "row_tiles": width_of(config.most_row_tiles),
        "groups": words,
        "group_words": words,
        "tail_words": words,
        "terms": width_of(config.most_terms),
        "monomials": data.ArrayLayout(config.weights, config.most_terms),
        "offset": 1,
        "requantize": 1,
        "shift": 6,
    }
    if config.views > 1:
        fields["views"] = width_of(config.views)
    if config.link:
        fields |= {"link": 1, "link_words": words}
    return data.StructLayout(fields)
