"""Requantizer: an accumulator times its row's scale, shifted, rounded and saturated."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from models.integers import code_range


class Requantizer(wiring.Component):
    """Divide by ``2**shift``, halves towards plus infinity, and saturate.

    Also passes accumulators on as they are; without ``requantize_bits``, nothing else. Takes one a
    cycle; its result follows two later.

    Members
    -------
    total : In(signed ``acc_bits``)
    scale : In(signed ``coef_bits``)
    shift : In(6)
        Comes one cycle after ``total``, as does ``enable``.
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

        total_held = Signal(signed(config.acc_bits), reset_less=True)
        result_held = Signal(signed(config.acc_bits), reset_less=True)
        m.d.comb += self.result.eq(result_held)
        m.d.sync += total_held.eq(self.total)
        m.d.sync += result_held.eq(total_held)

        if config.requantize_bits:
            product_bits = config.acc_bits + config.coef_bits
            low, high = code_range(config.requantize_bits, signed=True)
            product = Signal(signed(product_bits), reset_less=True)
            halves = Signal(signed(product_bits + 1))
            rounded = Signal(signed(product_bits + 1))
            saturated = Signal(signed(config.acc_bits))

            m.d.comb += [
                halves.eq((product << 1) >> self.shift),
                rounded.eq((halves + 1) >> 1),
                saturated.eq(Mux(rounded < low, low, Mux(rounded > high, high, rounded))),
            ]
            m.d.sync += product.eq(self.total * self.scale)
            with m.If(self.enable):
                m.d.sync += result_held.eq(saturated)

        return m
