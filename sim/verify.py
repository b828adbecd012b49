"""A file's text on the circuit against the integer reference model: tokens, logits, integers."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hwgen.config import HardwareConfig
from hwgen.emit import verilog
from models.llm import LLM, load, tokens_of
from models.modules import ReferenceLinear, replace_layers
from models.scores import peak_bytes
from models.store import BitplaneFile
from sim.decode import Step, decode
from sim.generate import generate
from sim.records import add_entry, entries, settings, shown


@dataclass(frozen=True)
class Asked:
    """What is compared.

    Attributes
    ----------
    model, format : str
        As the file names them.
    prompt : str
    tokens : int
        At most so many after the prompt.
    engines : int
        That share the simulation.
    config : dict
        What the circuit has other than by default.
    file, circuit : str
        Hashes of the file and of the circuit's Verilog.
    """

    model: str
    format: str
    prompt: str
    tokens: int
    engines: int
    config: dict[str, object]
    file: str
    circuit: str

    @property
    def name(self) -> str:
        """What a record calls it: file and circuit may change under one name."""
        what = f"{self.format or self.model} on {shown(self.config)}"
        return f"{what}: {self.tokens} tokens after {self.prompt!r}"


@dataclass(frozen=True)
class Verified:
    """How a text on the circuit compares with the reference model's.

    Attributes
    ----------
    layers : int
        That ran on the circuit.
    tokens : int
        Chosen after the prompt.
    equal_tokens : int
        The same as the reference model's.
    equal_logits : bool
        All of them, bit for bit.
    integers, unequal : int
        Of all stages: compared, and different.
    cycles_per_token : float
        Of one engine, decoding.
    seconds_per_token, cpu_seconds_per_token : float
        Wall and processor time, decoding, comparisons included.
    ready_seconds : float
        Wall time until the engines were there; see :class:`sim.pool.Pool`.
    peak_bytes : int
        Most memory of the process, comparisons and the reference model included.
    """

    layers: int
    tokens: int
    equal_tokens: int
    equal_logits: bool
    integers: int
    unequal: int
    cycles_per_token: float
    seconds_per_token: float
    cpu_seconds_per_token: float
    ready_seconds: float
    peak_bytes: int

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.equal_tokens == self.tokens and self.equal_logits and self.unequal == 0


def verify(
    source: str,
    file: BitplaneFile,
    prompt: str,
    tokens: int,
    config: HardwareConfig,
    engines: int = 2,
    show: Callable[[str], object] = lambda piece: None,
) -> Verified:
    """Let the reference model go on with a prompt, then the circuit, and compare.

    The parameters and what is raised are those of :func:`sim.generate.generate`; ``source`` is
    what :func:`models.llm.load` takes.
    """
    done = generate(
        load(source), file, prompt, tokens, config, engines=engines, check=True, show=show
    )
    wanted = reference_steps(load(source), file, prompt, tokens)
    logits = torch.stack([step.logits for step in wanted])
    others = max(1, len(done.tokens) - 1)
    return Verified(
        layers=len(file.names),
        tokens=len(wanted),
        equal_tokens=sum(
            step.token == token for step, token in zip(wanted, done.tokens, strict=False)
        ),
        equal_logits=bool(torch.equal(logits, done.logits)),
        integers=done.integers,
        unequal=done.unequal,
        cycles_per_token=done.cycles_per_token,
        seconds_per_token=done.decode_seconds / others,
        cpu_seconds_per_token=done.decode_cpu_seconds / others,
        ready_seconds=done.ready_seconds,
        peak_bytes=peak_bytes(),
    )


def reference_steps(llm: LLM, file: BitplaneFile, prompt: str, tokens: int) -> list[Step]:
    """Let the model go on with its layers that are in the file computed by the reference."""
    replace_layers(llm.model, map(file.layer, file.names), ReferenceLinear)
    return list(decode(llm.model, tokens_of(llm, prompt, tokens), tokens))


def asked(
    source: str, file: BitplaneFile, prompt: str, tokens: int, config: HardwareConfig, engines: int
) -> Asked:
    """Return what :func:`verify` compares with these parameters."""
    with file.path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    circuit = hashlib.sha256(verilog(config).encode()).hexdigest()
    form = file.info.get("format", "")
    return Asked(source, form, prompt, tokens, engines, settings(config), content, circuit)


def kept(record: Path, wanted: Asked) -> Verified | None:
    """Return what a record has of just this file on just this circuit."""
    entry = entries(record).get(wanted.name)
    return Verified(**entry["done"]) if entry and entry["asked"] == asdict(wanted) else None


def keep(record: Path, wanted: Asked, done: Verified) -> None:
    """Add to a record, or replace."""
    add_entry(record, wanted.name, {"asked": asdict(wanted), "done": asdict(done)})


def line(done: Verified) -> str:
    """Return the comparison in a line."""
    logits = "equal" if done.equal_logits else "NOT EQUAL"
    return (
        f"{done.equal_tokens} of {done.tokens} tokens equal, logits {logits}, "
        f"{done.integers - done.unequal} of {done.integers} integers equal"
    )
