"""Register block: what reads and writes of a bus mean, the flags that stay, and the interrupt."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, Signature

from hwgen.axi_lite import ADDRESS_BITS
from hwgen.config import HardwareConfig
from hwgen.layer_queue import descriptor_layout
from hwgen.layouts import width_of
from hwgen.registers import COMMANDS, ERRORS, REFUSALS, Register, register_map
from hwgen.run_control import COUNTERS_LAYOUT

COMMANDS_LAYOUT = data.StructLayout(dict.fromkeys(COMMANDS, 1))
ERRORS_LAYOUT = data.StructLayout(dict.fromkeys(ERRORS, 1))


class RegisterBlock(wiring.Component):
    """Do reads and writes in the cycle in which they come.

    Members
    -------
    write : In(1), write_address : In(12), write_data : In(32), write_strobe : In(4)
        Bytes without a strobe keep what they were, and count as 0 for commands and flags.
    write_refused : Out(1)
        That write must not be done, and was not.
    read : In(1), read_address : In(12), read_data : Out(32), read_refused : Out(1)
    commands : Out(``COMMANDS_LAYOUT``)
        For one cycle each.
    descriptor : Out(``descriptor_layout(config)``)
    fits : In(1), full : In(1), level : In
        Of the queue.
    running : In(1), counters : In(``COUNTERS_LAYOUT``), limit : Out(32)
        Of the run.
    done, vector, misplaced, stuck : In(1)
        It happens in this cycle.
    irq : Out(1)
        High while an event is pending and enabled.
    """

    write: Signal
    write_address: Signal
    write_data: Signal
    write_strobe: Signal
    write_refused: Signal
    read: Signal
    read_address: Signal
    read_data: Signal
    read_refused: Signal
    commands: data.View
    descriptor: data.View
    fits: Signal
    full: Signal
    level: Signal
    running: Signal
    counters: data.View
    limit: Signal
    done: Signal
    vector: Signal
    misplaced: Signal
    stuck: Signal
    irq: Signal

    def __init__(self, config: HardwareConfig) -> None:
        self.config = config
        super().__init__(self.ports(config))

    @staticmethod
    def ports(config: HardwareConfig) -> Signature:
        """Return the ports, from outside to inside."""
        return Signature({
            "write": In(1),
            "write_address": In(ADDRESS_BITS),
            "write_data": In(32),
            "write_strobe": In(4),
            "write_refused": Out(1),
            "read": In(1),
            "read_address": In(ADDRESS_BITS),
            "read_data": Out(32),
            "read_refused": Out(1),
            "commands": Out(COMMANDS_LAYOUT),
            "descriptor": Out(descriptor_layout(config)),
            "fits": In(1),
            "full": In(1),
            "level": In(width_of(config.layer_queue)),
            "running": In(1),
            "counters": In(COUNTERS_LAYOUT),
            "limit": Out(32),
            "done": In(1),
            "vector": In(1),
            "misplaced": In(1),
            "stuck": In(1),
            "irq": Out(1),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers = register_map(self.config)
        stored = {
            row.name: Signal(row.mask.bit_length(), name=row.name)
            for row in registers
            if row.access in ("rw", "w1c")
        }
        strobes = Cat(bit.replicate(8) for bit in self.write_strobe)
        given = Signal(32)
        accepted = Signal()
        wrong: data.View = Signal(ERRORS_LAYOUT)

        m.d.comb += [
            given.eq(self.write_data & strobes),
            accepted.eq(self.write & ~self.write_refused),
            self.commands.eq(
                Mux(accepted & _is(self.write_address, registers, "control"), given, 0)
            ),
            self.descriptor.eq(
                Cat(value for name, value in stored.items() if name.startswith("layer_"))
            ),
            self.limit.eq(stored["watchdog"]),
            self.irq.eq((stored["pending"] & stored["enable"]).any()),
        ]

        with m.If(self.write):
            self._check_write(m, registers, wrong, given)
            m.d.comb += self.write_refused.eq(Cat(wrong[name] for name in REFUSALS).any())
        with m.If(self.read):
            m.d.comb += self.read_refused.eq(wrong.unaligned | wrong.reserved)
            with m.If(self.read_address[:2].any()):
                m.d.comb += wrong.unaligned.eq(1)
            with m.Elif(~_any_of(self.read_address, registers)):
                m.d.comb += wrong.reserved.eq(1)
        m.d.comb += [wrong.last.eq(self.misplaced), wrong.stuck.eq(self.stuck)]

        any_wrong = wrong.as_value().any()
        happens = {"errors": wrong.as_value(), "pending": Cat(self.done, self.vector, any_wrong)}
        for name, value in stored.items():
            writes = accepted & _is(self.write_address, registers, name)
            if name in happens:
                m.d.sync += value.eq((value & ~Mux(writes, given, 0)) | happens[name])
            else:
                with m.If(writes):
                    m.d.sync += value.eq((value & ~strobes) | given)

        values: dict[str, Value | int] = {
            "status": Cat(self.running, self.full, C(0, 6), self.level),
            **{name: self.counters[name] for name, _ in COUNTERS_LAYOUT},
            **stored,
        }
        m.d.comb += self.read_data.eq(
            reduce(or_, [
                Mux(_any_of(self.read_address, [row]), values.get(row.name, row.value), 0)
                for row in registers
                if row.value != 0 and row.access != "wo"
            ])
        )  # fmt: skip
        return m

    def _check_write(
        self, m: Module, rows: tuple[Register, ...], wrong: data.View, given: Value
    ) -> None:
        """Find what is wrong with a write: its address, or else its value, or else its commands."""
        address = self.write_address
        push, start, reset = (given[_bit(name)] for name in ("push", "start", "reset"))
        commands = _is(address, rows, "control")
        constant = [row for row in rows if row.access == "ro"]
        masks = [
            Mux(_any_of(address, [row]), C(row.mask, 32), 0) for row in rows if row.access != "ro"
        ]
        with m.If(address[:2].any()):
            m.d.comb += wrong.unaligned.eq(1)
        with m.Elif(~_any_of(address, rows)):
            m.d.comb += wrong.reserved.eq(1)
        with m.Elif(_any_of(address, constant)):
            m.d.comb += wrong.read_only.eq(1)
        with m.Elif((given & ~reduce(or_, masks)).any() | (commands & reset & (push | start))):
            m.d.comb += wrong.value.eq(1)
        with m.Elif(commands):
            m.d.comb += [
                wrong.start_busy.eq(start & self.running),
                wrong.start_empty.eq(start & ~push & (self.level == 0)),
                wrong.queue_full.eq(push & self.full),
                wrong.layer.eq(push & ~self.fits),
            ]


def _is(address: Value, rows: tuple[Register, ...], name: str) -> Value:
    """Whether an address is in the word of a register."""
    return _any_of(address, [row for row in rows if row.name == name])


def _any_of(address: Value, rows: Sequence[Register]) -> Value:
    """Whether an address is in a word of registers, which lie beside each other in blocks."""
    words = sorted(row.address >> 2 for row in rows)
    firsts = [word for word in words if word - 1 not in words]
    ends = [word + 1 for word in words if word + 1 not in words]
    word = address[2:]
    return Cat(
        (word < end if first == 0 else (word >= first) & (word < end))
        if end > first + 1
        else word == first
        for first, end in zip(firsts, ends, strict=True)
    ).any()


def _bit(command: str) -> int:
    return list(COMMANDS).index(command)
