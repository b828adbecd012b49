"""Components with what they place inside them: Amaranth's simulator cannot run instances."""

import pytest
from amaranth import Module
from amaranth.lib.wiring import connect, flipped

from hwgen.config import HardwareConfig
from hwgen.gatherer import Gatherer
from hwgen.pe import ProcessingElement
from hwgen.placed import Placed
from hwgen.requantize import Requantizer
from hwgen.scaler import Scaler

MAKERS = {
    "gatherer": Gatherer, "pe": ProcessingElement, "requantizer": Requantizer, "scaler": Scaler,
}  # fmt: skip


def inline(monkeypatch: pytest.MonkeyPatch, config: HardwareConfig) -> None:
    """Let placed modules elaborate to the components that they stand for."""

    def elaborate(self: Placed, platform: object) -> Module:
        m = Module()
        m.submodules.inside = inside = MAKERS[self.module](config)
        connect(m, inside, flipped(self))
        return m

    monkeypatch.setattr(Placed, "elaborate", elaborate)
