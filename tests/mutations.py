"""Break each class of component on purpose and note who finds it: the proof, the bench.

python tests/mutations.py docs/records/mutations.json

What the file has already is not run again.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import test_formal
import test_formal_bus
from formal_pe import checked, element_of
from prover import holds, write_problems

from hwgen.config import HardwareConfig
from hwgen.emit import emit, joined, verilog
from models.files import whole_file
from sim.axi_engine import AxiEngine
from sim.cases import FLOWS, every_kind, random_job
from sim.counts import count_ones
from sim.engine import Engine
from sim.library import build_library
from sim.sweep import runs

MOST_ROWS = 96
"""Of a layer: results of more bundles than wait in a circuit."""

AROUND = HardwareConfig(
    k=2, pe=4, lanes=2, act_bits=2, columns=12, rows=MOST_ROWS, coef_bits=4, acc_bits=24,
    weight_words=2, bus="axi", stream_bits=8,
)  # fmt: skip
"""Circuit whose streams, bus and sequencer are broken: bundles of two, words of several beats."""


@dataclass(frozen=True)
class Mutant:
    """A module of a circuit with one text replaced.

    Attributes
    ----------
    module : str
        Its name in the circuit.
    old, new : str
        Where ``old`` comes first, there is ``new``.
    config : HardwareConfig
        The circuit.
    """

    module: str
    old: str
    new: str
    config: HardwareConfig

    def broken(self, text: str) -> str:
        """Return the text of the module with the fault."""
        assert self.old in text, f"{self.module} must have {self.old}"
        return text.replace(self.old, self.new, 1)

    def verilog(self) -> str:
        """Return the circuit with the fault."""
        parts = emit(self.config)
        return joined(parts | {self.module: self.broken(parts[self.module])})


def elements() -> Iterator[tuple[str, Mutant, str, int]]:
    """Give each broken processing element: name, fault, problem for the prover, and cycles."""
    for name, (old, new) in test_formal.MUTANTS.items():
        config = test_formal.CASES[name]
        mutant = Mutant("pe", old, new, config)
        yield name, mutant, checked(mutant.broken(element_of(config)), config), config.depth + 6


def around() -> Iterator[tuple[str, Mutant, str, int]]:
    """Give each broken component around the elements, likewise."""
    text = test_formal_bus.circuits()
    places = {"out": "results_out"}
    for name, (module, old, new) in test_formal_bus.MUTANTS.items():
        mutant = Mutant(places.get(module, module), old, new, AROUND)
        cycles = test_formal_bus.CYCLES[test_formal_bus.check_of(name)]
        yield name, mutant, test_formal_bus.problem_of(name, text), cycles


def bench_says(text: str, config: HardwareConfig) -> str | None:
    """Run layers on a circuit of this Verilog; return what is wrong with it, if anything is.

    A wrong integer, a wrong counter or mark, a refusal, or no end.
    """
    rng = np.random.default_rng(1)
    jobs = every_kind(rng, config) + [random_job(rng, config, tokens=2) for _ in range(4)]
    jobs.append(random_job(rng, config, tokens=2, out=min(config.rows, MOST_ROWS)))
    jobs = [job for job in jobs if runs(job, config)]
    with TemporaryDirectory(prefix="planesmith-") as name:
        source = Path(name, "top.v")
        source.write_text(count_ones(text))
        library = build_library([source], config.top, None, waves=False)
    made = Engine if config.bus == "stream" else AxiEngine
    circuit = made(config, library=library)
    try:
        for idle, stall in FLOWS:
            done = circuit.run(jobs, idle=idle, stall=stall)
            results = done if isinstance(done, list) else done.results
            wrong = sum(int((got != job.expected()).sum())
                        for job, got in zip(jobs, results, strict=True))  # fmt: skip
            if wrong:
                return f"{wrong} integers differ"
    except (RuntimeError, ValueError) as error:
        return str(error)
    finally:
        circuit.close()
    return None


def main() -> None:
    """Run the mutants that the file does not have, and write what found them."""
    file = Path(sys.argv[1])
    found = json.loads(file.read_text()) if file.exists() else {}
    healthy = bench_says(verilog(AROUND), AROUND)
    assert healthy is None, f"the circuit without a fault must be right: {healthy}"
    for name, mutant, problem, cycles in (*elements(), *around()):
        fault = {"from": mutant.old, "to": mutant.new}
        if found.get(name, {}).items() >= fault.items():
            continue
        says = bench_says(mutant.verilog(), mutant.config)
        with TemporaryDirectory(prefix="planesmith-") as folder:
            write_problems({name: problem}, Path(folder))
            proof = not holds(name, Path(folder), cycles, induction=False)
        what = {"module": mutant.module, "proof": proof, "bench": says is not None, "says": says}
        found[name] = fault | what
        print(name, found[name], flush=True)
        with whole_file(file) as part:
            part.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
