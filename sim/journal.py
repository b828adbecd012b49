"""Results of a long run in the order in which they come, so that a killed run goes on."""

import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.files import blaming

_HEAD = struct.Struct("<32sQQI")  # key, rows, columns, CRC-32 of the numbers


class Journal:
    """A file of integer arrays, each under the key of what it is the result of.

    A run takes what is there as long as its keys are those of the file, and adds the rest; from
    the first key that differs on, the file is of another run, and is overwritten. A record that
    was not written to its end is dropped. ``with`` closes it, and removes it if all went well.

    Attributes
    ----------
    found : int
        Records taken from the file.
    """

    def __init__(self, path: Path) -> None:
        with blaming(path):
            path.touch()
            self._file = path.open("r+b")
        self._path = path
        self._reading = True
        self.found = 0

    def take(self, key: bytes) -> NDArray[np.int64] | None:
        """Return the next array if its key, of 32 bytes, is this one."""
        if not self._reading:
            return None
        start = self._file.tell()
        numbers = self._read(key)
        if numbers is None:
            self._file.seek(start)
            self._file.truncate()
            self._reading = False
            return None
        self.found += 1
        return numbers

    def _read(self, key: bytes) -> NDArray[np.int64] | None:
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        have, rows, columns, check = _HEAD.unpack(head)
        if have != key:
            return None
        raw = self._file.read(8 * rows * columns)
        if len(raw) < 8 * rows * columns or zlib.crc32(raw) != check:
            return None
        return np.frombuffer(raw, "<i8").reshape(rows, columns)

    def add(self, key: bytes, numbers: NDArray[np.int64]) -> None:
        """Add an array, (rows, columns), that :meth:`take` did not have."""
        raw = np.ascontiguousarray(numbers, "<i8").tobytes()
        self._file.write(_HEAD.pack(key, *numbers.shape, zlib.crc32(raw)) + raw)
        self._file.flush()

    def close(self) -> None:
        """Leave the file to a later run."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if kind is None:
            self._path.unlink(missing_ok=True)
