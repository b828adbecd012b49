"""Tools of the simulation: their versions, and one line when one is missing."""

import re
import shutil
from pathlib import Path

import pytest

from sim import tools


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("perl", r"^perl must be on PATH to run Verilator, .*: apt-get install perl$"),
        ("make", r"^make must be on PATH to build a simulation, .*: apt-get install make$"),
        (
            "g++",
            r"^g\+\+ must be on PATH to build a simulation, found none; install it with: .* g\+\+$",
        ),
    ],
)
def test_missing_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, message: str
) -> None:
    for program in {"perl", "make", "g++"} - {missing}:
        found = shutil.which(program)
        assert found is not None
        (tmp_path / program).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(FileNotFoundError, match=message):
        tools.build_environment()


def test_missing_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "false")
    message = r"^lz4.h must be on the compiler's include path .*: apt-get install liblz4-dev$"
    with pytest.raises(FileNotFoundError, match=message):
        tools.require_fst()


def test_versions() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+ \(.*rev .*\)", tools.verilator_version())
    assert re.search(r"\d+\.\d+", tools.compiler_version())
