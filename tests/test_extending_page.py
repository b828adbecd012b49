"""The page on extending and the tutorial, walked: their own lines, in a copy of the sources."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import liberties
import pytest
import tiny

from fpga import boards
from fpga.design import design_of
from hwgen.config import HardwareConfig

ROOT = Path(__file__).parents[1]
PACKAGES = ("models", "hwgen", "fpga", "cost", "explore", "sim")
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


def blocks(page: str, section: str) -> list[tuple[str, str, str]]:
    """Return language, title and text of each block of a section, in order."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    part = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return BLOCK.findall(part)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy the sources, and a cell library."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    (tmp_path / "build").mkdir()
    (tmp_path / "build/cells.lib").write_text(liberties.text())
    return tmp_path


def command(line: str, folder: Path) -> str:
    """Run a command of the page in a folder; return what it printed."""
    words = shlex.split(line)
    assert words[:2] == ["python", "-m"]
    done = subprocess.run(
        [sys.executable, *words[1:]], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_a_kind_of_element(copy: Path) -> None:
    """Its gates compute the sums of products, or synth fails; its path is the shorter one."""
    found = blocks("extending.md", "A kind of element")
    plain = command("python -m sim synth build/cells.lib --kind addsub --lanes 4 --json", copy)
    for language, title, text in found:
        if language != "diff":
            continue
        file, lines = copy / title, text.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if line.startswith("-"))
        new = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
        before = file.read_text("utf-8")
        assert before.count(old) == 1, f"{title} no longer has: {old}"
        file.write_text(before.replace(old, new), "utf-8")
    for language, _, text in found:
        for line in text.splitlines() if language == "sh" else []:
            command(line, copy)
    staged = command("python -m sim synth build/cells.lib --kind staged --lanes 4 --json", copy)

    def path(text: str) -> float:
        return float(re.findall(r'"critical_ns": ([\d.]+)', text)[0])

    assert path(staged) < path(plain)
    assert (copy / "build/staged/top.v").is_file()


def test_a_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "BOARDS", dict(boards.BOARDS))
    ((_, _, code),) = blocks("extending.md", "A board")
    exec(compile(code, "docs/extending.md", "exec"), {})
    board = boards.board_of("ecpix5")
    design = design_of("ecpix5", board, HardwareConfig(**board.circuit), board.clock)
    assert "module board(" in design.verilog
    assert 'LOCATE COMP "rx" SITE' in design.constraints


def test_a_technology(copy: Path) -> None:
    """With two of the standard units, as all of them take minutes."""
    (_, _, first), (_, _, code), (_, _, last) = blocks("extending.md", "A technology")
    assert first.strip() == "python -m sim synth build/cells.lib --standard -o build/cells.json"
    short = "import cost.standard as s; s.UNITS = dict(list(s.UNITS.items())[4:6]);"
    short += "s.WITH_GLITCHES = ('addsub, 2 bits',);"
    short += "from sim.__main__ import main; from models.cli import run; run('sim', main)"
    words = [sys.executable, "-c", short, *shlex.split(first)[3:]]
    subprocess.run(words, cwd=copy, check=True, capture_output=True)
    subprocess.run([sys.executable, "-c", code], cwd=copy, check=True)
    text = command(last.strip(), copy)
    assert "mine" in text
    assert "the standard units of build/cells.json" in text


def test_the_tutorial(copy: Path) -> None:
    """On a tiny model; the bitstream at its end is made by the tests of boards."""
    model = tiny.save(copy / "llama")
    (copy / "build/text.txt").write_text("on two on on two two on " * 400, "utf-8")
    text = (ROOT / "docs/tutorial.md").read_text("utf-8")
    ran = 0
    for language, title, block in BLOCK.findall(text):
        here = block.replace("smollm2", str(model))
        if title:
            (copy / title).write_text(here, "utf-8")
        for line in here.splitlines() if language == "sh" else []:
            if " fpga build " in line:
                continue
            line = line.replace("--tokens 2048", "--tokens 160 --context 16")
            small = " --workers 0 --kept build/kept" if " explore " in line else ""
            if small:
                space = copy / "build/mine.toml"
                plain = space.read_text("utf-8").split("[evaluate]")[0]
                space.write_text(plain + "[evaluate]\ntokens = 160\ncontext = 16\n", "utf-8")
            command(line + small, copy)
            ran += 1
    assert ran == 8
    assert (copy / "build/mine.html").stat().st_size > 10_000
