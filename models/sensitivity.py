"""How much a model is expected to lose by formats of its layers: measured, not guessed.

To second order, a change ``D`` of a layer's weights raises the loss of a token by half of
``sum over rows r of G_r (D H D^T)_rr``, with ``H`` the mean of ``x x^T`` and ``G_r`` the mean
square of the loss's derivative by the layer's output ``r`` (rows taken as independent: the
diagonal of the outputs' Fisher information). Both means are over the same text.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from models.allocation import Candidate, Choices
from models.calibration.blocks import blocks_of, embedded
from models.calibration.trace import groups_of, trace
from models.codes import Activation
from models.dense import dense
from models.fetch import cache_folder
from models.files import whole_file
from models.formats import parse
from models.llm import LLM
from models.scores import fingerprint

VERSION = 1
"""Part of the name of what is kept; to be raised whenever losses are measured otherwise."""
TOKENS = 512
"""Of a window, for derivatives: their graph takes memory for each."""


def choices(
    llm: LLM,
    chosen: Mapping[str, nn.Linear],
    formats: Sequence[str],
    activation: Activation,
    windows: Tensor,
) -> dict[str, Choices]:
    """Measure all formats on all layers; kept in the cache, layer by layer.

    Parameters
    ----------
    formats : sequence of str
        As on the command line.
    windows : int64, (windows, tokens)

    Raises
    ------
    ValueError
        A layer is in none of the model's blocks, such as the head, or no format fits it.
    """
    record = _record(llm, formats, windows)
    known = _read(record)
    if any(name not in known for name in chosen):
        squares = output_gradients(llm, chosen, windows)
        for name, candidates in _losses(llm, chosen, formats, activation, windows, squares):
            known[name] = candidates
            _write(record, known)
    return {name: Choices(chosen[name].weight.numel(), known[name]) for name in chosen}


def output_gradients(
    llm: LLM, chosen: Mapping[str, nn.Linear], windows: Tensor
) -> dict[str, Tensor]:
    """Return mean squares of a token's loss derived by each layer's outputs; float32, (out,)."""
    totals = {name: torch.zeros(linear.out_features) for name, linear in chosen.items()}
    start = llm.model.get_input_embeddings()
    count = 0
    for window in tqdm(windows, desc="sensitivity", unit="window", leave=False):
        ids = window[None, :TOKENS]
        hooks = [start.register_forward_hook(lambda _, __, y: y.detach().requires_grad_())]
        for name, linear in chosen.items():
            hooks.append(linear.register_forward_hook(_summing(totals[name])))
        try:
            logits = llm.model(input_ids=ids, use_cache=False).logits[0]
            cross_entropy(logits[:-1], ids[0, 1:], reduction="sum").backward()
        finally:
            for hook in hooks:
                hook.remove()
        count += ids.numel()
    llm.model.zero_grad(set_to_none=True)
    return {name: total / count for name, total in totals.items()}


def _summing(total: Tensor) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
    """Return a hook that adds squares of the output's derivatives to ``total``."""

    def add(gradient: Tensor) -> None:
        total.add_(gradient.detach().flatten(0, -2).float().square().sum(0))

    def hook(_: nn.Module, __: tuple[Tensor, ...], y: Tensor) -> None:
        y.register_hook(add)

    return hook


def _losses(
    llm: LLM,
    chosen: Mapping[str, nn.Linear],
    formats: Sequence[str],
    activation: Activation,
    windows: Tensor,
    squares: Mapping[str, Tensor],
) -> Iterator[tuple[str, list[Candidate]]]:
    """Yield each layer's candidates, block by block."""
    blocks, _ = blocks_of(llm.model, windows[:1])
    hidden = [embedded(llm.model, blocks[0], window[None]).bfloat16() for window in windows]
    left = dict(chosen)
    for block in tqdm(blocks, desc="candidates", unit="block", leave=False):
        groups = groups_of(block, hidden[0].float())
        plain = block.copy(torch.bfloat16)
        traces = [trace(plain, groups, one) for one in hidden]
        for index, group in enumerate(groups):
            inputs = torch.cat([one.inputs[index].float() for one in traces])
            hessian = inputs.T @ inputs / len(inputs)
            for short in group.names:
                name = f"{block.name}.{short}"
                if (linear := left.pop(name, None)) is not None:
                    yield (
                        name,
                        _candidates(name, linear, formats, activation, hessian, squares[name]),
                    )
        hidden = [one.result for one in traces if one.result is not None]
    if left:
        names = ", ".join(left)
        raise ValueError(f"layers to allocate must be in the model's blocks, got {names}")


def _candidates(
    name: str,
    linear: nn.Linear,
    formats: Sequence[str],
    activation: Activation,
    hessian: Tensor,
    squares: Tensor,
) -> list[Candidate]:
    weight = linear.weight.detach()
    found = []
    for text in formats:
        layer = parse(text).quantize(weight, name, activation, hessian)
        change = torch.from_numpy(dense(layer)) - weight
        loss = 0.5 * float((squares * ((change @ hessian) * change).sum(1)).sum())
        found.append(Candidate(text, layer.stored_bits, loss))
    return found


def _record(llm: LLM, formats: Sequence[str], windows: Tensor) -> Path:
    """Return the file of what is measured of a model by a text."""
    text = hashlib.sha256(windows.numpy().tobytes()).hexdigest()
    key = f"{VERSION} {fingerprint(llm.model)} {text} {' '.join(formats)}"
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    return cache_folder() / "sensitivity" / f"{name}.json"


def _read(record: Path) -> dict[str, list[Candidate]]:
    """Return what a record holds; nothing if it is not there or not whole."""
    try:
        found = json.loads(record.read_text("utf-8"))
        return {name: [Candidate(**one) for one in some] for name, some in found.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _write(record: Path, known: Mapping[str, Sequence[Candidate]]) -> None:
    layers = {name: [asdict(one) for one in candidates] for name, candidates in known.items()}
    record.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(record) as part:
        part.write_text(json.dumps(layers), "utf-8")
