"""Memory parts known by name, from their data sheets: see ``memories.toml``."""

import tomllib
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

from models.checks import require
from models.cli import nearest
from sim.memory import Memory


@dataclass(frozen=True)
class Part:
    """A memory part, from its data sheet.

    Attributes
    ----------
    bandwidth : float
        Bytes a second at the pins.
    row_bytes : int
    row_ns, refresh_ns, refresh_every_ns, latency_ns : float
        Precharge and activation of a row; a refresh; the time between two of them; access time.
    source : str
    """

    bandwidth: float
    latency_ns: float
    row_bytes: int
    row_ns: float
    refresh_ns: float
    refresh_every_ns: float
    source: str

    def at(self, clock_hz: float, ahead: int = 2) -> Memory:
        """Return the part as a circuit of this clock sees it; fractions of cycles count whole."""

        def cycles(nanoseconds: float) -> int:
            return ceil(nanoseconds * 1e-9 * clock_hz - 1e-9)

        return Memory(
            self.bandwidth / clock_hz, cycles(self.latency_ns), ahead,
            self.row_bytes, cycles(self.row_ns),
            int(self.refresh_every_ns * 1e-9 * clock_hz), cycles(self.refresh_ns),
        )  # fmt: skip


@cache
def known_parts() -> dict[str, Part]:
    """Return the memory parts that are known by name."""
    table = tomllib.loads(Path(__file__).with_name("memories.toml").read_text())
    return {name: Part(**figures) for name, figures in table.items()}


def memory_of(name: str | None, bandwidth: float, clock_hz: float) -> Memory:
    """Return a part by its name, or without one a memory of this bandwidth and no latency.

    Parameters
    ----------
    bandwidth : float
        Bytes a second.
    """
    if name is None:
        return Memory(bandwidth / clock_hz)
    known = known_parts()
    require(name in known, "memory", f"be a known part ({nearest(name, known)})", name)
    return known[name].at(clock_hz)
