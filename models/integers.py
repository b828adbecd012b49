"""Integer formats: their ranges and widths."""

MOST_COLUMNS = (1 << 17) - 1
"""An int32 holds the sum of this many products of two int8."""


def code_range(bits: int, signed: bool) -> tuple[int, int]:
    """Smallest and largest value of a two's complement or unsigned integer."""
    if signed:
        return -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1


def code_magnitude(bits: int, signed: bool) -> int:
    """Largest magnitude of such an integer."""
    low, high = code_range(bits, signed)
    return max(-low, high)


def signed_bits(magnitude: int) -> int:
    """Width of the signed integer that holds everything from ``-magnitude`` to ``magnitude``."""
    return magnitude.bit_length() + 1
