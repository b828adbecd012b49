"""Greedy text from a causal language model, token by token."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Step:
    """A token that the model chose.

    Attributes
    ----------
    token : int
        The first of those with the largest logit.
    logits : float32, (vocabulary,)
    """

    token: int
    logits: Tensor


def decode(model: PreTrainedModel, prompt: Tensor, tokens: int) -> Iterator[Step]:
    """Let a model go on with a prompt; it reads the prompt at once, then what it chose.

    Parameters
    ----------
    prompt : int64, (1, tokens)
    tokens : int
        At most so many; the model may end the text itself.
    """
    ends = _ends(model)
    last_only = "logits_to_keep" in inspect.signature(model.forward).parameters
    options = {"logits_to_keep": 1} if last_only else {}
    ids, past = prompt, None
    for _ in range(tokens):
        with torch.no_grad():
            out = model(input_ids=ids, past_key_values=past, use_cache=True, **options)
        logits = out.logits[0, -1]
        past, token = out.past_key_values, int(logits.argmax())
        yield Step(token, logits)
        if token in ends:
            return
        ids = torch.tensor([[token]])


def _ends(model: PreTrainedModel) -> set[int]:
    """Return the tokens that end a text."""
    ends = getattr(model.generation_config, "eos_token_id", None)
    if ends is None:
        return set()
    return set(ends) if isinstance(ends, list) else {ends}


class Text:
    """Tokens that become text, piece by piece."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._shown = ""

    def add(self, token: int) -> str:
        """Return what a token adds to the text; nothing before a character is whole."""
        self._tokens.append(token)
        whole = str(self._tokenizer.decode(self._tokens, skip_special_tokens=True))
        if whole.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        piece, self._shown = whole[len(self._shown) :], whole
        return piece
