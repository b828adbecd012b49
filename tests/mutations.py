"""Break each kind of processing element on purpose and note who finds it: the proof, the bench.

python tests/mutations.py docs/records/mutations.json
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from formal_pe import checked, element_of
from prover import holds, write_problems
from test_formal import CASES, MUTANTS

from hwgen.config import HardwareConfig
from hwgen.emit import emit
from models.files import whole_file
from sim import engine
from sim.cases import every_kind


def bench_finds(config: HardwareConfig, old: str, new: str) -> bool:
    """Whether a whole circuit with the broken element computes a wrong integer."""

    def broken(config: HardwareConfig) -> str:
        modules = emit(config)
        assert old in modules["pe"], f"pe must have {old}"
        return "\n".join(modules.values()).replace(
            modules["pe"], modules["pe"].replace(old, new, 1)
        )

    with patch.object(engine, "verilog", broken):
        circuit = engine.Engine(config)
    jobs = every_kind(np.random.default_rng(1), config)
    results = circuit.run(jobs).results
    circuit.close()
    return any((got != job.expected()).any() for job, got in zip(jobs, results, strict=True))


def main() -> None:
    """Run all mutants and write what found them."""
    found: dict[str, dict[str, object]] = {}
    with TemporaryDirectory(prefix="planesmith-") as name:
        folder = Path(name)
        texts = {
            case: checked(element_of(CASES[case]).replace(old, new, 1), CASES[case])
            for case, (old, new) in MUTANTS.items()
        }
        write_problems(texts, folder)
        for case, (old, new) in MUTANTS.items():
            cycles = CASES[case].depth + 6
            found[case] = {
                "from": old,
                "to": new,
                "proof": not holds(case, folder, cycles, induction=False),
                "bench": bench_finds(CASES[case], old, new),
            }
            print(case, found[case], flush=True)
    with whole_file(Path(sys.argv[1])) as part:
        part.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
