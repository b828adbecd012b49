"""The circuit on AXI, Verilated in this process, with a host that writes registers and streams."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwgen.axi_lite import OKAY
from hwgen.axi_stream import INPUTS
from hwgen.config import HardwareConfig
from hwgen.registers import COMMANDS, ERRORS, register_map
from sim.axi import frames, from_frames, layer_writes
from sim.jobs import Job
from sim.streams import Sink, Source
from sim.verilated import Verilated

PATIENCE = 20_000
"""Cycles without a transfer after which the circuit counts as stuck."""
LIMIT = 4
"""Cycles to which the watchdog is lowered when twice as many have passed without a word."""


class AxiEngine:
    """A circuit of a configuration with ``bus="axi"``; every run begins with a reset.

    Parameters
    ----------
    library : Path
        Shared library of its module ``top_axi``.
    """

    def __init__(self, config: HardwareConfig, library: Path) -> None:
        self.config = config
        self._dut = Verilated(library)
        self._address = {row.name: row.address for row in register_map(config)}

    def close(self) -> None:
        """End the circuit."""
        self._dut.close()

    def run(
        self, jobs: list[Job], *, idle: float = 0.0, stall: float = 0.0, seed: int = 0
    ) -> list[NDArray[np.int64]]:
        """Queue as many jobs as fit, run them, and so on; return the results, (tokens, out) each.

        Words come a little later than the start, and the watchdog is lowered meanwhile.

        Raises
        ------
        RuntimeError
            A write was refused, an error flag is set or missing, a counter is wrong, or the circuit
            is stuck.
        """
        self._reset()
        found, depth = [], self.config.layer_queue
        rng = np.random.default_rng(seed)
        for start in range(0, len(jobs), depth):
            part = jobs[start : start + depth]
            for job in part:
                for address, value in layer_writes(job, self.config):
                    self._write(address, value)
                self._command("push")
            self._command("start")
            self._starve()
            found += self._stream(part, idle, stall, rng)
            for _ in range(4):
                self._clock()
        due = {
            "errors": 0,
            "status": 0,
            "steps": sum(job.steps(self.config) for job in jobs),
            "vectors": sum(len(job.codes) for job in jobs),
        }
        got = {name: self._read(self._address[name]) for name in due}
        if got != due:
            raise RuntimeError(f"registers must be {due}, got {got}")
        return found

    def _reset(self) -> None:
        self._dut["aresetn"] = 0
        for name in INPUTS:
            self._dut[f"s_axis_{name}_tvalid"] = 0
        for name in ("awvalid", "wvalid", "arvalid"):
            self._dut[f"s_axil_{name}"] = 0
        self._dut["s_axil_bready"] = self._dut["s_axil_rready"] = 1
        self._dut["m_axis_results_tready"] = 0
        self._clock()
        self._clock()
        self._dut["aresetn"] = 1
        self._settle()

    def _settle(self) -> None:
        self._dut["aclk"] = 0
        self._dut.eval()

    def _clock(self) -> None:
        self._settle()
        self._dut["aclk"] = 1
        self._dut.eval()
        self._settle()

    def _command(self, name: str) -> None:
        self._write(self._address["control"], 1 << list(COMMANDS).index(name))

    def _starve(self) -> None:
        """Lower the watchdog below the cycles that passed without a word; clear what it says."""
        for _ in range(2 * LIMIT):
            self._clock()
        self._write(self._address["watchdog"], LIMIT)
        flags, stuck = self._read(self._address["errors"]), 1 << list(ERRORS).index("stuck")
        self._write(self._address["watchdog"], 0)
        self._write(self._address["errors"], flags)
        if flags != stuck:
            raise RuntimeError(f"errors must be {stuck} when the watchdog is lowered, got {flags}")

    def _write(self, address: int, value: int) -> None:
        dut = self._dut
        dut["s_axil_awaddr"], dut["s_axil_wdata"], dut["s_axil_wstrb"] = address, value, 15
        dut["s_axil_awvalid"] = dut["s_axil_wvalid"] = 1
        self._clock()
        dut["s_axil_awvalid"] = dut["s_axil_wvalid"] = 0
        self._clock()
        if not dut["s_axil_bvalid"] or dut["s_axil_bresp"] != OKAY:
            raise RuntimeError(f"write of {value} to {address:#x} must be done, got a refusal")
        self._clock()

    def _read(self, address: int) -> int:
        dut = self._dut
        dut["s_axil_araddr"], dut["s_axil_arvalid"] = address, 1
        self._clock()
        dut["s_axil_arvalid"] = 0
        self._clock()
        if not dut["s_axil_rvalid"] or dut["s_axil_rresp"] != OKAY:
            raise RuntimeError(f"read of {address:#x} must be done, got a refusal")
        value = dut["s_axil_rdata"]
        self._clock()
        return value

    def _stream(
        self, jobs: list[Job], idle: float, stall: float, rng: np.random.Generator
    ) -> list[NDArray[np.int64]]:
        """Feed jobs that were queued, and take their results."""
        dut = self._dut
        sources = {}
        for name in INPUTS:
            size = -(-dut.ports[f"s_axis_{name}_tdata"].width // 8)
            beats = []  # with TLAST above the data
            for job in jobs:
                for frame in frames(job, self.config)[name]:
                    cut = [frame[at : at + size] for at in range(0, len(frame), size)]
                    beats += [int.from_bytes(part, "little") for part in cut]
                    beats[-1] |= 1 << 8 * size
            sources[name] = (Source(beats, idle, rng), size)
        sink = Sink(stall, rng)
        wanted = sum(len(job.codes) for job in jobs)
        size = -(-dut.ports["m_axis_results_tdata"].width // 8)
        taken: list[bytes] = [b""]
        still = 0
        while len(taken) <= wanted:
            offered = {name: source.offer() for name, (source, _) in sources.items()}
            for name, word in offered.items():
                dut[f"s_axis_{name}_tvalid"] = int(word is not None)
                if word is not None:
                    bits = 8 * sources[name][1]
                    dut[f"s_axis_{name}_tdata"] = word & (1 << bits) - 1
                    if name == "activations":
                        dut["s_axis_activations_tlast"] = word >> bits
            dut["m_axis_results_tready"] = int(sink.ready())
            self._settle()
            moved = [
                source.end_cycle(bool(dut[f"s_axis_{name}_tready"]))
                for name, (source, _) in sources.items()
            ]
            valid = bool(dut["m_axis_results_tvalid"])
            word = dut["m_axis_results_tdata"] if valid else None
            if sink.end_cycle(word):
                taken[-1] += sink.words[-1].to_bytes(size, "little")
                moved.append(True)
                if dut["m_axis_results_tlast"]:
                    taken.append(b"")
            still = 0 if any(moved) else still + 1
            if still > PATIENCE:
                raise RuntimeError(f"the circuit must go on, got {PATIENCE} cycles of nothing")
            self._clock()
        found, at = [], 0
        for job in jobs:
            found.append(from_frames(taken[at : at + len(job.codes)], job, self.config))
            at += len(job.codes)
        return found
