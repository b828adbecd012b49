"""All benches, part by part, and what each noted: the runs that functional coverage is of."""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import product
from pathlib import Path

import numpy as np

from hwgen.config import BUSES, KINDS, MAPPINGS, HardwareConfig
from models.files import whole_file
from models.provenance import commit
from sim.cases import every_kind, random_job
from sim.formats import run_formats
from sim.jobs import Job
from sim.passed import VARIABLE, read_notes
from sim.rtl import BENCHES, name, run_bench
from sim.standard import AXI, SMALL
from sim.sweep import compare, runs

Part = Callable[[], object]


def circuits() -> list[HardwareConfig]:
    """Return a small circuit for each kind of weights and each way to cut activations.

    Mapping, registers in the tree, sharing of scalers and bus change from one to the next, so that
    each meets each kind.
    """
    found = []
    pairs = [(kind, ternary) for kind in KINDS for ternary in (False, True)][1:]
    for (number, (kind, ternary)), digit in product(enumerate(pairs), (1, 2, 4)):
        signed_weights = ternary and kind != "popcount"
        mapped = (digit // 4 + number) % 2
        pipeline = digit // 2 + signed_weights + 1
        found.append(
            HardwareConfig(
                k=4 if signed_weights else 3,
                pe=5, lanes=4, act_bits=4, columns=32, views=2, exponents=2,
                kind=kind, ternary=ternary, digit=digit, act_signed=digit != 2,
                mapping=MAPPINGS[mapped],
                stage_every=pipeline % 2,
                share=5 if pipeline % 4 > 1 else 0,
                bus=BUSES[(digit // 2 + mapped) % 2],
            )
        )  # fmt: skip
    return found


def layers(config: HardwareConfig) -> list[Job]:
    """Return all layers that go wrong first, and random ones of each shape.

    On AXI, where a host in Python takes its time, every third of the latter.
    """
    rng = np.random.default_rng(1)
    pe, lanes = config.pe, config.lanes
    shapes = product((1, pe - 1, 2 * pe, 2 * pe + 1), (1, lanes - 1, 2 * lanes, 2 * lanes + 1))
    jobs = every_kind(rng, config)
    shaped = [random_job(rng, config, out=out, columns=wide, tokens=2) for out, wide in shapes]
    jobs += shaped if config.bus == "stream" else shaped[1::3]
    return [job for job in jobs if runs(job, config)]


def parts(folder: Path, seed: int) -> dict[str, Part]:
    """Return each format, the circuits above, and the benches of both buses.

    These on the smallest of the standard circuits; on the others they have the same layers.
    """
    found: dict[str, Part] = {}
    for kind in KINDS:
        found[f"formats: {kind}"] = partial(_formats, kind)
    for config in circuits():
        found[f"layers: {name(config)}"] = partial(_layers, config, folder)
    for config in (AXI[0], SMALL[0]):
        bench = partial(run_bench, BENCHES[config.bus], config, folder / "benches", seed=seed)
        found[f"bench, seed {seed}: {name(config)}"] = bench
    return found


@dataclass(frozen=True)
class Kept:
    """What a part of the benches noted.

    Attributes
    ----------
    part : str
    commit : str
        On which it ran.
    notes : dict
        The lines, and how often each was noted.
    """

    part: str
    commit: str
    notes: dict[str, int]


def run(folder: Path, seed: int, progress: Callable[[str], object]) -> None:
    """Run each part that the folder does not have.

    Parameters
    ----------
    folder : Path
        Keeps a file of each part that passed, so a stopped campaign goes on.
    progress : callable
        Told the name of each part before it runs.

    Raises
    ------
    RuntimeError
        A bench failed; it says which test and where its log is.
    AssertionError
        An integer differs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for what, part in parts(folder, seed).items():
        file = _file(folder, what)
        if not file.is_file():
            progress(what)
            with noting(folder / "notes.jsonl") as notes:
                part()
            with whole_file(file) as whole:
                whole.write_text(json.dumps(vars(Kept(what, commit(), read_notes(notes)))))


def kept(folder: Path, seed: int) -> list[Kept | None]:
    """Return what the folder has of each part; None of those that did not run."""
    files = [_file(folder, what) for what in parts(folder, seed)]
    return [Kept(**json.loads(file.read_text())) if file.is_file() else None for file in files]


def _file(folder: Path, what: str) -> Path:
    return folder / f"{sha256(what.encode()).hexdigest()[:16]}.json"


def notes_of(parts: Iterable[Kept]) -> Counter[str]:
    """Return the notes of all parts, and how often each was made."""
    return sum((Counter(part.notes) for part in parts), Counter())


@contextmanager
def noting(file: Path) -> Iterator[Path]:
    """Let the benches note in a file, empty at first, what passes."""
    file.unlink(missing_ok=True)
    os.environ[VARIABLE] = str(file.absolute())
    try:
        yield file
    finally:
        del os.environ[VARIABLE]


def _layers(config: HardwareConfig, folder: Path) -> None:
    compare(config, folder, layers(config))


def _formats(kind: str) -> None:
    for cell in run_formats((kind,)):
        if cell.unequal:
            raise AssertionError(f"{cell.format} on {kind}: {cell.unequal} integers differ")
