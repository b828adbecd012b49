"""Scaler: turns the sums of words into the accumulators of rows."""

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import width_of


class Scaler(wiring.Component):
    """Add up words to groups, and groups times coefficients to rows, for ``slots`` rows in turn.

    Four stages, a row a cycle: ``value`` joins the group sum; one cycle later the group sum meets
    ``coefficient``, and ``x_sum`` meets ``offset``; one later the products join the row's total;
    one later ``total`` is that total. With ``exponents`` there is one more stage before the
    total, in which the products' sum is shifted. Each stage's controls come with it.

    Members
    -------
    value : In(signed ``dot_bits``), sum_slot, sum_term, sum_first, sum_valid : In
        A word's sum; where it belongs (``sum_term``: term and view); it begins the group; there is
        one.
    coefficient, offset : In(signed ``coef_bits``), x_sum : In(signed ``sum_bits``), use_offset
        Factors of the group sum and of the group's sum of activations.
    exponent : In
        With ``exponents``: the products count ``2**exponent`` times; a cycle after their factors.
    total_slot, total_first, total_valid : In
        Where the products belong; they begin the row; there are any.
    total : Out(signed ``acc_bits``)
    """

    value: Signal
    sum_slot: Signal
    sum_term: Signal
    sum_first: Signal
    sum_valid: Signal
    coefficient: Signal
    offset: Signal
    use_offset: Signal
    x_sum: Signal
    exponent: Signal
    total_slot: Signal
    total_first: Signal
    total_valid: Signal
    total: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        slot_bits = width_of(config.slots - 1)
        ports = {
            "value": In(signed(config.dot_bits)),
            "sum_slot": In(slot_bits),
            "sum_term": In(width_of(config.most_terms - 1) + config.view_bits),
            "sum_first": In(1),
            "sum_valid": In(1),
            "coefficient": In(signed(config.coef_bits)),
            "offset": In(signed(config.coef_bits)),
            "use_offset": In(1),
            "x_sum": In(signed(config.sum_bits)),
            "total_slot": In(slot_bits),
            "total_first": In(1),
            "total_valid": In(1),
            "total": Out(signed(config.acc_bits)),
        }
        if config.exponents:
            ports["exponent"] = In(width_of(config.exponents))
        return Signature(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        group_sum = Signal(signed(config.sum_bits))
        group_sum_held = Signal(signed(config.sum_bits), reset_less=True)
        product = Signal(signed(config.sum_bits + config.coef_bits), reset_less=True)
        x_product = Signal(signed(config.sum_bits + config.coef_bits), reset_less=True)
        row_total = Signal(signed(config.acc_bits))
        row_total_held = Signal(signed(config.acc_bits), reset_less=True)

        products: Value = product + x_product
        if config.exponents:
            shifted = Signal(signed(config.acc_bits), reset_less=True)
            m.d.sync += shifted.eq(products << self.exponent)
            products = shifted

        depth = 1 << (len(self.sum_slot) + len(self.sum_term))
        m.submodules.group_sums = group_sums = Memory(
            shape=signed(config.sum_bits), depth=depth, init=[]
        )
        m.submodules.totals = totals = Memory(
            shape=signed(config.acc_bits), depth=1 << len(self.total_slot), init=[]
        )
        old_sum = group_sums.read_port(domain="comb")
        new_sum = group_sums.write_port()
        old_total = totals.read_port(domain="comb")
        new_total = totals.write_port()

        m.d.comb += [
            old_sum.addr.eq(Cat(self.sum_slot, self.sum_term)),
            new_sum.addr.eq(old_sum.addr),
            new_sum.data.eq(group_sum),
            new_sum.en.eq(self.sum_valid),
            group_sum.eq(Mux(self.sum_first, 0, old_sum.data) + self.value),
            old_total.addr.eq(self.total_slot),
            new_total.addr.eq(self.total_slot),
            new_total.data.eq(row_total),
            new_total.en.eq(self.total_valid),
            row_total.eq(Mux(self.total_first, 0, old_total.data) + products),
            self.total.eq(row_total_held),
        ]

        m.d.sync += [
            group_sum_held.eq(group_sum),
            product.eq(self.coefficient * group_sum_held),
            x_product.eq(Mux(self.use_offset, self.offset * self.x_sum, 0)),
            row_total_held.eq(row_total),
        ]

        return m
