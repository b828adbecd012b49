"""Build a circuit with Verilator and run a cocotb bench on it."""

import json
import os
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from models.files import alone_in
from sim import tools

VARIABLE = "PLANESMITH_CONFIG"
"""Environment variable that tells a bench its configuration."""

QUICK_BUILD = "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
"""Benches run some ten thousand cycles: compiling is what takes time (optimized, 54 s instead of
15 for the smallest configuration, and 76 instead of 25 for the default one)."""

WAIVERS = Path(__file__).with_name("waivers.vlt")


BENCHES = {"stream": "sim.bench_top", "axi": "sim.bench_axi"}
"""Bench of a whole circuit, by its bus."""


def bench_config() -> HardwareConfig:
    """Return the configuration of the circuit that this bench runs on."""
    return HardwareConfig(**json.loads(os.environ[VARIABLE]))


def run_bench(
    bench: str, config: HardwareConfig, folder: Path, *, seed: int = 1, waves: bool = False
) -> int:
    """Run all tests of a bench on a circuit.

    Parameters
    ----------
    bench : str
        Module of cocotb tests.
    folder : Path
        Takes a folder for each configuration, with the build, the log and the waves.

    Returns
    -------
    int
        How many tests ran; all passed.

    Raises
    ------
    RuntimeError
        A test failed, or none ran.
    FileNotFoundError
        A tool is missing.
    """
    if waves:
        tools.require_fst()
    text = verilog(config)
    key = sha256((text + str(waves)).encode()).hexdigest()[:12]
    build = folder.absolute() / f"{name(config)}-{key}"
    build.mkdir(parents=True, exist_ok=True)
    environment = tools.build_environment() | {VARIABLE: json.dumps(asdict(config))}
    environment["MAKEFLAGS"] += f" {QUICK_BUILD}"
    with alone_in(build):
        ran, failed = _build_and_test(bench, config.top, build, text, environment, seed, waves)
    if failed or not ran:
        raise RuntimeError(
            f"{bench} on {name(config)}: {failed} of {ran} tests failed with seed {seed}; "
            f"see {build / 'test.log'}"
        )
    return ran


def _build_and_test(
    bench: str,
    top: str,
    build: Path,
    text: str,
    environment: dict[str, str],
    seed: int,
    waves: bool,
) -> tuple[int, int]:
    """Build in a folder and run a bench there; return how many tests ran, and failed."""
    source = build / "top.v"
    if not source.exists() or source.read_text() != text:
        source.write_text(text)
    results = build / "results.xml"
    results.unlink(missing_ok=True)
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        runner = get_runner("verilator")
        runner.build(
            sources=[source],
            hdl_toplevel=top,
            build_dir=build,
            build_args=["-Wno-fatal", *(["--trace-fst"] if waves else [])],
            waves=waves,
            timescale=("1ns", "1ps"),
            log_file=build / "build.log",
        )
        runner.test(
            hdl_toplevel=top,
            test_module=bench,
            build_dir=build,
            test_dir=build,
            seed=seed,
            waves=waves,
            results_xml=str(results),
            log_file=build / "test.log",
        )
    except SystemExit:
        pass  # cocotb's way to tell of failures, and of benches without a test: counted below
    finally:
        os.environ.clear()
        os.environ.update(before)
    return get_results(results) if results.exists() else (0, 0)


def name(config: HardwareConfig) -> str:
    """Short name of a configuration: what differs from the default."""
    default = asdict(HardwareConfig())
    shape = f"k{config.k}_pe{config.pe}_lanes{config.lanes}_act{config.act_bits}"
    rest = [
        f"{key}{value}"
        for key, value in asdict(config).items()
        if value != default[key] and key not in ("k", "pe", "lanes", "act_bits")
    ]
    return "_".join([shape, *rest])
