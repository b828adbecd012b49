"""A host of the circuit that a bench runs on AXI, on bus models that are not ours."""

import logging
from collections.abc import Iterator
from itertools import repeat

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from hwgen.axi_stream import INPUTS
from hwgen.registers import COMMANDS, ERRORS, EVENTS, register_map
from sim.axi import frames, from_frames, layer_writes
from sim.jobs import Job
from sim.passed import passed
from sim.rtl import bench_config

CONFIG = bench_config()
REGISTERS = {row.name: row for row in register_map(CONFIG)}
COMMAND = {name: 1 << bit for bit, name in enumerate(COMMANDS)}
ERROR = {name: 1 << bit for bit, name in enumerate(ERRORS)}
EVENT = {name: 1 << bit for bit, name in enumerate(EVENTS)}
PATIENCE = 20_000
"""Cycles for which a test waits for what must come."""
NANOSECONDS = 10
"""Of a cycle."""


class Host:
    """A processor and DMA engines at the ports of the circuit."""

    def __init__(self, dut, idle: float = 0.0, stall: float = 0.0) -> None:
        self.dut = dut
        self.idle, self.stall, self.interrupted = idle, stall, False
        self.rng = np.random.default_rng(cocotb.RANDOM_SEED)
        ends = {"clock": dut.aclk, "reset": dut.aresetn, "reset_active_level": False}
        self.control = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), **ends)
        self.sources = {
            name: AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s_axis_{name}"), **ends)
            for name in INPUTS
        }
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis_results"), **ends)
        write, read = self.control.write_if, self.control.read_if
        for part in (*self.sources.values(), self.sink, write, read):
            part.log.setLevel(logging.WARNING)  # else most of the time goes into lines nobody reads
        for part in (*self.sources.values(), write.aw_channel, write.w_channel, read.ar_channel):
            part.set_pause_generator(self._pauses(idle))
        for part in (self.sink, write.b_channel, read.r_channel):
            part.set_pause_generator(self._pauses(stall))

    def _pauses(self, share: float) -> Iterator[bool]:
        rng = np.random.default_rng(int(self.rng.integers(2**32)))
        return (bool(rng.random() < share) for _ in repeat(None)) if share else repeat(False)

    async def reset(self) -> None:
        """Start the clock and come out of a reset."""
        self.dut.aresetn.value = 0
        cocotb.start_soon(Clock(self.dut.aclk, NANOSECONDS, unit="ns").start())
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)
        cocotb.start_soon(self._rules())

    async def _rules(self) -> None:
        """Hold the ports that the circuit drives to AXI: what is offered stays until taken."""
        ports = {
            "m_axis_results": ("tvalid", "tready", ("tdata", "tlast")),
            "s_axil_b": ("valid", "ready", ("resp",)),
            "s_axil_r": ("valid", "ready", ("data", "resp")),
        }
        offered: dict[str, list[int]] = {}
        while True:
            await RisingEdge(self.dut.aclk)
            await ReadOnly()
            for port, (valid, ready, parts) in ports.items():
                join = "_" if port.startswith("m_") else ""

                def value(part: str, start: str = port + join) -> int:
                    return int(getattr(self.dut, start + part).value)

                now = [value(part) for part in parts] if value(valid) else None
                if port in offered:
                    assert now == offered[port], f"{port} must stay until it is taken"
                offered.pop(port, None)
                if now is not None and not value(ready):
                    offered[port] = now

    async def write(self, name: str, value: int) -> bool:
        """Write a register; whether it was accepted."""
        done = await self.control.write(REGISTERS[name].address, value.to_bytes(4, "little"))
        assert done.resp in (AxiResp.OKAY, AxiResp.SLVERR)
        return done.resp == AxiResp.OKAY

    async def read(self, name: str) -> int:
        """Read a register, which must not be refused."""
        done = await self.control.read(REGISTERS[name].address, 4)
        assert done.resp == AxiResp.OKAY, f"{name} was refused"
        return int.from_bytes(done.data, "little")

    async def describe(self, job: Job) -> None:
        """Write a job's layer into the descriptor."""
        for address, value in layer_writes(job, CONFIG):
            done = await self.control.write(address, value.to_bytes(4, "little"))
            assert done.resp == AxiResp.OKAY

    async def queue(self, job: Job) -> None:
        """Describe a job and queue it, once there is room."""
        await self.describe(job)
        while await self.read("status") & 2:
            await ClockCycles(self.dut.aclk, 20)
        assert await self.write("control", COMMAND["push"])

    def stream(self, job: Job) -> None:
        """Send the words of a job, whenever the circuit takes them."""
        for name, parts in frames(job, CONFIG).items():
            for part in parts:
                self.sources[name].send_nowait(AxiStreamFrame(part))

    async def check(self, job: Job) -> None:
        """Take the results of a job and compare every integer."""
        taken = [
            bytes((await with_timeout(self.sink.recv(), PATIENCE * NANOSECONDS, "ns")).tdata)
            for _ in job.codes
        ]
        got, want = from_frames(taken, job, CONFIG), job.expected()
        wrong = np.argwhere(got != want)
        assert not len(wrong), (
            f"token and row {wrong[0]}: got {got[tuple(wrong[0])]}, want {want[tuple(wrong[0])]}, "
            f"seed {cocotb.RANDOM_SEED}"
        )
        passed(CONFIG, job, self.idle, self.stall, interrupted=self.interrupted)

    async def done(self) -> None:
        """Wait for the interrupt of a run's end, and clear it."""
        if not self.dut.irq.value:
            await with_timeout(RisingEdge(self.dut.irq), PATIENCE * NANOSECONDS, "ns")
        assert await self.read("pending") & EVENT["done"]
        assert await self.write("pending", EVENT["done"])
        assert not await self.read("status") & 1

    async def run(self, jobs: list[Job]) -> None:
        """Queue jobs, start after the first, and compare all results."""
        assert await self.write("enable", EVENT["done"])
        for job in jobs:
            self.stream(job)
        comes = cocotb.start_soon(self._check_all(jobs))
        await self.queue(jobs[0])
        assert await self.write("control", COMMAND["start"])
        for job in jobs[1:]:
            await self.queue(job)
            if not await self.read("status") & 1:  # the one before was done before this was queued
                await self.done()
                assert await self.write("control", COMMAND["start"])
        await self.done()
        await comes

    async def _check_all(self, jobs: list[Job]) -> None:
        for job in jobs:
            await self.check(job)


async def start(dut, idle: float = 0.0, stall: float = 0.0) -> Host:
    """Return a host at a circuit that was just reset."""
    host = Host(dut, idle, stall)
    await host.reset()
    return host
