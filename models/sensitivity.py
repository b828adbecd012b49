"""How much a model's predictions hang on the outputs of its linear layers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from models.llm import LLM, check_chances

SEED = 0


def output_sensitivity(
    llm: LLM,
    windows: Tensor,
    linears: Mapping[str, nn.Linear],
    device: torch.device | None = None,
) -> dict[str, Tensor]:
    """Measure the diagonal of the Fisher information of layers' outputs.

    That is the mean over tokens of the squared gradient of the text's negative log-likelihood by
    each output, for next tokens drawn from the model itself, with seed 0. Outputs that are off by
    ``d``, independently of each other, make predictions diverge by ``sum of sensitivity * d^2 /
    2`` nats a token, while that is small.

    Parameters
    ----------
    windows : int64, (windows, tokens)
        One at a time is held in memory.
    linears : mapping of str to Linear
        Layers of the model.
    device : torch.device or None
        Where the model is computed; the CPU if not said.

    Returns
    -------
    dict of float32, (out,)
        Zeros for layers that are not used.

    Raises
    ------
    ValueError
        The model's logits are not finite.
    """
    where, before = device or torch.device("cpu"), llm.model.device
    nn.Module.to(llm.model, where)
    sums = {name: linear.weight.new_zeros(linear.out_features) for name, linear in linears.items()}
    random = torch.Generator().manual_seed(SEED)
    with _gradients(llm, linears, sums):
        for window in tqdm(windows, desc="sensitivity", unit="window", leave=False):
            logits = llm.model(input_ids=window[None].to(where), use_cache=False).logits[0]
            chances = logits.detach().softmax(-1)
            check_chances(llm.model, window[None].to(where), chances[None])
            words = torch.multinomial(chances.cpu(), 1, generator=random).to(where)
            cross_entropy(logits, words[:, 0], reduction="sum").backward()
    nn.Module.to(llm.model, before)
    return {name: total.cpu() / windows.numel() for name, total in sums.items()}


def expected_loss(change: Tensor, hessian: Tensor, sensitivity: Tensor) -> Tensor:
    """Return what a change of weights is expected to cost by each row, in nats a token.

    Parameters
    ----------
    change : float32, (out, in)
    hessian : float32, (in, in)
        Mean of ``x x^T`` over the inputs.
    sensitivity : float32, (out,)

    Returns
    -------
    float32, (out,)
    """
    return sensitivity * ((change @ hessian) * change).sum(1) / 2


@contextmanager
def _gradients(
    llm: LLM, linears: Mapping[str, nn.Linear], sums: dict[str, Tensor]
) -> Iterator[None]:
    """Add up squared gradients of outputs, and take none of parameters."""

    def add(name: str, gradient: Tensor) -> None:
        sums[name] += gradient.flatten(0, -2).square().sum(0)

    def watch(name: str, _: nn.Module, __: object, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(partial(add, name))

    def start(_: nn.Module, __: object, output: Tensor) -> Tensor:
        return output.detach().requires_grad_()

    frozen = {parameter: parameter.requires_grad for parameter in llm.model.parameters()}
    hooks = [linear.register_forward_hook(partial(watch, name)) for name, linear in linears.items()]
    hooks.append(llm.model.get_input_embeddings().register_forward_hook(start))
    llm.model.requires_grad_(False)
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for parameter, before in frozen.items():
            parameter.requires_grad_(before)
