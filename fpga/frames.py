"""Frames on the serial line: what a request and a reply are, byte by byte.

A request is ``REQUEST, kind, sequence, count - 1, address (4 bytes), data, CRC (4 bytes)``; a reply
is ``REPLY, status, sequence, count - 1, data, CRC``. Numbers are little endian. ``count`` is in
units of 4 bytes, 1 to 256; data are there in a request to write and in a reply whose status says
so. The CRC is that of Ethernet and zlib, of everything before it but the first byte.

Every request may be repeated: doing it twice is doing it once. So whatever goes wrong, the host
asks again, and nothing is lost.
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum

REQUEST, REPLY = 0xA5, 0x5A
UNIT = 4
"""Bytes of a unit."""
MOST_UNITS = 256
"""Units of a frame."""
REQUEST_BYTES = 8
"""Bytes of a request before its data."""
REPLY_BYTES = 4
"""Bytes of a reply before its data."""
CRC_BYTES = 4
VERSION = 1
"""Of frames and registers."""
MAGIC = int.from_bytes(b"PLSM", "little")


class Kind(IntEnum):
    """What a request wants."""

    WRITE = 1
    READ = 2


class Status(IntEnum):
    """How a request went.

    Done; damaged on its way; of an address or a kind that is not there; done, and data follow.
    """

    DONE = 0
    DAMAGED = 1
    REFUSED = 2
    DATA = 3


class Region(IntEnum):
    """What an address means: its top 8 bits; the other 24 count units."""

    REGISTERS = 0
    STORE = 1


class Register(IntEnum):
    """Registers by number; from ``STREAMS`` on three for each input stream.

    Those are the beat at which its words begin, the beat at which they end, and how often they are
    sent. ``RUN`` starts when another number than the last is written; any write to ``STOP`` ends a
    run and resets the engine. The counts are of the run: its cycles; those in which the engine
    waited for weights, and in which a result waited for the memory. ``ACCEPTED`` and ``DAMAGED``
    count frames.
    """

    MAGIC = 0
    VERSION = 1
    DESIGN = 2
    DESIGN_HIGH = 3
    STATE = 4
    RUN = 5
    STOP = 6
    CYCLES = 7
    STARVED = 8
    STALLED = 9
    ACCEPTED = 10
    DAMAGED = 11
    VECTORS = 12
    RESULTS = 13
    STREAMS = 16


class State(IntEnum):
    """Bits of the register ``STATE``: a run goes on; the last one got stuck and was ended."""

    BUSY = 1
    STUCK = 2


STREAMS = ("layers", "coefficients", "offsets", "scales", "activations", "weights")
"""Input streams of the engine by number: the most urgent one first."""


@dataclass(frozen=True)
class Reply:
    """A reply.

    Attributes
    ----------
    status : Status
    sequence : int
    data : bytes
    """

    status: Status
    sequence: int
    data: bytes


def request(kind: Kind, sequence: int, address: int, count: int, data: bytes = b"") -> bytes:
    """Return the bytes of a request.

    Parameters
    ----------
    address : int
        In units, the region in its top 8 bits.
    count : int
        Units, 1 to 256.
    data : bytes
        Of a request to write: ``4 * count``.
    """
    body = bytes([kind, sequence, count - 1]) + address.to_bytes(4, "little") + data
    return bytes([REQUEST]) + body + zlib.crc32(body).to_bytes(CRC_BYTES, "little")


def reply_size(head: bytes) -> int:
    """Return the bytes of a reply by its first four."""
    data = UNIT * (head[3] + 1) if head[1] == Status.DATA else 0
    return REPLY_BYTES + data + CRC_BYTES


def parse_reply(frame: bytes) -> Reply | None:
    """Return the reply that these bytes are; None if they were damaged."""
    body, crc = frame[1:-CRC_BYTES], frame[-CRC_BYTES:]
    if frame[0] != REPLY or zlib.crc32(body).to_bytes(CRC_BYTES, "little") != crc:
        return None
    if body[0] not in list(Status):
        return None
    return Reply(Status(body[0]), body[1], body[3:])
