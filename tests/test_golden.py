"""The committed Verilog is what the generator writes today."""

from pathlib import Path

import pytest

from hwgen.__main__ import write_set
from hwgen.config import HardwareConfig

GOLDEN = Path(__file__).parents[1] / "rtl" / "k2_pe4"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("golden") / "set"
    write_set(HardwareConfig(k=2, pe=4, lanes=8, columns=64), folder)
    return folder


def test_same_files(written: Path) -> None:
    assert sorted(file.name for file in written.iterdir()) == sorted(
        file.name for file in GOLDEN.iterdir()
    )


@pytest.mark.parametrize(
    "name", ["top.v", "config.json", "ports.md", "planesmith.core", "diagram.svg"]
)
def test_same_text(written: Path, name: str) -> None:
    assert (written / name).read_text() == (GOLDEN / name).read_text(), "run: make golden"
