"""What is measured: a processing element, a row with its accumulator, or a baseline."""

from dataclasses import asdict, dataclass
from math import ceil
from typing import Any

import numpy as np

from cost.activity import Activity
from cost.baseline import Baseline
from cost.counter import Counter
from cost.stimulus import (
    Drive,
    Work,
    drive,
    drive_baseline,
    drive_counter,
    drive_element,
    integers,
)
from fpga.unit import ACCUMULATOR_BITS, unit_verilog
from hwgen.config import HardwareConfig
from hwgen.emit import emit_parts
from hwgen.pe import ProcessingElement


@dataclass(frozen=True)
class Element:
    """One processing element of a circuit, as its array has it.

    Attributes
    ----------
    config : HardwareConfig
    """

    config: HardwareConfig

    top = "pe"

    @property
    def lanes(self) -> int:
        """Columns of a word."""
        return self.config.lanes

    @property
    def word_cycles(self) -> int:
        """Cycles that a word takes."""
        return self.config.digits

    @property
    def weights(self) -> tuple[int, int]:
        """Smallest and largest weight."""
        return -int(self.config.signed_weights), 1

    @property
    def codes(self) -> tuple[int, int]:
        """Smallest and largest activation."""
        return self.config.code_range

    @property
    def macs(self) -> float:
        """Multiplications a cycle."""
        return self.config.lanes / self.config.digits

    @property
    def bit_macs(self) -> float:
        """Bits of activations times weights a cycle."""
        return float(self.config.lanes * self.config.digit)

    def verilog(self) -> str:
        """Return its Verilog."""
        return "\n".join(emit_parts({"pe": ProcessingElement(self.config)}, self.config).values())

    def drive(self, work: Work) -> Drive:
        """Return what its ports get."""
        return drive_element(work, self.config)

    def right(self, work: Work, activity: Activity, end: Drive) -> bool:
        """Whether the sums of all words came out."""
        config = self.config
        sequences, rows, columns = work.weights.shape
        words = columns // config.lanes
        laid = work.weights.reshape(sequences, words, config.lanes).astype(np.int64)
        wanted = np.einsum("swl,swl->ws", laid, work.codes.reshape(laid.shape))
        at = end.begin + config.digits * np.arange(1, words + 1)
        got = [integers(activity.outputs["sum"][cycle], config.dot_bits)[:, 0] for cycle in at]
        return rows == 1 and np.array_equal(np.stack(got), wanted)

    def describe(self) -> dict[str, Any]:
        """Return what it is."""
        return {"unit": "element", **asdict(self.config)}


@dataclass(frozen=True)
class Row(Element):
    """Rows of a circuit alone: elements, a 32-bit accumulator each, and a register of operands."""

    top = "unit"

    def verilog(self) -> str:
        """Return its Verilog."""
        return unit_verilog(self.config)

    def drive(self, work: Work) -> Drive:
        """Return what its ports get."""
        return drive(work, self.config)

    def right(self, work: Work, activity: Activity, end: Drive) -> bool:
        """Whether the accumulators hold the sums of products."""
        got = integers(activity.outputs["totals"][-1], ACCUMULATOR_BITS)
        return np.array_equal(got, work.expected())

    def describe(self) -> dict[str, Any]:
        """Return what it is."""
        return {"unit": "rows with accumulators", **asdict(self.config)}


@dataclass(frozen=True)
class Plain:
    """A baseline as a unit to measure."""

    baseline: Baseline

    top = "pe"

    @property
    def lanes(self) -> int:
        """Columns of a word."""
        return self.baseline.lanes

    @property
    def word_cycles(self) -> int:
        """Cycles that a word takes."""
        return 1

    @property
    def weights(self) -> tuple[int, int]:
        """Smallest and largest weight: symmetric."""
        most = (1 << self.baseline.weight_bits - 1) - 1
        return -most, most

    @property
    def codes(self) -> tuple[int, int]:
        """Smallest and largest activation: symmetric."""
        most = (1 << self.baseline.act_bits - 1) - 1
        return -most, most

    @property
    def macs(self) -> float:
        """Multiplications a cycle."""
        return float(self.baseline.lanes)

    @property
    def bit_macs(self) -> float:
        """Bits of activations times bits of weights a cycle."""
        return self.macs * self.baseline.act_bits * self.baseline.weight_bits

    def verilog(self) -> str:
        """Return its Verilog."""
        return self.baseline.verilog()

    def drive(self, work: Work) -> Drive:
        """Return what its ports get."""
        one = self.baseline
        return drive_baseline(work, one.lanes, one.weight_bits, one.act_bits)

    def right(self, work: Work, activity: Activity, end: Drive) -> bool:
        """Whether the sums of all words came out."""
        lanes = self.baseline.lanes
        laid = work.weights.reshape(len(work.weights), -1, lanes).astype(np.int64)
        wanted = np.einsum("swl,swl->ws", laid, work.codes.reshape(laid.shape))
        sums = activity.outputs["sum"]
        got = [integers(sums[2 + w], self.baseline.sum_bits)[:, 0] for w in range(len(wanted))]
        return np.array_equal(np.stack(got), wanted)

    def describe(self) -> dict[str, Any]:
        """Return what it is."""
        return {"unit": "baseline", **asdict(self.baseline)}


@dataclass(frozen=True)
class Counting:
    """A counter as a unit to measure, with 8-bit activations."""

    counter: Counter

    top = "pe"
    bits = 8

    @property
    def config(self) -> HardwareConfig:
        """The circuit whose elements do the same."""
        return HardwareConfig(pe=1, k=1, lanes=self.counter.lanes, act_bits=self.bits)

    @property
    def lanes(self) -> int:
        """Columns of a word."""
        return self.counter.lanes

    @property
    def word_cycles(self) -> int:
        """Cycles that a word takes."""
        return self.bits

    @property
    def weights(self) -> tuple[int, int]:
        """Smallest and largest weight."""
        return 0, 1

    @property
    def codes(self) -> tuple[int, int]:
        """Smallest and largest activation."""
        return -(1 << self.bits - 1), (1 << self.bits - 1) - 1

    @property
    def macs(self) -> float:
        """Multiplications a cycle."""
        return self.lanes / self.bits

    @property
    def bit_macs(self) -> float:
        """Bits of activations times weights a cycle."""
        return float(self.lanes)

    def verilog(self) -> str:
        """Return its Verilog."""
        return self.counter.verilog()

    def drive(self, work: Work) -> Drive:
        """Return what its ports get."""
        return drive_counter(work, self.lanes, self.bits)

    def right(self, work: Work, activity: Activity, end: Drive) -> bool:
        """Whether the accumulator held the sums of products."""
        got = integers(activity.outputs["sum"][end.end + 1], ACCUMULATOR_BITS)
        return np.array_equal(got, work.expected())

    def describe(self) -> dict[str, Any]:
        """Return what it is."""
        return {"unit": "counter", **asdict(self.counter), "act_bits": self.bits}


Unit = Element | Plain | Counting


def columns_of(unit: Unit, cycles: int) -> int:
    """Return the columns of work that keeps a unit busy for so many cycles or a few more."""
    return ceil(cycles / unit.word_cycles) * unit.lanes
