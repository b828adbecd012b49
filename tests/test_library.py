"""Libraries of Verilog modules: built once, whole or not at all, and what fails is named."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.library import build_library
from sim.verilated import Verilated

ADDER = """\
module adder(input wire [7:0] a, output wire [7:0] o);
    assign o = a + 1;
endmodule
"""


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache for the whole session: the run-time library is compiled once."""
    return tmp_path_factory.getbasetemp() / "user cache" / "planesmith" / "verilated"


def write(path: Path, text: str) -> list[Path]:
    path.write_text(text)
    return [path]


def test_built_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = build_library(write(tmp_path / "adder.v", ADDER), "adder", cache, waves=False)
    before = library.stat()
    assert build_library(write(tmp_path / "b.v", ADDER), "adder", cache, waves=False) == library
    after = library.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    changed = write(tmp_path / "adder.v", ADDER.replace("+ 1", "+ 2"))
    other = build_library(changed, "adder", cache, waves=False)
    assert other != library
    with Verilated(library) as one, Verilated(other) as two:
        one["a"] = two["a"] = 255
        one.eval()
        two.eval()
        assert (one["o"], two["o"]) == (0, 1)

    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent.parent))
    assert build_library(changed, "adder", None, waves=False) == other


def test_interrupted_and_racing_builds(cache: Path, tmp_path: Path) -> None:
    build_library(write(tmp_path / "adder.v", ADDER), "adder", cache, waves=False)
    source = write(tmp_path / "late.v", ADDER.replace("adder", "late"))[0]
    work = tmp_path / "work"
    work.mkdir()
    code = (
        "import sys; from pathlib import Path; from sim.verilated import Verilated; "
        "dut = Verilated.build([Path(sys.argv[1])], 'late', build_dir=Path(sys.argv[2])); "
        "dut['a'] = 3; dut.eval(); assert dut['o'] == 4"
    )

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(source), str(cache)],
            env=os.environ | {"TMPDIR": str(work)},
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
        )

    killed = start()
    while not list(work.glob("*/shim.cpp")):
        assert killed.poll() is None, "a build must write its C interface before it ends"
        time.sleep(0.005)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not list(cache.glob("late*"))

    racing = [start(), start()]
    assert [process.wait() for process in racing] == [0, 0]
    assert len(list(cache.glob("late*"))) == 1
    assert not list(cache.glob(".*"))


def test_failing_build_names_its_log(cache: Path, tmp_path: Path) -> None:
    sources = write(tmp_path / "broken.v", "module broken(input clk; endmodule")
    first = r"%Error: \S*broken\.v:1:\d+: syntax error.*"
    pattern = rf"^verilator must succeed, got: {first}; full log: (.+)$"
    with pytest.raises(RuntimeError, match=pattern) as caught:
        build_library(sources, "broken", cache, waves=False)
    log = re.search(pattern, str(caught.value))
    assert log is not None
    assert "Exiting due to" in Path(log[1]).read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module odd(output real r); endmodule", r"^ports must be bits, .*, got: double &r;$"),
        ("module odd; endmodule", r"^the module must have ports, got none$"),
    ],
)
def test_ports_it_cannot_have(cache: Path, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_library(write(tmp_path / "odd.sv", text), "odd", cache, waves=False)
