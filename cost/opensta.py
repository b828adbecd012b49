"""Static timing by OpenSTA, of the same gates under the same conditions as :mod:`cost.timing`."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cost.cells import Library
from cost.netlist import ONE, ZERO, Netlist
from cost.timing import end_of
from fpga.tools import tool_version

PROGRAM = "sta"

PERIOD = 1e-9
"""Seconds; less slack they are a path's time. Short, as OpenSTA computes in single precision."""

MARK = "without wires"

SCRIPT = """\
{libraries}
set_cmd_units -time ns
read_verilog design.v
link_design unit
create_clock -name clock -period {period} {clock}
set inputs [list {inputs}]
set_input_delay 0 -clock clock $inputs
set_input_transition {slew} $inputs
set_output_delay 0 -clock clock [all_outputs]
{report}
puts "{mark}"
set_load 0 [get_nets *]
{report}
exit
"""
"""A net's load of wires is that of the library's own model unless it is set."""

REPORT = "report_checks -path_delay max -format end -group_count {ends} -digits 6"

END = re.compile(r"^(\w+)(?:/(\w+))? \(.*\) +\S+ +\S+ +(-?[\d.]+) \((?:MET|VIOLATED)\)$", re.M)

CONSTANTS = {ZERO: "1'b0", ONE: "1'b1"}


@dataclass(frozen=True)
class Comparison:
    """Our timing of a unit beside OpenSTA's.

    Attributes
    ----------
    ours, theirs : float
        Seconds of the slowest path, without wires.
    with_wires : float
        Theirs with the library's default model of wires; as ``theirs`` where it has none.
    ends : int
        Compared, all that OpenSTA reports.
    mean, worst : float
        Absolute difference of ends, by OpenSTA's slowest path.
    """

    ours: float
    theirs: float
    with_wires: float
    ends: int
    mean: float
    worst: float

    @property
    def off(self) -> float:
        """Relative difference of the slowest paths."""
        return self.ours / self.theirs - 1


def compare(
    netlist: Netlist, library: Library, files: Sequence[Path], ours: Mapping[str, float]
) -> Comparison:
    """Compare paths to all ends that OpenSTA reports: those that begin at an input or a register.

    Parameters
    ----------
    files : sequence of Path
        Of the library: OpenSTA reads them itself.
    ours : mapping of str to float
        Ends of :func:`cost.timing.analyze`.
    """
    wired, theirs = paths(netlist, library, files)
    differences = np.array([abs(ours[end] - at) for end, at in theirs.items()])
    slowest = max(theirs.values())
    return Comparison(
        max(ours.values()), slowest, max(wired.values()), len(theirs),
        float(differences.mean() / slowest), float(differences.max() / slowest),
    )  # fmt: skip


def paths(
    netlist: Netlist, library: Library, files: Sequence[Path]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return OpenSTA's seconds to each end, with the library's default model of wires and without.

    Raises
    ------
    FileNotFoundError
        OpenSTA is not installed.
    RuntimeError
        It reported no paths; the text has the last of what it printed.
    """
    text, ends, inputs, clock = _verilog(netlist)
    script = SCRIPT.format(
        libraries="\n".join(f"read_liberty {{{path.resolve()}}}" for path in files),
        period=PERIOD * 1e9, clock=clock, inputs=" ".join(inputs), slew=library.slew * 1e9,
        report=REPORT.format(ends=len(ends)), mark=MARK,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        (folder / "design.v").write_text(text)
        (folder / "timing.tcl").write_text(script)
        printed = run(["-no_splash", "-no_init", "-exit", "timing.tcl"], folder)
    wired, _, bare = printed.partition(f"{MARK}\n")
    found = [
        {
            ends[(instance, pin)]: PERIOD - float(slack) * 1e-9
            for instance, pin, slack in END.findall(part)
        }
        for part in (wired, bare)
    ]
    if not all(found):
        raise RuntimeError(f"{PROGRAM} must report paths, got: {printed.strip()[-500:]}")
    return found[0], found[1]


def run(arguments: list[str], folder: Path) -> str:
    """Run OpenSTA in a folder and return what it printed.

    Raises
    ------
    FileNotFoundError
        It is not installed; the text says how to get it.
    """
    if shutil.which(PROGRAM) is None:
        raise FileNotFoundError(
            f"the Debian package opensta must be installed to run {PROGRAM}, found none; "
            "install it with: apt-get install opensta"
        )
    done = subprocess.run(
        [PROGRAM, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout


def version() -> str:
    """Return OpenSTA's version."""
    return run(["-version"], Path()).strip()


def record(found: Mapping[str, Comparison], library: str, opensta: str) -> dict[str, Any]:
    """Return comparisons by unit with what they depend on, to keep as JSON; nanoseconds."""
    return {
        "library": library, "yosys": tool_version("yosys"), "opensta": opensta,
        "units": {
            name: {
                "ours_ns": round(one.ours * 1e9, 4), "opensta_ns": round(one.theirs * 1e9, 4),
                "difference": round(one.off, 5), "with_wires_ns": round(one.with_wires * 1e9, 4),
                "ends": one.ends, "mean_difference_of_ends": round(one.mean, 5),
                "worst_difference_of_ends": round(one.worst, 5),
            }
            for name, one in found.items()
        },
    }  # fmt: skip


def table(found: Mapping[str, Comparison]) -> str:
    """Return comparisons as text, a line for each unit, then the mean and the worst of all."""
    lines = [
        (
            f"{'slowest path, ns':<50}{'ours':>8}{'OpenSTA':>9}{'off':>9}{'with wires':>12}"
            f"{'ends':>7}{'mean off':>10}{'worst':>8}"
        )
    ]
    lines += [
        f"{name:<50}{one.ours * 1e9:>8.3f}{one.theirs * 1e9:>9.3f}{100 * one.off:>+7.2f} %"
        f"{one.with_wires * 1e9:>12.3f}{one.ends:>7}{100 * one.mean:>8.2f} %"
        f"{100 * one.worst:>6.2f} %"
        for name, one in found.items()
    ]
    off = [abs(one.off) for one in found.values()]
    lines.append(
        f"slowest paths: mean difference {100 * sum(off) / len(off):.2f} %, worst "
        f"{100 * max(off):.2f} %; ends, of all {sum(one.ends for one in found.values())}: worst "
        f"{100 * max(one.worst for one in found.values()):.2f} % of their unit's slowest path"
    )
    return "\n".join(lines)


def _verilog(netlist: Netlist) -> tuple[str, dict[tuple[str, str], str], list[str], str]:
    """Return a netlist as Verilog, with a port for each bit.

    Returns
    -------
    str
    dict
        By instance and pin, or port and nothing, as OpenSTA calls them: our name of the end.
    list of str
        Inputs but for the clock.
    str
        The clock.
    """
    lines, ends, inputs, clock, names = [], {}, [], "", []
    for port, nets in netlist.ports.items():
        for bit, net in enumerate(nets):
            name = f"p{len(names)}"
            names.append(name)
            wire = CONSTANTS.get(net, f"n{net}")
            if port not in netlist.inputs:
                lines += [f"  output {name};", f"  assign {name} = {wire};"]
                ends[(name, "")] = end_of(port, bit)
                continue
            lines += [f"  input {name};", f"  assign {wire} = {name};"]
            if net == netlist.clock:
                clock = name
            else:
                inputs.append(name)
    for number, instance in enumerate(netlist.instances):
        name = f"i{number}"
        pins = ", ".join(
            f".{pin}({CONSTANTS.get(net, f'n{net}')})" for pin, net in instance.nets.items()
        )
        lines.append(f"  {instance.cell.name} {name} ({pins});")
        ends |= {(name, pin): end_of(instance.name, pin) for pin in instance.nets}
    wires = [f"  wire n{net};" for net in range(ONE + 1, netlist.nets)]
    head = f"module unit ({', '.join(names)});"
    return "\n".join([head, *wires, *lines, "endmodule", ""]), ends, inputs, clock
