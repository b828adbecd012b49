"""Text from a language model whose quantized layers run on the circuit."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from tqdm import tqdm

from hwgen.config import HardwareConfig
from models.bitplane import BitplaneLayer
from models.eval import check_layers
from models.llm import LLM, tokens_of
from models.modules import replace_layers
from models.store import BitplaneFile
from sim.circuit import Circuit, CircuitLinear, Tally
from sim.decode import Text, decode
from sim.journal import Journal
from sim.pool import Pool


@dataclass(frozen=True)
class Generated:
    """A text and what it took.

    Attributes
    ----------
    text : str
    tokens : list of int
        Chosen by the model.
    logits : float32, (tokens, vocabulary)
    prompt_tokens : int
    ready_seconds : float
        Wall time until the engines were there; see :class:`sim.pool.Pool`.
    prefill_seconds, decode_seconds : float
        Wall time until the first token, and of all others.
    prefill_cycles, decode_cycles : int
        Of one engine, until the first token, and for all others.
    decode_cpu_seconds : float
        Of the processor, all threads together, for all tokens but the first.
    circuit_seconds : float
        Wall time on the circuit, the journal apart.
    integers, unequal : int
        Compared with the reference, and found different.
    resumed : int
        Stages whose results an earlier run had left.
    """

    text: str
    tokens: list[int]
    logits: Tensor
    prompt_tokens: int
    ready_seconds: float
    prefill_seconds: float
    decode_seconds: float
    decode_cpu_seconds: float
    prefill_cycles: int
    decode_cycles: int
    circuit_seconds: float
    integers: int
    unequal: int
    resumed: int

    @property
    def cycles_per_token(self) -> float:
        """Cycles of a decoded token; of the first one, where there is no other."""
        others = len(self.tokens) - 1
        return self.decode_cycles / others if others else self.prefill_cycles


def generate(
    llm: LLM,
    file: BitplaneFile,
    prompt: str,
    tokens: int,
    config: HardwareConfig,
    *,
    engines: int = 2,
    check: bool = False,
    show: Callable[[str], object] = lambda piece: None,
) -> Generated:
    """Let the model go on with a prompt, its layers that are in the file on the circuit.

    The model is used up: its layers are replaced. Results wait in a journal beside the file, from
    which the same command goes on after it was killed; it is removed in the end.

    Parameters
    ----------
    tokens : int
        At most so many; the model may end the text itself.
    engines : int
        Circuits that work side by side on the rows of a layer.
    check : bool
        Compare the integers of every stage with the reference.
    show : callable
        Given the text piece by piece.

    Raises
    ------
    ValueError
        The prompt is empty or too long, the file's layers are not the model's, or the circuit
        cannot run one of them.
    OSError
        A tool to build the simulator is missing, or a folder cannot be written.
    """
    check_layers(llm, file)
    ids = tokens_of(llm, prompt, tokens)
    pool = Pool(config, engines)
    name = hashlib.sha256(repr((ids.tolist(), config)).encode()).hexdigest()[:12]
    journal = Journal(file.path.with_name(f"{file.path.name}.{name}.journal"))
    with journal, tqdm(total=len(file.names), desc="laying out", leave=False) as bar:
        circuit = Circuit(pool, Tally(), journal, check, bar.update)

        def laid_out(layer: BitplaneLayer) -> CircuitLinear:
            bar.update()
            return CircuitLinear(layer, circuit)

        replace_layers(llm.model, map(file.layer, file.names), laid_out)
        linear = [part for part in llm.model.modules() if isinstance(part, CircuitLinear)]
        bar.set_description("reading the prompt", refresh=False)
        bar.reset(total=sum(part.stages for part in linear))
        generated = _run(llm, ids, tokens, circuit, journal, bar, show)
    pool.close()
    return generated


def _run(
    llm: LLM,
    ids: Tensor,
    tokens: int,
    circuit: Circuit,
    journal: Journal,
    bar: tqdm,
    show: Callable[[str], object],
) -> Generated:
    text, pieces, steps = Text(llm.tokenizer), [], []
    tally, start = circuit.tally, time.perf_counter()
    first_seconds, first_cycles, first_cpu = 0.0, 0, 0.0
    for step in decode(llm.model, ids, tokens):
        if not steps:
            first_seconds, first_cycles = time.perf_counter() - start, tally.cycles
            first_cpu = time.process_time()
            bar.close()
        steps.append(step)
        pieces.append(text.add(step.token))
        show(pieces[-1])
    return Generated(
        text="".join(pieces),
        tokens=[step.token for step in steps],
        logits=torch.stack([step.logits for step in steps]),
        prompt_tokens=ids.shape[1],
        ready_seconds=circuit.pool.ready_seconds,
        prefill_seconds=first_seconds,
        decode_seconds=time.perf_counter() - start - first_seconds,
        decode_cpu_seconds=time.process_time() - first_cpu,
        prefill_cycles=first_cycles,
        decode_cycles=tally.cycles - first_cycles,
        circuit_seconds=tally.seconds,
        integers=tally.integers,
        unequal=tally.unequal,
        resumed=journal.found,
    )


def report(done: Generated) -> str:
    """Return the figures in a few lines."""
    others = len(done.tokens) - 1
    read = f"{done.prompt_tokens} tokens read in {done.prefill_seconds:.1f} s"
    lines = [f"{read} ({done.prefill_cycles} cycles)"]
    if others:
        lines.append(
            f"{others} tokens more in {done.decode_seconds:.1f} s: "
            f"{others / done.decode_seconds:.2f} tokens/s simulated, "
            f"{done.cycles_per_token:.0f} cycles and "
            f"{done.decode_cpu_seconds / others:.2f} s of processor time a token"
        )
    if done.resumed:
        lines.append(f"{done.resumed} results were there from a run that was killed")
    if done.integers:
        lines.append(f"{done.integers - done.unequal} of {done.integers} integers equal")
    return "\n".join(lines)


def figures(done: Generated) -> dict[str, object]:
    """Return the figures for scripts; logits apart."""
    named = {field.name: getattr(done, field.name) for field in fields(done)}
    del named["logits"]
    return {**named, "cycles_per_token": done.cycles_per_token}
