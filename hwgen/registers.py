"""Register map of the engine on a bus: the one description that all its forms are made from."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from zlib import crc32

from amaranth.lib import data

from hwgen.config import HardwareConfig
from hwgen.layer_queue import VECTOR_BITS, layer_limits
from hwgen.layouts import layer_layout, width_of
from hwgen.run_control import COUNTERS

IDENTIFICATION = int.from_bytes(b"PLSM", "big")
VERSION = 1
"""Version of the register map."""

ACCESS = {
    "ro": "read only",
    "wo": "written; reads as 0",
    "rw": "read and written",
    "w1c": "read; writing 1 to a bit clears it",
}

COMMANDS = {
    "push": "queue the layer that the descriptor has",
    "start": "run until no layer waits",
    "reset": "forget all layers and words at once, and clear the counters; other registers stay; "
    "alone in its write, and never refused then",
}
EVENTS = {
    "done": "all layers that waited have given their last result to its taker",
    "vector": "the last result of an input vector was given to the port",
    "error": "a flag of errors was set",
}
ERRORS = {
    "unaligned": "an address was not a multiple of 4",
    "reserved": "an address has no register",
    "read_only": "a register was written that can only be read",
    "value": "a bit was written 1 that its register does not have, or reset with another command",
    "start_busy": "start while busy",
    "start_empty": "start while no layer waits",
    "queue_full": "push while the queue is full",
    "layer": "push of a layer that the circuit cannot run",
    "last": "TLAST of activations came elsewhere than at the end of an input vector",
    "stuck": "nothing moved for as many cycles as watchdog says",
}
"""Flags that stay until they are cleared; the first eight also refuse the transfer."""

REFUSALS = tuple(ERRORS)[:8]
"""Errors that answer a read or a write with SLVERR; it then has no other effect."""


@dataclass(frozen=True)
class Field:
    """Bits of a register.

    Attributes
    ----------
    name, text : str
    low, width : int
        Lowest bit, and number of bits.
    """

    name: str
    text: str
    low: int
    width: int = 1

    @property
    def mask(self) -> int:
        """The field's bits."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """A word of 32 bits at an address.

    Attributes
    ----------
    name, text : str
    address : int
        In bytes.
    access : str
        Of ``ACCESS``.
    fields : tuple of Field
        From bit 0 up; other bits read as 0 and must be written 0.
    value : int or None
        What a register that never changes reads as.
    """

    name: str
    text: str
    address: int
    access: str
    fields: tuple[Field, ...]
    value: int | None = None

    @property
    def mask(self) -> int:
        """Bits that the register has."""
        return sum(field.mask for field in self.fields)


def register_map(config: HardwareConfig) -> tuple[Register, ...]:
    """Return every register, by address."""
    flag_bits = {name: _flags(texts) for name, texts in
                 (("commands", COMMANDS), ("events", EVENTS), ("errors", ERRORS))}  # fmt: skip
    level = width_of(config.layer_queue)
    status = (
        Field("busy", "started, and not yet done", 0),
        Field("full", "the queue is full", 1),
        Field("waiting", "layers in the queue", 8, level),
    )
    head: list[tuple[str, str, str, tuple[Field, ...], int | None]] = [
        ("id", "identification: PLSM", "ro", _whole(32), IDENTIFICATION),
        ("version", "version of this register map", "ro", _whole(32), VERSION),
        ("digest", "CRC-32, as zlib's, of the configuration as JSON on one line", "ro",
         _whole(32), digest(config)),
        ("control", "commands; all of one write are done, or refused, together", "wo",
         flag_bits["commands"], None),
        ("status", "what the engine is at", "ro", status, None),
        ("errors", "what went wrong", "w1c", flag_bits["errors"], None),
        ("pending", "events that were", "w1c", flag_bits["events"], None),
        ("enable", "events that raise the interrupt while they are pending", "rw",
         flag_bits["events"], None),
        ("watchdog", "cycles without a step or a transfer until the flag stuck; 0 is never", "rw",
         _whole(32), None),
    ]  # fmt: skip
    counters = [(name, text, "ro", _whole(32), None) for name, text in COUNTERS.items()]
    layer = [(f"layer_{name}", text, "rw", _whole(width), None)
             for name, text, width in _layer_fields(config)]  # fmt: skip
    shape = [(f"config_{name}", text, "ro", _whole(32), value)
             for name, text, value in _parameters(config)]  # fmt: skip
    blocks = ((0x000, head), (0x040, counters), (0x100, shape), (0x200, layer))
    return tuple(
        Register(name, text, start + 4 * number, access, bits, value)
        for start, block in blocks
        for number, (name, text, access, bits, value) in enumerate(block)
    )


def digest(config: HardwareConfig) -> int:
    """CRC-32 of a configuration: a host that has another one's image can tell.

    As zlib's, of the ASCII bytes of one line of JSON without its end: the object of ``config.json``
    with its keys in that order, ``": "`` after each and ``", "`` between them.
    """
    return crc32(json.dumps(asdict(config)).encode())


def layer_words(config: HardwareConfig, layer: int, vectors: int) -> list[tuple[int, int]]:
    """Return the addresses and values to write for a layer.

    Parameters
    ----------
    layer : int
        A word of ``layer_layout(config)``, as :mod:`hwgen.image` makes it.
    vectors : int
        Input vectors, 1 to 65535.
    """
    view = layer_layout(config).from_bits(layer)
    values = [vectors]
    for name, field in layer_layout(config):
        part = view[name]
        many = isinstance(field.shape, data.ArrayLayout)
        values += [part[n] for n in range(field.shape.length)] if many else [part]
    rows = [row for row in register_map(config) if row.name.startswith("layer_")]
    return [(row.address, int(value)) for row, value in zip(rows, values, strict=True)]


def _layer_fields(config: HardwareConfig) -> Iterator[tuple[str, str, int]]:
    """Name, text and bits of every number of a descriptor; of an array, each element."""
    limits = layer_limits(config)

    def text(name: str, width: int) -> str:
        low, high = limits.get(name, (0, (1 << width) - 1))
        return f"{name} of the layer, {low} to {high}"

    yield "vectors", text("vectors", VECTOR_BITS).replace("vectors", "input vectors"), VECTOR_BITS
    for name, field in layer_layout(config):
        if isinstance(field.shape, data.ArrayLayout):
            for number in range(field.shape.length):
                width = field.width // field.shape.length
                yield f"{name}_{number}", text(name, width), width
        else:
            yield name, text(name, field.width), field.width


def _parameters(config: HardwareConfig) -> Iterator[tuple[str, str, int]]:
    """Name, text and value of every parameter; words by their place among the choices."""
    for field in fields(config):
        value, choices = getattr(config, field.name), field.metadata["choices"]
        text = field.metadata["help"]
        if choices:
            named = ", ".join(f"{n} {choice}" for n, choice in enumerate(choices))
            text, value = f"{text}: {named}", choices.index(value)
        yield field.name, text, int(value)


def _flags(texts: dict[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name, text, bit) for bit, (name, text) in enumerate(texts.items()))


def _whole(width: int) -> tuple[Field, ...]:
    return (Field("value", "", 0, width),)
