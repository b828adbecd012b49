"""Take linear layers out of a Transformers causal model, and the activations that reach them.

No architecture is named here: what Transformers loads as a causal language model, this reads.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from models import pretrained
from models.checks import require
from models.cli import nearest
from models.modules import replace_convolutions


@dataclass(frozen=True, eq=False)
class LLM:
    """A causal language model in float32 and evaluation mode, and its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    source: str


def load(source: str) -> LLM:
    """Load a model, whose linear layers are then ``torch.nn.Linear`` in every family.

    Parameters
    ----------
    source : str
        The word ``smollm2``, which fetches the model of the examples; a GGUF file; a folder in
        Transformers format with safetensors; or a name on the Hub. A folder that is called like a
        word or a name is given as ``./smollm2``.

    Raises
    ------
    ValueError, OSError
        As ``models.pretrained.read``; one line that names the source.
    """
    model, tokenizer = pretrained.read(source)
    replace_convolutions(model)
    return LLM(Path(source).resolve().name.removesuffix(".gguf"), model, tokenizer, source)


def linear_layers(llm: LLM, head: bool = False) -> dict[str, nn.Linear]:
    """Return the linear layers by dotted name, in the order of the model.

    Weights are float32, ``(out, in)``. The layer that gives the logits is left out unless ``head``.

    Raises
    ------
    ValueError
        The model has no ``torch.nn.Linear`` besides the head.
    """
    last = llm.model.get_output_embeddings()
    layers = {
        name: module
        for name, module in llm.model.named_modules()
        if isinstance(module, nn.Linear) and (head or module is not last)
    }
    if not layers:
        kind = type(llm.model).__name__
        raise ValueError(f"{llm.name} must have linear layers (torch.nn.Linear), got a {kind}")
    return layers


def find_layer(llm: LLM, name: str) -> str:
    """Return the full name of the linear layer that has this name or, alone, this ending.

    An ending starts where a part of the name starts: ``layers.3.mlp.down_proj`` stands for
    ``model.layers.3.mlp.down_proj``.

    Raises
    ------
    ValueError
        No layer fits, or several do.
    """
    layers = linear_layers(llm)
    fits = [full for full in layers if name == full] or [
        full for full in layers if full.endswith("." + name)
    ]
    if len(fits) > 1:
        raise ValueError(
            f"layer must be one of the model's linear layers, got '{name}'; "
            f"{len(fits)} end so: {fits[0]}, {fits[1]}{', ...' if len(fits) > 2 else ''}"
        )
    if not fits:
        raise ValueError(
            f"layer must be one of the model's linear layers, got '{name}'; {nearest(name, layers)}"
        )
    return fits[0]


def capture(llm: LLM, prompt: str, names: Iterable[str]) -> dict[str, Tensor]:
    """Return what reaches the named layers while the model reads ``prompt``.

    Names are full or as in ``find_layer``.

    Returns
    -------
    dict of float32, (tokens, in)
        One row for each token, by the names as given. Where a layer is used several times, its
        rows follow each other in the order of use.

    Raises
    ------
    ValueError
        The prompt is empty or longer than the model can read; a layer is unknown or not reached.
    """
    layers = linear_layers(llm)
    seen: dict[str, list[Tensor]] = {name: [] for name in names}
    wanted = {name: layers[find_layer(llm, name)] for name in seen}
    tokens = tokens_of(llm, prompt)
    hooks = []
    try:
        for name, layer in wanted.items():
            hooks.append(layer.register_forward_pre_hook(_keep(seen[name])))
        with torch.no_grad():
            llm.model(input_ids=tokens, use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    for name, inputs in seen.items():
        if not inputs:
            raise ValueError(f"layer {name} must be reached by the prompt, got no activation")
    return {name: torch.cat(inputs) for name, inputs in seen.items()}


def tokens_of(llm: LLM, prompt: str, more: int = 0) -> Tensor:
    """Return the prompt as token numbers, int64, (1, tokens).

    Raises
    ------
    ValueError
        The prompt is empty, or with so many tokens more longer than the model can read.
    """
    tokens = llm.tokenizer(prompt, return_tensors="pt")["input_ids"] if prompt else None
    if tokens is None or tokens.numel() == 0:
        raise ValueError(f"prompt must have at least one token, got {prompt!r}")
    most = getattr(llm.model.config.get_text_config(), "max_position_embeddings", None)
    if most and more >= most:
        raise ValueError(f"tokens must be at most {most - 1} after a prompt of one, got {more}")
    if most and tokens.shape[1] + more > most:
        room = f"{most - more} tokens{f' before {more} more' if more else ''}"
        raise ValueError(f"prompt must have at most {room}, got {tokens.shape[1]}")
    return tokens


def window_of(llm: LLM, context: int | None, default: int) -> int:
    """Return the tokens of a window: those asked for, else as many as usual and the model allow.

    Raises
    ------
    ValueError
        Those asked for are fewer than 2, or more than the model can read.
    """
    most = getattr(llm.model.config.get_text_config(), "max_position_embeddings", None)
    if context is None:
        return min(default, most or default)
    require(context >= 2, "context", "be 2 tokens or more", context)
    if most:
        require(context <= most, "context", f"be at most the model's {most} tokens", context)
    return context


def check_finite(name: str, weight: Tensor) -> None:
    """Raise ``ValueError`` if any weight of the layer is infinite or not a number."""
    bad = int((~torch.isfinite(weight)).sum())
    if bad:
        raise ValueError(
            f"layer {name} must have finite weights, got {bad} non-finite of {weight.numel()}"
        )


def check_chances(model: PreTrainedModel, tokens: Tensor, chances: Tensor) -> None:
    """Raise ``ValueError`` if chances of next tokens are no numbers.

    The text names the first linear layer that reads what is not finite, if one does.

    Parameters
    ----------
    tokens : int64, (windows, tokens)
        What the model has read.
    chances : float, (windows, ...)
    """
    bad = ~chances.isfinite().flatten(1).all(1)
    if not bool(bad.any()):
        return
    found: list[str] = []

    def look(name: str, _: nn.Module, args: tuple[Tensor, ...]) -> None:
        if not bool(args[0].isfinite().all()):
            found.append(f"inputs of layer {name}")

    hooks = [
        module.register_forward_pre_hook(partial(look, name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        with torch.no_grad():
            model(input_ids=tokens[bad][:1], use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    subject = next(iter(found), "logits of the model")
    raise ValueError(f"{subject} must be finite, got a NaN or an infinity")


def _keep(inputs: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    """Return a hook that appends a copy of each input, float32, (tokens, in), to ``inputs``."""

    def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        inputs.append(args[0].detach().reshape(-1, args[0].shape[-1]).to(torch.float32, copy=True))

    return hook
