"""Serve the serial line of a module on a pseudo-terminal, until nobody wants it any more.

The line is driven and read by cocotbext-uart, which knows nothing of the module.
"""

import logging
import os
import pty
import time
import tty
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from cocotbext.uart import UartSink, UartSource

from sim.uart import DIVISOR, IDLE_SECONDS, LINK, PERIOD_NS


@cocotb.test()
async def serve(dut) -> None:
    """Pass bytes between the pseudo-terminal and the pins."""
    divisor, link = int(os.environ[DIVISOR]), Path(os.environ[LINK])
    baud = 1e9 / (PERIOD_NS * divisor)
    cocotb.start_soon(Clock(dut.clk, PERIOD_NS, unit="ns").start())
    dut.rx.value = 1
    dut.rst.value = 1
    for _ in range(5):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    source, sink = UartSource(dut.rx, baud=baud), UartSink(dut.tx, baud=baud)
    for end in (source, sink):
        end.log.setLevel(logging.WARNING)  # it tells of each byte
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    link.symlink_to(os.ttyname(theirs))
    await _pass(ours, source, sink, link, Timer(PERIOD_NS * divisor * 20, "ns"))
    link.unlink(missing_ok=True)


async def _pass(ours: int, source: UartSource, sink: UartSink, link: Path, pause: Timer) -> None:
    """Pass bytes while the link is there and something comes from time to time."""
    latest = time.monotonic()
    limit = float(os.environ[IDLE_SECONDS])
    while link.is_symlink() and time.monotonic() - latest < limit:
        try:
            came = os.read(ours, 4096)
        except BlockingIOError:
            came = b""
        if came:
            source.write_nowait(came)
        gone = b"" if sink.empty() else bytes(sink.read_nowait())
        if gone:
            os.write(ours, gone)
        if came or gone or not source.idle():
            latest = time.monotonic()
        elif time.monotonic() - latest > 1:
            time.sleep(0.001)  # nobody talks: leave the processor to others
        await pause
