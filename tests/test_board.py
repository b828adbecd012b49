"""A board from end to end: the host's code, a serial line that damages, the simulated circuit.

The pins are driven by cocotbext-uart, which knows nothing of ours; the integers must be those of
the reference.
"""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from fpga.frames import Kind, Region, Register, State, request
from fpga.gateware.emit import Emitted, system_verilog
from fpga.gateware.parameters import BoardConfig
from fpga.host import Host
from fpga.line import Line, SerialLine
from fpga.onboard import OnBoard
from hwgen.config import HardwareConfig
from sim.cases import random_job

CONFIG = HardwareConfig(k=2, pe=4, lanes=8, columns=64, requantize_bits=0, acc_bits=40)
BOARD = BoardConfig(banks=4, depth=1024, divisor=4, gap=400, patience=5000)
SECONDS = 1500
"""To build and start the simulation, at most."""


class Damaging:
    """A line that flips a bit of, or cuts, some of what passes.

    Attributes
    ----------
    damaged : int
    """

    def __init__(self, line: Line, seed: int, share: float) -> None:
        self.damaged = 0
        self._line = line
        self._random = random.Random(seed)
        self._share = share

    def write(self, data: bytes) -> None:
        self._line.write(self._pass(data))

    def read(self, count: int, seconds: float) -> bytes:
        return self._pass(self._line.read(count, seconds))

    def close(self) -> None:
        self._line.close()

    def _pass(self, data: bytes) -> bytes:
        if not data or self._random.random() >= self._share:
            return data
        self.damaged += 1
        at = self._random.randrange(len(data))
        if self._random.random() < 0.5:
            return data[:at]
        flipped = data[at] ^ 1 << self._random.randrange(8)
        return data[:at] + bytes([flipped]) + data[at + 1 :]


@pytest.fixture(scope="module")
def emitted() -> Emitted:
    return system_verilog(CONFIG, BOARD)


@pytest.fixture(scope="module")
def port(emitted: Emitted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Port of a simulated board."""
    folder = tmp_path_factory.mktemp("board")
    source, link = folder / "board.v", folder / "tty"
    source.write_text(emitted.text)
    arguments = [str(source), "--divisor", str(BOARD.divisor), "--link", str(link), "--quick"]
    command = [sys.executable, "-m", "sim", "uart", *arguments]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + SECONDS
        while not link.is_symlink():
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, "the simulation must start in time"
            time.sleep(0.05)
        yield str(link)
    finally:
        link.unlink(missing_ok=True)
        server.wait(SECONDS)
    assert server.returncode == 0, (folder / "log").read_text()


@pytest.fixture
def line(port: str) -> Iterator[SerialLine]:
    opened = SerialLine(port, 1_000_000)
    yield opened
    opened.close()


def host_on(line: Line) -> Host:
    """Return a host that knows how slow a simulation can be."""
    return Host(line, patience=0.5, quiet=0.1, attempts=11)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_integers_are_those_of_the_reference(emitted: Emitted, line: SerialLine, seed: int) -> None:
    host = host_on(line)
    host.identify(emitted.design)
    board = OnBoard(host, CONFIG, BOARD)
    job = random_job(np.random.default_rng(seed), CONFIG, tokens=3)
    assert (board.run(job.stage, job.codes) == job.expected()).all()
    assert board.tally.cycles >= job.steps(CONFIG)


def test_more_vectors_than_the_memory_holds(line: SerialLine) -> None:
    """As if it held 128 beats."""
    job = random_job(np.random.default_rng(4), CONFIG, out=5, columns=64, group=64, tokens=10)
    board = OnBoard(host_on(line), CONFIG, replace(BOARD, depth=128))
    assert (board.run(job.stage, job.codes) == job.expected()).all()
    assert board.tally.runs > 2


def test_a_line_that_damages_loses_nothing(emitted: Emitted, line: SerialLine) -> None:
    damaging = Damaging(line, seed=5, share=0.1)
    host = host_on(damaging)
    host.identify(emitted.design)
    before = host.register(Register.DAMAGED)
    job = random_job(np.random.default_rng(5), CONFIG, out=7, columns=40, tokens=2)
    assert (OnBoard(host, CONFIG, BOARD).run(job.stage, job.codes) == job.expected()).all()
    assert damaging.damaged >= 3
    assert host.retries >= 3
    assert host.register(Register.DAMAGED) > before, "the board must have seen some of it"


def test_of_a_damaged_frame_nothing_is_written(line: SerialLine) -> None:
    host = host_on(line)
    host.write(5, b"\x01\x02\x03\x04")
    for frame in _damaged_writes():
        line.write(frame)
        time.sleep(0.3)
        host = host_on(line)
        assert host.read(5, 1) == b"\x01\x02\x03\x04", frame.hex()


def _damaged_writes() -> list[bytes]:
    good = request(Kind.WRITE, 1, Region.STORE << 24 | 5, 1, b"\xff\xff\xff\xff")
    flipped = [good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :] for at in (0, 3, 4, 9, 14)]
    return [*flipped, good[:-1], good[:6], good[1:]]


def test_addresses_that_are_not_there_are_refused(line: SerialLine) -> None:
    host = host_on(line)
    units = BOARD.banks * BOARD.depth
    assert len(host.read(units - 1, 1)) == 4
    for call in (
        lambda: host.read(units - 1, 2),
        lambda: host.write(units, bytes(4)),
        lambda: host.register(64),
    ):
        with pytest.raises(ValueError, match="address must be there"):
            call()


def test_a_wrong_bitstream_is_told(emitted: Emitted, line: SerialLine) -> None:
    with pytest.raises(ValueError, match="board must have the bitstream of design"):
        host_on(line).identify(emitted.design ^ 1)


def test_a_port_in_use_is_told(port: str, line: SerialLine) -> None:
    with pytest.raises(OSError, match="serial port must be free"):
        SerialLine(port, 1_000_000)


def test_a_run_that_gets_stuck_is_ended(line: SerialLine) -> None:
    """No weights are sent: the watchdog ends the run, and the next one is as good as ever."""
    host = host_on(line)
    host.stop()
    host.set_registers(Register.VECTORS, [1, 0])
    host.set_registers(Register.STREAMS, [0, 1, 1] + [0] * 15)
    host.start()
    while (state := host.register(Register.STATE)) & State.BUSY:
        pass
    assert state & State.STUCK
    job = random_job(np.random.default_rng(6), CONFIG)
    assert (OnBoard(host, CONFIG, BOARD).run(job.stage, job.codes) == job.expected()).all()


KILLED = """
import sys
from fpga.host import Host
from fpga.line import SerialLine
host = Host(SerialLine(sys.argv[1], 1_000_000), patience=30)
print("ready", flush=True)
while True:
    host.write(0, bytes(range(256)) * 16)
"""


def test_a_host_that_is_killed(emitted: Emitted, port: str) -> None:
    """The next one goes on where it likes, without a reset of the board."""
    victim = subprocess.Popen([sys.executable, "-c", KILLED, port], stdout=subprocess.PIPE)
    assert victim.stdout is not None
    assert victim.stdout.readline() == b"ready\n"
    time.sleep(0.5)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    line = SerialLine(port, 1_000_000)
    host = host_on(line)
    host.identify(emitted.design)
    job = random_job(np.random.default_rng(7), CONFIG, tokens=2)
    assert (OnBoard(host, CONFIG, BOARD).run(job.stage, job.codes) == job.expected()).all()
    line.close()


def test_a_memory_that_is_too_small(line: SerialLine) -> None:
    job = random_job(np.random.default_rng(8), CONFIG, out=4, columns=64, group=64)
    small = replace(BOARD, depth=16)
    with pytest.raises(ValueError, match="memory of the board must hold a row tile of the layer"):
        OnBoard(host_on(line), CONFIG, small).run(job.stage, job.codes)
