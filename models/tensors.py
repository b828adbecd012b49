"""A safetensors file that is written tensor by tensor, so that they need not be held together."""

import json
from typing import IO

import numpy as np
from numpy.typing import NDArray

from models.checks import require

TYPES = {
    "uint64": "U64",
    "int64": "I64",
    "float64": "F64",
    "float32": "F32",
    "uint32": "U32",
    "int32": "I32",
    "float16": "F16",
    "uint16": "U16",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
"""Names in the file by NumPy's, in the order in which safetensors 0.8 puts tensors."""
ALIGNMENT = 8
"""The header is filled with spaces to a multiple of this many bytes."""
CHUNK = 1 << 20
"""Bytes that are copied at once."""


class TensorWriter:
    """Collects tensors in a temporary file; then puts a header before them.

    The bytes are those of ``safetensors.numpy.save_file``: tensors lie by type, then by name.

    Parameters
    ----------
    spill : binary file
        Empty, open for reading and writing.
    """

    def __init__(self, spill: IO[bytes]) -> None:
        self._spill = spill
        self._places: dict[str, tuple[str, tuple[int, ...], int, int]] = {}

    def add(self, name: str, array: NDArray) -> None:
        """Take a tensor.

        Raises
        ------
        ValueError
            There is one of this name already.
        """
        require(name not in self._places, "tensor names", "differ", f"{name} twice")
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        start = self._spill.tell()
        self._spill.write(data.tobytes())
        self._places[name] = (array.dtype.name, array.shape, start, data.nbytes)

    def write(self, file: IO[bytes], metadata: dict[str, str]) -> None:
        """Write the whole file."""
        kinds = list(TYPES)
        names = sorted(self._places, key=lambda name: (kinds.index(self._places[name][0]), name))
        header: dict[str, object] = {"__metadata__": metadata}
        end = 0
        for name in names:
            kind, shape, _, size = self._places[name]
            offsets = [end, end + size]
            header[name] = {"dtype": TYPES[kind], "shape": shape, "data_offsets": offsets}
            end += size
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        file.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            _, _, start, size = self._places[name]
            self._spill.seek(start)
            for done in range(0, size, CHUNK):
                file.write(self._spill.read(min(CHUNK, size - done)))
