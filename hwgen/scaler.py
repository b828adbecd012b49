"""Scaler: turns the sums of words, or of groups, into the accumulators of rows."""

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out, Signature

from hwgen.config import HardwareConfig
from hwgen.layouts import width_of
from hwgen.multiply import added, partial_products
from hwgen.tree import delay


class Scaler(wiring.Component):
    """Add up words to groups, and groups times coefficients to rows, for ``slots`` rows in turn.

    Seven stages, a row a cycle: where the value belongs; ``value`` joins the group sum; that, its
    coefficient, ``x_sum`` and its offset travel to the multipliers; they meet there, in parts; the
    two products' parts are added; these are; they join the row's total.
    With ``exponents`` there is one more, in which they are shifted. Where rows gather their groups
    themselves, values are group sums.

    Members
    -------
    sum_slot, sum_term, sum_first, sum_valid : In
        Where the next cycle's value belongs (``sum_term``: term and view); it begins the group;
        there is one. Not where rows gather.
    value : In(signed ``dot_bits``; ``sum_bits`` where rows gather)
    coefficient, offset : In(signed ``coef_bits``), use_offset : In(1)
        Factors of the group sum and, if it is used, of the group's sum of activations: with the
        value.
    x_sum : In(signed ``sum_bits``)
        Two cycles after the value.
    exponent : In
        With ``exponents``: the products count ``2**exponent`` times; five cycles after the value.
    total_slot, total_first, total_valid : In
        Where the products belong; they begin the row; there are any. Four cycles after the value,
        five with ``exponents``.
    total : Out(signed ``acc_bits``)
        Six cycles after the value, seven with ``exponents``.
    """

    sum_slot: Signal
    sum_term: Signal
    sum_first: Signal
    sum_valid: Signal
    value: Signal
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
            "value": In(signed(config.sum_bits if config.gathers else config.dot_bits)),
            "coefficient": In(signed(config.coef_bits)),
            "offset": In(signed(config.coef_bits)),
            "use_offset": In(1),
            "x_sum": In(signed(config.sum_bits)),
            "total_slot": In(slot_bits),
            "total_first": In(1),
            "total_valid": In(1),
            "total": Out(signed(config.acc_bits)),
        }
        if not config.gathers:
            ports |= {
                "sum_slot": In(slot_bits),
                "sum_term": In(width_of(config.most_terms - 1) + config.view_bits),
                "sum_first": In(1),
                "sum_valid": In(1),
            }
        if config.exponents:
            ports["exponent"] = In(width_of(config.exponents))
        return Signature(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config

        group_sum: Value = self.value
        if not config.gathers:
            where = Cat(self.sum_slot, self.sum_term), self.sum_first, self.sum_valid
            group_sum = self._joined(m, "group_sums", where, self.value, config.sum_bits)
        group_sum = delay(m, "group_sum", group_sum, 2)
        coefficient = delay(m, "coefficient_held", self.coefficient, 2)
        offset = delay(m, "offset_held", Mux(self.use_offset, self.offset, 0), 2)
        both = zip(
            partial_products(m, "product", group_sum, coefficient),
            partial_products(m, "x_product", self.x_sum, offset),
            strict=True,
        )
        parts = [delay(m, f"both_{n}", sum(pair)) for n, pair in enumerate(both)]
        products = delay(m, "products", added(parts))
        if config.exponents:
            shifted = Signal(signed(config.acc_bits), reset_less=True)
            m.d.sync += shifted.eq(products << self.exponent)
            products = shifted
        where = self.total_slot, self.total_first, self.total_valid
        total = self._joined(m, "totals", where, products, config.acc_bits)
        m.d.comb += self.total.eq(delay(m, "row_total", total))

        return m

    def _joined(
        self, m: Module, name: str, where: tuple[Value, Value, Value], value: Value, bits: int
    ) -> Value:
        """Return a value plus what is kept in its place, which it becomes.

        ``where`` has the place, whether nothing is there yet, and whether there is a value; it
        comes one cycle before the value. What is kept is read then, unless each value may go to the
        same place.
        """
        early, first, valid = where
        m.submodules[name] = kept = Memory(shape=signed(bits), depth=1 << len(early), init=[])
        signature = ReadPort.Signature(addr_width=len(early), shape=signed(bits))
        read = ReadPort(signature, memory=kept, domain="comb", path=(f"{name}_read",))
        write = kept.write_port()
        joined = Signal(signed(bits), name=f"{name}_next")
        place = delay(m, f"{name}_place", early)
        if self.config.slots == 1:
            m.d.comb += read.addr.eq(place)
            before = Mux(delay(m, f"{name}_first", first), 0, read.data)
        else:
            m.d.comb += read.addr.eq(early)
            before = delay(m, f"{name}_before", Mux(first, 0, read.data))
        writes = Signal(name=f"{name}_valid")
        m.d.sync += writes.eq(valid)
        m.d.comb += [
            joined.eq(before + value),
            write.addr.eq(place), write.data.eq(joined), write.en.eq(writes),
        ]  # fmt: skip
        return joined
