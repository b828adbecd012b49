"""Division by a power of two that is known when the circuit is made, rounded and saturated."""

from amaranth import Mux, Value

from models.integers import code_range


def requantized(value: Value, shift: int, bits: int) -> Value:
    """Return ``value / 2**shift``, halves towards plus infinity, saturated to signed ``bits``.

    As :func:`models.exact.requantize` has it. ``value`` is signed.
    """
    if shift:
        value = (value + (1 << (shift - 1))) >> shift
    low, high = code_range(bits, signed=True)
    return Mux(value < low, low, Mux(value > high, high, value))
