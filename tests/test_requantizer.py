"""Requantizer: against the reference's rounding, some cycles later."""

from pathlib import Path

import numpy as np
import pytest
import torch
from amaranth.sim import SimulatorContext
from streams import simulate

from hwgen.config import HardwareConfig
from hwgen.emit import emit
from hwgen.requantize import Requantizer
from models.exact import requantize
from sim.verilated import Verilated

Case = tuple[int, int, int, int]
"""Total, scale, shift, and whether to requantize."""


def config_of(bits: int, acc_bits: int = 48, coef_bits: int = 16) -> HardwareConfig:
    return HardwareConfig(
        pe=1, lanes=1, act_bits=2, requantize_bits=bits, acc_bits=acc_bits, coef_bits=coef_bits
    )


def due(case: Case, config: HardwareConfig) -> int:
    total, scale, shift, enable = case
    if not (enable and config.requantize_bits):
        return total
    return int(requantize(torch.tensor(total * scale), shift, config.requantize_bits))


def run(config: HardwareConfig, cases: list[Case]) -> None:
    """Send a case a cycle; its result follows ``requantize_cycles`` later."""
    dut, later = Requantizer(config), config.requantize_cycles

    async def bench(ctx: SimulatorContext) -> None:
        for cycle in range(len(cases) + later):
            if cycle < len(cases):
                total, scale, shift, enable = cases[cycle]
                ctx.set(dut.total, total)
                ctx.set(dut.scale, scale)
                ctx.set(dut.shift, shift)
                ctx.set(dut.enable, enable)
            if cycle >= later:
                case = cases[cycle - later]
                got, want = ctx.get(dut.result), due(case, config)
                assert got == want, f"{case}: got {got}, want {want}"
            await ctx.tick()

    simulate(dut, bench)


def near_ties(shift: int, high: int) -> list[Case]:
    """Products on, just below and just above each half near zero and near saturation."""
    half = (1 << shift) >> 1
    return [
        (wanted * (1 << shift) + half + delta, 1, shift, 1)
        for wanted in (-high - 2, -high - 1, -2, -1, 0, 1, high - 1, high, high + 1)
        for delta in (-1, 0, 1)
    ]


@pytest.mark.parametrize("bits", [2, 8, 16])
@pytest.mark.parametrize("shift", [0, 1, 2, 3, 20])
def test_ties_and_saturation(bits: int, shift: int) -> None:
    run(config_of(bits), near_ties(shift, (1 << (bits - 1)) - 1))


def every_shift(acc_bits: int, coef_bits: int) -> list[Case]:
    """Make cases up to the largest shift of a layer, also past the width of the product."""
    top, scale = 1 << (acc_bits - 1), 1 << (coef_bits - 1)
    rng = np.random.default_rng(acc_bits)
    return [
        (total, factor, shift, 1)
        for shift in range(63)
        for total in (-top, top - 1, -1, 0, 1, int(rng.integers(-top, top)))
        for factor in (-scale, scale - 1, -1, 1)
    ]


@pytest.mark.parametrize(("acc_bits", "coef_bits"), [(48, 16), (8, 2), (20, 16), (17, 5)])
def test_every_shift(acc_bits: int, coef_bits: int) -> None:
    run(config_of(8, acc_bits, coef_bits), every_shift(acc_bits, coef_bits))


def test_every_shift_in_verilog(tmp_path: Path) -> None:
    """Amaranth's simulator and Verilog differ on selecting a bit that a signed value has not."""
    config = config_of(8, acc_bits=20)
    source = tmp_path / "requantizer.v"
    source.write_text(emit(config)["requantizer"])
    with Verilated.build([source], "requantizer", build_dir=tmp_path / "build") as dut:
        for case in every_shift(config.acc_bits, config.coef_bits):
            total, scale, shift, enable = case
            dut["total"] = total % (1 << config.acc_bits)
            dut["scale"] = scale % (1 << config.coef_bits)
            dut["shift"] = shift
            dut["enable"] = enable
            dut.clock(config.requantize_cycles)
            assert dut["result"] == due(case, config) % (1 << config.acc_bits), case


@pytest.mark.parametrize("bits", [0, 5])
def test_passes_totals_on(bits: int) -> None:
    """Where not enabled, and always without the unit; the two kinds may alternate."""
    config = config_of(bits)
    rng = np.random.default_rng(bits)
    totals = [-(1 << 47), (1 << 47) - 1, 0, *rng.integers(-(1 << 47), 1 << 47, 40).tolist()]
    run(config, [(total, 3, 40, number & 1) for number, total in enumerate(totals)])
