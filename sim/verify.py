"""A file's text on the circuit against the integer reference model: tokens, logits, integers."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from hwgen.config import HardwareConfig
from models.files import whole_file
from models.llm import LLM, load, tokens_of
from models.modules import ReferenceLinear, replace_layers
from models.store import BitplaneFile
from sim.decode import Step, decode
from sim.generate import generate

_PLAIN = asdict(HardwareConfig())


@dataclass(frozen=True)
class Verified:
    """How a text on the circuit compares with the reference model's.

    Attributes
    ----------
    model, format : str
        As the file names them.
    layers : int
        That ran on the circuit.
    config : dict
        Of the circuit.
    prompt : str
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
    cpu_seconds_per_token : float
        Of the processor, decoding, comparisons included.
    """

    model: str
    format: str
    layers: int
    config: dict[str, object]
    prompt: str
    tokens: int
    equal_tokens: int
    equal_logits: bool
    integers: int
    unequal: int
    cycles_per_token: float
    cpu_seconds_per_token: float

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
    return Verified(
        model=source,
        format=file.info.get("format", ""),
        layers=len(file.names),
        config=asdict(config),
        prompt=prompt,
        tokens=len(wanted),
        equal_tokens=sum(
            step.token == token for step, token in zip(wanted, done.tokens, strict=False)
        ),
        equal_logits=bool(torch.equal(logits, done.logits)),
        integers=done.integers,
        unequal=done.unequal,
        cycles_per_token=done.cycles_per_token,
        cpu_seconds_per_token=done.decode_cpu_seconds / max(1, len(done.tokens) - 1),
    )


def reference_steps(llm: LLM, file: BitplaneFile, prompt: str, tokens: int) -> list[Step]:
    """Let the model go on with its layers that are in the file computed by the reference."""
    replace_layers(llm.model, map(file.layer, file.names), ReferenceLinear)
    return list(decode(llm.model, tokens_of(llm, prompt, tokens), tokens))


def kept(record: Path) -> dict[str, dict]:
    """Return what a record has, by the names that :func:`name` gives; nothing without a file."""
    return json.loads(record.read_text()) if record.exists() else {}


def keep(record: Path, entry: str, done: Verified) -> None:
    """Add to a record, or replace."""
    whole = kept(record) | {entry: asdict(done)}
    with whole_file(record) as part:
        part.write_text(json.dumps(dict(sorted(whole.items())), indent=1) + "\n")


def name(file: BitplaneFile, prompt: str, tokens: int, config: HardwareConfig) -> str:
    """Return a name for a comparison that says what is compared, and ends with a hash of it."""
    with file.path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    given = [(key, value) for key, value in asdict(config).items() if value != _PLAIN[key]]
    digest = hashlib.sha256(repr((content, prompt, tokens, given)).encode()).hexdigest()
    shape = f"{config.kind} k={config.k} digit={config.digit} {config.pe}x{config.lanes}"
    return f"{file.info.get('format', file.path.name)} on {shape} {digest[:8]}"


def line(done: Verified) -> str:
    """Return the comparison in a line."""
    logits = "equal" if done.equal_logits else "NOT EQUAL"
    return (
        f"{done.equal_tokens} of {done.tokens} tokens equal, logits {logits}, "
        f"{done.integers - done.unequal} of {done.integers} integers equal"
    )
