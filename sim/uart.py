"""A module with a serial line, simulated behind a pseudo-terminal: a board without a board."""

import os
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from models.checks import require
from sim import tools
from sim.rtl import QUICK_BUILD

DIVISOR, LINK, IDLE_SECONDS = (
    f"PLANESMITH_UART_{name}" for name in ("DIVISOR", "LINK", "IDLE_SECONDS")
)
"""Environment variables that tell the bench its parameters."""

PERIOD_NS = 10
"""Of the simulated clock."""


def serve(
    source: Path,
    top: str,
    divisor: int,
    link: Path,
    *,
    idle_seconds: float = 600,
    quick: bool = False,
) -> None:
    """Simulate a module and serve its serial line; return when the link was removed, or is idle.

    Parameters
    ----------
    source : Path
        Verilog.
    top : str
        Its top module: inputs ``clk``, ``rst`` and ``rx``, output ``tx``.
    divisor : int
        Cycles of a bit.
    link : Path
        Becomes a symbolic link to the pseudo-terminal once the simulation runs; a host opens it as
        a serial port. Remove it to end the simulation.
    idle_seconds : float
        End after so long without a byte.
    quick : bool
        Compile without optimization: sooner ready, slower then.

    Raises
    ------
    RuntimeError
        The simulation failed; the text says where its log is.
    FileNotFoundError, FileExistsError
        A tool or the source is missing; the link exists.
    """
    require(divisor >= 4, "divisor", "be 4 or more", divisor)
    require(not link.is_symlink() and not link.exists(), "link", "be a new name", link)
    if not source.is_file():
        raise FileNotFoundError(f"Verilog to simulate must be there, got {source}")
    build = source.absolute().parent / f"{source.stem}_uart"
    build.mkdir(exist_ok=True)
    results = build / "results.xml"
    results.unlink(missing_ok=True)
    before = dict(os.environ)
    os.environ.update(tools.build_environment())
    if quick:
        os.environ["MAKEFLAGS"] += f" {QUICK_BUILD}"
    os.environ.update({
        DIVISOR: str(divisor), LINK: str(link.absolute()), IDLE_SECONDS: str(idle_seconds),
    })  # fmt: skip
    try:
        runner = get_runner("verilator")
        runner.build(
            sources=[source.absolute()],
            hdl_toplevel=top,
            build_dir=build,
            build_args=["-Wno-fatal", "--no-public-flat-rw", "--public-depth", "1"],
            timescale=("1ns", "1ps"),
            log_file=build / "build.log",
        )
        runner.test(
            hdl_toplevel=top,
            test_module="sim.bench_uart",
            build_dir=build,
            test_dir=build,
            results_xml=str(results),
            log_file=build / "test.log",
        )
    except SystemExit:
        pass  # cocotb's way to tell of failures: counted below
    finally:
        os.environ.clear()
        os.environ.update(before)
        link.unlink(missing_ok=True)
    ran, failed = get_results(results) if results.exists() else (0, 0)
    if failed or not ran:
        raise RuntimeError(f"the simulation of {top} failed; see {build / 'test.log'}")
