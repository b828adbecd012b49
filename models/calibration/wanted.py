"""What a layer is asked to become: the matrix that foretells best what it should put out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.calibration.migration import Inputs, Migration, equivalence
from models.checks import require
from models.codes import Activation
from models.equivalence import Equivalence

DAMPING = 0.01
"""Part of the mean of a Hessian's diagonal that keeps a target near the float weights."""
SAMPLE = 256
"""Tokens on which changes of inputs are tried."""
DEAD = 1e-20
"""Least mean square of inputs that counts; below, as if they were alike and of this one."""
LARGEST = 1e15
"""What inputs stay below: float32 holds sums of the squares of so large ones."""


@dataclass(frozen=True)
class Wanted:
    """What a linear layer should become.

    Attributes
    ----------
    name : str
    target : float32, (out, in)
        The weights which, on the inputs behind quantized layers, come nearest to what the float
        layer puts out on its own inputs; with an additive layer, plus what the hidden states lack.
    bias : float32, (out,), or None
    equivalence : Equivalence or None
        What becomes of the inputs first; the target is for inputs so changed, and so is the bias.
    hessian : float32, (in, in), or None
        Mean of ``x x^T`` over the changed inputs; None if only the weights count.
    """

    name: str
    target: Tensor
    bias: Tensor | None
    equivalence: Equivalence | None
    hessian: Tensor | None


def wanted_of(
    name: str,
    weight: Tensor,
    bias: Tensor | None,
    change: Equivalence | None,
    moments: tuple[Tensor, Tensor] | None = None,
) -> Wanted:
    """Change the inputs of a layer; ``moments`` are the means of ``x x^T`` and of ``x``."""
    hessian = None if moments is None else moments[0]
    if change is None:
        return Wanted(name, weight, bias, None, hessian)
    if change.shift is not None:
        more = weight @ torch.from_numpy(change.shift)
        bias = more if bias is None else bias + more
    if moments is not None:
        hessian = change.moments(*moments)
    return Wanted(name, change.weights(weight), bias, change, hessian)


class Sums:
    """Means over tokens of what linear layers read, and of what they should put out.

    Attributes
    ----------
    hessian, cross, mean : float32, (in, in), (in or out, in), (in,)
        Weighted means of ``x x^T``, ``y x^T`` and ``x``; y are the float layers' inputs, or wanted
        outputs.
    low, high : float32, (in,)
        Least and largest inputs.
    tokens : int
    """

    def __init__(self) -> None:
        self.weight, self.tokens = 0.0, 0
        self.hessian = self.cross = self.mean = torch.zeros(())
        self.low = self.high = self.sample = torch.zeros(0)

    def add(self, x: Tensor, y: Tensor, weights: Tensor) -> None:
        """Add tokens; float32, (tokens, in), (tokens, in or out) and (tokens,).

        Raises
        ------
        ValueError
            One, or the inverse of a weight, is not finite, or too large for sums to be.
        """
        for values in (x, y, 1 / weights):
            bad = int((~(values.abs() < LARGEST)).sum())
            got = f"{bad} of {values.numel()} that are not"
            require(not bad, "calibration inputs", f"be finite and below {LARGEST:.0e}", got)
        self.tokens += len(x)
        before, self.weight = self.weight, self.weight + float(weights.sum())
        old, new = before / self.weight, 1 / self.weight
        counted = x * weights[:, None]
        if not before:
            width = x.shape[1]
            self.hessian, self.cross = x.new_zeros(width, width), x.new_zeros(y.shape[1], width)
        self.hessian.addmm_(counted.T, x, beta=old, alpha=new)
        self.cross.addmm_(y.T, counted, beta=old, alpha=new)
        self.mean = old * self.mean + new * counted.sum(0)
        low, high = x.aminmax(dim=0)
        self.low = torch.minimum(self.low, low) if before else low
        self.high = torch.maximum(self.high, high) if before else high
        self.sample = self.sample if before else x[:SAMPLE]

    def to_cpu(self) -> None:
        """Bring the means to the CPU, wherever tokens were."""
        for name in ("hessian", "cross", "mean", "low", "high", "sample"):
            setattr(self, name, getattr(self, name).cpu())

    @property
    def singular(self) -> bool:
        """Whether there are fewer tokens than inputs, or inputs that are always zero."""
        return self.tokens < len(self.mean) or not bool(self.hessian.diagonal().all())

    def inputs(self, gamma: Tensor | None) -> Inputs:
        """Return what is known of the inputs."""
        return Inputs(self.hessian, self.mean, self.low, self.high, self.sample, gamma)


def targets(
    linears: Mapping[str, nn.Linear],
    additive: bool,
    sums: Sums,
    gamma: Tensor | None,
    how: Migration,
    activation: Activation,
) -> Iterator[Wanted]:
    """Make targets for layers that read the same, and change their inputs alike.

    Parameters
    ----------
    linears : dict of Linear
        By full name.
    additive : bool
        The sums are of wanted outputs, not of the float layers' inputs.
    gamma : float32, (in,), or None
        Scale of the norm that makes the inputs.
    """
    weights = {name: linear.weight.detach() for name, linear in linears.items()}
    change = equivalence(how, sums.inputs(gamma), torch.cat(list(weights.values())), activation)
    hessian, cross = sums.hessian, sums.cross
    if float(hessian.diagonal().mean()) < DEAD:
        hessian = cross = DEAD * torch.eye(len(hessian))
        additive = False
    damped = hessian + DAMPING * hessian.diagonal().mean() * torch.eye(len(hessian))
    root = torch.linalg.cholesky(damped.double())
    for name, weight in weights.items():
        moment = cross if additive else weight @ cross
        lacking = (moment - weight @ hessian).double()
        target = weight + torch.cholesky_solve(lacking.T, root).T.float()
        bias = linears[name].bias
        own = None if bias is None else bias.detach()
        yield wanted_of(name, target, own, change, (hessian, sums.mean))
