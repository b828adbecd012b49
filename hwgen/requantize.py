"""Requantizer: an accumulator times its row's scale, shifted, rounded and saturated."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.multiply import PART, added, partial_products
from hwgen.tree import delay
from models.integers import code_range

SHIFTS = ((32, 16, 8), (4, 2, 1))
"""By how much each of two cycles can shift."""


class Requantizer(wiring.Component):
    """Divide by ``2**shift``, halves towards plus infinity, and saturate.

    Also passes accumulators on as they are; without ``requantize_bits``, nothing else. Takes one a
    cycle; its result follows ``config.requantize_cycles`` later: operands, partial products, their
    sums in two cycles, shifts in two, result.

    Members
    -------
    total : In(signed ``acc_bits``)
    scale : In(signed ``coef_bits``)
    shift : In(6)
    enable : In(1)
        Requantize; otherwise pass on.
    result : Out(signed ``acc_bits``)
    """

    total: Signal
    scale: Signal
    shift: Signal
    enable: Signal
    result: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "total": In(signed(config.acc_bits)),
            "scale": In(signed(config.coef_bits)),
            "shift": In(6),
            "enable": In(1),
            "result": Out(signed(config.acc_bits)),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        result = Signal(signed(config.acc_bits), name="result_held", reset_less=True)
        m.d.comb += self.result.eq(result)
        if not config.requantize_bits:
            m.d.sync += result.eq(self.total)
            return m

        # What is passed on is multiplied by 1, and leaves before it is shifted.
        factor = Mux(self.enable, self.scale, 1)
        product = self._product(m, delay(m, "total_held", self.total), delay(m, "factor", factor))
        raw = delay(m, "raw", product[: config.acc_bits].as_signed(), 2)
        shift, enable = delay(m, "shift", self.shift, 4), delay(m, "enable", self.enable, 6)

        bits = config.requantize_bits
        low, high = code_range(bits, signed=True)
        halves, sign, fits = self._shifted(m, product, shift, bits + 1)
        rounded = (halves + 1) >> 1
        bound = Mux(sign, low, high)
        saturated = Mux(fits & (rounded != high + 1), rounded, bound)
        m.d.sync += result.eq(Mux(enable, saturated, raw))
        return m

    def _product(self, m: Module, total: Value, scale: Value) -> Value:
        """Multiply in parts; three cycles."""
        config = self.config
        parts = partial_products(m, "part", total, scale)
        pairs = [delay(m, f"pair_{n}", added(parts[n : n + 2])) for n in range(0, len(parts), 2)]
        whole = sum((p << 2 * PART for p in pairs[1:]), pairs[0])
        product = Signal(signed(config.acc_bits + config.coef_bits), reset_less=True)
        m.d.sync += product.eq(whole)
        return product

    @staticmethod
    def _shifted(m: Module, value: Value, shift: Value, bits: int) -> tuple[Value, Value, Value]:
        """Shift twice a value to the right; two cycles.

        Returns the lowest bits, the sign, and whether those bits are all of the number. Bits that
        no shift to come can bring down among them need only be looked at, not shifted.
        """
        word: Value = Cat(Const(0, 1), value)
        sign, fits = value[-1], Const(1, 1)
        left = sum(map(sum, SHIFTS))
        for cycle, amounts in enumerate(SHIFTS):
            for amount in amounts:
                left -= amount
                down = Cat(word, sign.replicate(amount))[amount:]
                word = Mux(shift[amount.bit_length() - 1], down, word)
                width = min(len(word), bits + left)
                fits = fits & (word[width - 1 :] == sign.replicate(len(word) - width + 1))
                word = word[:width]
            word, sign, fits, shift = (
                delay(m, f"{name}_{cycle}", part)
                for name, part in
                (("word", word), ("sign", sign), ("fits", fits), ("shift_later", shift))
            )  # fmt: skip
        return word.as_signed(), sign, fits
