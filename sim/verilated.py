"""A Verilog module, Verilated and callable in this process."""

import ctypes
import operator
import os
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.cli import nearest
from sim.library import build_library
from sim.shim import Cell, Instance

_CYCLES_PER_CALL = 1024  # how many an interrupt waits for


class Verilated:
    """An instance of a Verilated top module; ``dut["port"]`` reads and writes its ports.

    Values are unsigned integers of the port's width, whatever its sign. A written input reaches
    the logic with the next ``eval`` or ``clock``. Everything starts at zero; initial blocks run,
    and read the files of ``$readmemh``, in the first ``eval`` or ``clock``.

    Instances do not affect each other, be they of one library or of several. ``with`` closes them.

    Attributes
    ----------
    library : Path
        The shared library; ``Verilated(dut.library)`` is another instance of the same module.
    ports : dict of str to Port
        Name, direction and width of every port.
    """

    def __init__(self, library: Path) -> None:
        instance = Instance(library)
        self.library = library
        self.ports = {port.name: port for port in instance.ports}
        self._cells = {name: instance.cell(number) for number, name in enumerate(self.ports)}
        self._instance: Instance | None = instance

    @classmethod
    def build(
        cls, sources: list[Path], top: str, *, build_dir: Path | None = None, waves: bool = False
    ) -> Self:
        """Return an instance of a top module, compiled first unless it is in the cache.

        The parameters and what is raised are those of ``library.build_library``.
        """
        return cls(build_library(sources, top, build_dir, waves))

    def __getitem__(self, name: str) -> int:
        """Read a port; ``ValueError`` if there is none of this name, or the instance is closed."""
        cell = self._cell(name)
        return int.from_bytes(cell, "little") if isinstance(cell, ctypes.Array) else cell.value

    def __setitem__(self, name: str, value: int) -> None:
        """Write an input; ``ValueError`` as for reading, for an output, or a value out of range."""
        cell, port = self._cell(name), self.ports[name]
        value = operator.index(value)
        if port.direction == "output":
            raise ValueError(f"port to write must be an input, got output {name}")
        if value < 0 or value >> port.width:
            raise ValueError(f"{name} must be 0 to 2**{port.width} - 1, got {value}")
        if isinstance(cell, ctypes.Array):
            size = ctypes.sizeof(cell)
            ctypes.memmove(cell, value.to_bytes(size, "little"), size)
        else:
            cell.value = value

    def words(self, name: str) -> NDArray[np.uint32]:
        """Return the memory of a port of more than 64 bits, uint32, least significant word first.

        It follows the port; an input is written through it, an output is read-only. Bits above the
        port's width must stay 0. It may outlive the instance.

        Raises
        ------
        ValueError
            There is no such port, it has 64 bits or fewer, or the instance is closed.
        """
        cell, port = self._cell(name), self.ports[name]
        if not isinstance(cell, ctypes.Array):
            raise ValueError(f"{name} must have more than 64 bits, got {port.width}")
        view = np.frombuffer(memoryview(cell), dtype=np.uint32)
        view.flags.writeable = port.direction != "output"
        return view

    def address(self, name: str) -> int:
        """Return where a port's value lies in memory, as long as the instance is open.

        The least significant byte comes first. ``ValueError`` as for reading.
        """
        return ctypes.addressof(self._cell(name))

    def call(self, function: str, *arguments: object) -> None:
        """Call a function of the shim; what it says is wrong is raised as ``RuntimeError``."""
        self._open().call(function, *arguments)

    def eval(self) -> None:
        """Let the inputs take effect; one step of time in waves.

        Raises
        ------
        RuntimeError
            The Verilog does not settle, or ran ``$finish``, ``$stop``, ``$fatal`` or ``$error``;
            the rest of this ``eval`` was not done.
        ValueError
            The instance is closed.
        """
        self._open().call("dut_eval")

    def clock(self, n: int = 1) -> None:
        """Give ``n`` cycles of ``clk``: low, then high, each with an ``eval``.

        Afterwards the outputs are those behind the last rising edge, and ``clk`` is high.

        Raises
        ------
        RuntimeError
            As for ``eval``.
        ValueError
            There is no input ``clk`` of one bit, ``n`` is negative, or the instance is closed.
        """
        clk, port = self._cell("clk"), self.ports["clk"]
        if (port.direction, port.width) != ("input", 1):
            raise ValueError(f"clk must be an input of 1 bit, got {port.direction} of {port.width}")
        if n < 0:
            raise ValueError(f"cycles must be 0 or more, got {n}")
        for done in range(0, n, _CYCLES_PER_CALL):
            cycles = min(n - done, _CYCLES_PER_CALL)
            self._open().call("dut_clock", ctypes.byref(clk), cycles)

    def reset(self, n: int = 1) -> None:
        """Hold ``rst`` at 1 for ``n`` cycles of ``clk``, lower it, ``eval``; raises as they do."""
        self["rst"] = 1
        self.clock(n)
        self["rst"] = 0
        self.eval()

    def trace(self, path: Path) -> None:
        """Write waves to an FST file from the next ``eval`` on, until ``close``.

        Raises
        ------
        ValueError
            The file cannot be written, waves were not chosen when building or are already being
            written, or the instance is closed.
        """
        try:
            self._open().call("dut_trace", os.fsencode(path))
        except RuntimeError as error:
            raise ValueError(*error.args) from None

    def close(self) -> None:
        """Run final blocks and end waves; once closed, there is nothing to do."""
        if self._instance is not None:
            instance, self._instance, self._cells = self._instance, None, {}
            instance.call("dut_close")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Instance:
        if self._instance is None:
            raise ValueError("instance must be open, got one that was closed")
        return self._instance

    def _cell(self, name: str) -> Cell:
        cell = self._cells.get(name)
        if cell is None:
            self._open()
            raise ValueError(f"no port is called {name}; {nearest(name, self.ports)}")
        return cell
