"""Host: reads and writes a board's registers and memory over a line that may lose bytes."""

import os
from collections.abc import Callable

from fpga.frames import (
    MAGIC,
    MOST_UNITS,
    REPLY,
    REPLY_BYTES,
    UNIT,
    VERSION,
    Kind,
    Region,
    Register,
    Reply,
    Status,
    parse_reply,
    reply_size,
    request,
)
from fpga.line import Line


class Host:
    """Asks, and asks again until a good reply has come: see :mod:`fpga.frames`.

    Parameters
    ----------
    line : Line
    patience : float
        Seconds to wait for the first reply to a request, longer than the board's ``gap``; each
        further attempt waits twice as long.
    quiet : float
        Seconds without a byte after which the line is free again.
    attempts : int
        How often to ask.
    sequence : int or None
        Number before that of the first request. None takes any, lest replies to another host, which
        was killed, be taken for ours.

    Attributes
    ----------
    retries : int
        How often it had to ask again.
    """

    def __init__(
        self,
        line: Line,
        *,
        patience: float = 0.3,
        quiet: float = 0.05,
        attempts: int = 6,
        sequence: int | None = None,
    ) -> None:
        self.retries = 0
        self._line = line
        self._patience = patience
        self._quiet = quiet
        self._attempts = attempts
        self._sequence = os.urandom(1)[0] if sequence is None else sequence
        self._settle()

    def identify(self, design: int) -> None:
        """Make sure that the board has the bitstream of a design.

        Raises
        ------
        ValueError
            It has another one, or something else is at the other end.
        """
        fields = self._ask(Kind.READ, _address(Region.REGISTERS, 0), 4)
        magic, version, low, high = _integers(fields)
        name = magic.to_bytes(UNIT, "little")
        if magic != MAGIC:
            raise ValueError(f"board must have a bitstream of ours, got one that says {name!r}")
        if version != VERSION:
            raise ValueError(f"board must speak version {VERSION}, got {version}")
        found = high << 32 | low
        if found != design:
            raise ValueError(
                f"board must have the bitstream of design {design:016x}, got {found:016x}; "
                "load the one of this build with: python -m fpga program"
            )

    def register(self, number: int) -> int:
        """Return a register."""
        return _integers(self._ask(Kind.READ, _address(Region.REGISTERS, number), 1))[0]

    def set_registers(self, number: int, values: list[int]) -> None:
        """Set registers that follow each other."""
        data = b"".join(value.to_bytes(UNIT, "little") for value in values)
        self._ask(Kind.WRITE, _address(Region.REGISTERS, number), len(values), data)

    def write(
        self, unit: int, data: bytes, progress: Callable[[int], object] = lambda count: None
    ) -> None:
        """Write whole units to the memory.

        Parameters
        ----------
        progress : callable
            Told the bytes of each frame that arrived.
        """
        step = MOST_UNITS * UNIT
        for start in range(0, len(data), step):
            part = data[start : start + step]
            address = _address(Region.STORE, unit + start // UNIT)
            self._ask(Kind.WRITE, address, len(part) // UNIT, part)
            progress(len(part))

    def read(self, unit: int, count: int) -> bytes:
        """Return units of the memory."""
        parts = []
        for start in range(0, count, MOST_UNITS):
            address = _address(Region.STORE, unit + start)
            parts.append(self._ask(Kind.READ, address, min(MOST_UNITS, count - start)))
        return b"".join(parts)

    def start(self) -> None:
        """Start a run."""
        self.set_registers(Register.RUN, [(self.register(Register.RUN) + 1) % (1 << 32)])

    def stop(self) -> None:
        """End whatever runs."""
        self.set_registers(Register.STOP, [1])

    def close(self) -> None:
        """Give the line back."""
        self._line.close()

    def _ask(self, kind: Kind, address: int, count: int, data: bytes = b"") -> bytes:
        """Return the data of a good reply.

        Raises
        ------
        ValueError
            There is no such address.
        OSError
            No good reply came.
        """
        self._sequence = (self._sequence + 1) % 256
        asked = request(kind, self._sequence, address, count, data)
        for attempt in range(self._attempts):
            if attempt:
                self.retries += 1
                self._settle()
            self._line.write(asked)
            reply = self._reply(self._patience * 2**attempt)
            if reply is None or reply.status == Status.DAMAGED:
                continue
            if reply.status == Status.REFUSED:
                raise ValueError(f"address must be there on the board, got {address:#x}")
            if len(reply.data) == (count * UNIT if kind == Kind.READ else 0):
                return reply.data
        raise OSError(f"board must answer, got nothing good in {self._attempts} attempts")

    def _reply(self, seconds: float) -> Reply | None:
        """Return the reply to this request, or that a frame was damaged; None if none comes.

        Late replies to earlier requests are passed over.
        """
        while True:
            head = self._line.read(REPLY_BYTES, seconds)
            if len(head) < REPLY_BYTES or head[0] != REPLY:
                return None
            rest = reply_size(head) - REPLY_BYTES
            body = self._line.read(rest, seconds)
            reply = parse_reply(head + body) if len(body) == rest else None
            if reply is None or reply.status == Status.DAMAGED:
                return reply
            if reply.sequence == self._sequence:
                return reply

    def _settle(self) -> None:
        """Drop what still comes."""
        while self._line.read(4096, self._quiet):
            pass


def _address(region: Region, unit: int) -> int:
    return region << 24 | unit


def _integers(data: bytes) -> list[int]:
    return [int.from_bytes(data[at : at + UNIT], "little") for at in range(0, len(data), UNIT)]
