"""The engine on AXI against the reference: bus models that are not ours drive and check it."""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiResp, AxiStreamFrame

from hwgen.axi_stream import INPUTS
from sim.axi import frames
from sim.axi_host import COMMAND, CONFIG, ERROR, EVENT, NANOSECONDS, PATIENCE, REGISTERS, start
from sim.cases import every_kind, random_job
from sim.passed import flagged

LIMIT = 50
"""Cycles of the watchdog."""
START = 2
"""Cycles from the start until the first step, and from the last result until done."""


@cocotb.test()
async def registers_read_back(dut) -> None:
    """Read what identifies the engine, its parameters, and zeros elsewhere after a reset."""
    host = await start(dut)
    for name, row in REGISTERS.items():
        assert await host.read(name) == (row.value or 0), name


@cocotb.test()
@cocotb.parametrize(idle=[0.0, 0.5], stall=[0.0, 0.5])
async def random_layers(dut, idle: float, stall: float) -> None:
    """Run more layers than the queue holds, of several vectors, with pauses on every channel."""
    host = await start(dut, idle, stall)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    jobs = [
        random_job(rng, CONFIG, tokens=int(rng.integers(1, 4)))
        for _ in range(CONFIG.layer_queue + 3)
    ]
    await host.run(jobs)
    assert await host.read("errors") == 0


@cocotb.test()
async def extremes_ties_and_odd_shapes(dut) -> None:
    """Run each case that goes wrong first, one after the other."""
    host = await start(dut)
    await host.run(every_kind(np.random.default_rng(cocotb.RANDOM_SEED), CONFIG))


@cocotb.test()
async def counters_are_right(dut) -> None:
    """Count steps, words and vectors of several runs."""
    host = await start(dut, 0.3, 0.3)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    due: dict[str, int] = {"steps": 0, "vectors": 0, "words_results": 0}
    for _ in range(2):
        job = random_job(rng, CONFIG, tokens=3)
        await host.run([job])
        due["steps"] += job.steps(CONFIG)
        due["vectors"] += len(job.codes)
        due["words_results"] += job.output_words(CONFIG)
        for name, (words, times) in job.feeds(CONFIG).items():
            if name in INPUTS:
                due[f"words_{name}"] = due.get(f"words_{name}", 0) + len(words) * times
        assert {name: await host.read(name) for name in due} == due
        waited = [await host.read(f"waits_{name}") for name in (*INPUTS, "results")]
        assert max(waited) <= await host.read("cycles") - due["steps"]


@cocotb.test()
async def queued_layers_run_without_a_gap(dut) -> None:
    """Take the cycles of the steps and the pipeline, as on plain streams, if words are beats."""
    host = await start(dut)
    jobs = every_kind(np.random.default_rng(cocotb.RANDOM_SEED), CONFIG)[: CONFIG.layer_queue]
    for job in jobs:
        host.stream(job)
        await host.queue(job)
    assert await host.write("enable", EVENT["done"])
    assert await host.write("control", COMMAND["start"])
    for job in jobs:
        await host.check(job)
    await host.done()
    cycles, due = await host.read("cycles"), sum(job.steps(CONFIG) for job in jobs)
    assert await host.read("steps") == due
    if CONFIG.stream_bits == 0:
        assert cycles == due + CONFIG.latency + START, f"took {cycles}, {due} steps"


@cocotb.test()
async def misbehaving_master(dut) -> None:
    """Answer each thing that a host must not do with an error and a flag; then work as ever."""
    host = await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    job = random_job(rng, CONFIG)

    async def refused(error: str, address: int, value: int | None = None) -> None:
        sent = value is not None
        data = (value or 0).to_bytes(4 - address % 4, "little")
        part = host.control.write(address, data) if sent else host.control.read(address, len(data))
        assert (await part).resp == AxiResp.SLVERR, error
        assert await host.read("errors") == ERROR[error], error
        assert await host.read("pending") & EVENT["error"]
        assert await host.write("errors", ERROR[error])
        assert await host.write("pending", EVENT["error"])
        assert await host.read("errors") == 0
        flagged(error)

    control, layer = REGISTERS["control"].address, REGISTERS["layer_terms"].address
    for address in (1, control + 2, layer + 3):
        await refused("unaligned", address)
        await refused("unaligned", address, 0)
    for address in (0x024, 0x03C, 0x0FC, 0x1FC, 0xFFC):
        await refused("reserved", address)
        await refused("reserved", address, 0)
    for name in ("id", "status", "cycles", "config_pe"):
        await refused("read_only", REGISTERS[name].address, 0)
    for name in ("control", "errors", "enable", "layer_terms", "layer_groups"):
        await refused("value", REGISTERS[name].address, 1 << 31)
    for other in ("push", "start"):
        await refused("value", control, COMMAND["reset"] | COMMAND[other])
    await refused("start_empty", control, COMMAND["start"])
    await refused("layer", control, COMMAND["push"])  # of zeros, as after the reset
    for name, low, high in (
        ("layer_vectors", 0, None),
        ("layer_row_tiles", 0, CONFIG.most_row_tiles + 1),
        ("layer_groups", 0, CONFIG.buffer_words + 1),
        ("layer_tail_words", 0, CONFIG.buffer_words + 1),
        ("layer_terms", 0, CONFIG.most_terms + 1),
    ):
        for value in (low, high):
            if value is not None and not value & ~REGISTERS[name].mask:
                await host.describe(job)
                assert await host.write(name, value)
                await refused("layer", control, COMMAND["push"])
    await host.describe(job)
    for _ in range(CONFIG.layer_queue):
        assert await host.write("control", COMMAND["push"])
    await refused("queue_full", control, COMMAND["push"])
    assert await host.read("status") == 2 | CONFIG.layer_queue << 8
    assert await host.write("control", COMMAND["start"])
    await refused("start_busy", control, COMMAND["start"])
    await refused("value", control, COMMAND["reset"] | COMMAND["start"])
    await refused("read_only", REGISTERS["status"].address, 0)
    for _ in range(CONFIG.layer_queue):
        host.stream(job)
    for _ in range(CONFIG.layer_queue):
        await host.check(job)
    assert await host.write("enable", EVENT["done"])
    await host.done()


@cocotb.test()
async def bytes_and_orders(dut) -> None:
    """Write single bytes; take the data before its address, and both long apart."""
    host = await start(dut)
    assert await host.write("watchdog", 0x04030201)
    address = REGISTERS["watchdog"].address
    write = host.control.write_if
    for lane, order in ((0, "data first"), (3, "address first"), (1, "data first")):
        data = write.w_channel._transaction_obj()
        data.wdata, data.wstrb = 0xA5A5A5A5, 1 << lane
        where = write.aw_channel._transaction_obj()
        where.awaddr, where.awprot = address, 0
        parts = [(write.w_channel, data), (write.aw_channel, where)]
        for channel, item in parts if order == "data first" else parts[::-1]:
            await channel.send(item)
            await ClockCycles(dut.aclk, 8)
        assert int((await write.b_channel.recv()).bresp) == AxiResp.OKAY
    assert await host.read("watchdog") == 0xA503A5A5
    assert await host.write("watchdog", 0)


@cocotb.test()
async def misplaced_last(dut) -> None:
    """Count vectors whatever TLAST says, and say that it was wrong."""
    host = await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for early in (False, True):
        job = random_job(rng, CONFIG, columns=min(2 * CONFIG.lanes, CONFIG.columns), tokens=2)
        sent = frames(job, CONFIG)
        sent["activations"] = [b"".join(sent["activations"])]
        if early:
            whole, beat = sent["activations"][0], len(dut.s_axis_activations_tdata) // 8
            sent["activations"] = [whole[n : n + beat] for n in range(0, len(whole), beat)]
        if early and len(sent["activations"]) == len(job.codes):
            continue  # a vector is a single beat: TLAST cannot be early
        for name, parts in sent.items():
            for part in parts:
                host.sources[name].send_nowait(AxiStreamFrame(part))
        await host.queue(job)
        assert await host.write("enable", EVENT["done"])
        assert await host.write("control", COMMAND["start"])
        await host.check(job)
        await host.done()
        assert await host.read("errors") == ERROR["last"]
        assert await host.write("errors", ERROR["last"])
        flagged("last")
        await host.run([random_job(rng, CONFIG)])


@cocotb.test()
async def starved_and_reset(dut) -> None:
    """Notice that a word is missing, forget everything at a reset, whenever it comes, and work."""
    host = await start(dut)
    rng = np.random.default_rng(cocotb.RANDOM_SEED)
    for stopped in ("weights", "activations", "coefficients", "results", None):
        job = random_job(rng, CONFIG, tokens=2)
        for name, parts in frames(job, CONFIG).items():
            for part in parts if name != stopped else ():
                host.sources[name].send_nowait(AxiStreamFrame(part))
        if stopped == "results":
            host.sink.clear_pause_generator()
            host.sink.pause = True
        armed_late = stopped in ("activations", "coefficients")
        assert await host.write("watchdog", 0 if armed_late else LIMIT)
        await host.queue(job)
        assert await host.write("enable", EVENT["error"])
        assert await host.write("control", COMMAND["start"])
        if armed_late:
            await ClockCycles(dut.aclk, job.steps(CONFIG) + 10 * LIMIT)
            assert await host.read("errors") == 0
            assert await host.write("watchdog", LIMIT)
        if stopped:
            if not dut.irq.value:
                await with_timeout(RisingEdge(dut.irq), PATIENCE * NANOSECONDS, "ns")
            assert await host.read("errors") == ERROR["stuck"]
            assert stopped == "results" or await host.read(f"waits_{stopped}") > 40
        else:
            await ClockCycles(dut.aclk, int(rng.integers(1, job.steps(CONFIG))))
        for source in host.sources.values():  # as a host stops its DMA engines
            source.clear()
            source.assert_reset(True)
        host.sink.pause = False
        await ClockCycles(dut.aclk, 2)
        assert await host.write("control", COMMAND["reset"])
        assert await host.read("status") == 0
        assert await host.read("steps") == 0
        assert await host.write("enable", 0)
        assert await host.write("watchdog", 0)
        assert await host.write("errors", ERROR["stuck"])
        if stopped:
            flagged("stuck")
        assert await host.write("pending", sum(EVENT.values()))
        assert not dut.irq.value
        await ClockCycles(dut.aclk, 50)
        host.sink.clear()
        host.sink.assert_reset()  # it may have taken a part of a vector's results
        for source in host.sources.values():
            source.assert_reset(False)
        host.interrupted = True
        await host.run([random_job(rng, CONFIG, tokens=2)])
