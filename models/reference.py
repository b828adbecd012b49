"""Exact execution of a bitplane layer: what every circuit and kernel must produce, bit for bit.

The executable copy of ``docs/arithmetic.md``.
"""

from abc import ABC, abstractmethod
from itertools import pairwise

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.encode import Codes, encode, transform
from models.exact import digits, digits_product, requantize, tensor
from models.planes import unpack
from models.stage import Stage

LAYERNORM_EPSILON = 1e-5

TOKENS = 128
"""That a processor computes at once: what lies between steps stays in its cache. Of float layers'
time, 512 tokens take 2.0 in place of 2.2 (``python -m models bench``, same machine)."""


def integer_weights(stage: Stage) -> Tensor:
    """Sum a stage's planes, coefficients and offsets to one integer for each weight.

    Returns
    -------
    int32, (views, out, columns)
        ``sum over terms of coefficient * term bit, + offset``.
    """
    bits = torch.from_numpy(unpack(stage.planes, stage.columns))  # (k, out, columns)
    coefficients = tensor(stage.spread_coefficients())
    weights = _by_column(tensor(stage.spread_offset()), stage)
    for term, mono in enumerate(stage.monomials):
        chosen = bits[[plane for plane in range(stage.k) if mono >> plane & 1]].amin(dim=0)
        weights.addcmul_(_by_column(coefficients[..., term], stage), chosen.to(torch.int32))
    return weights


def _by_column(values: Tensor, stage: Stage) -> Tensor:
    """Repeat each group's value for its columns; (..., groups) to (..., columns)."""
    return values.repeat_interleave(stage.group, dim=-1)[..., : stage.columns]


class ReadyStage:
    """A stage made ready to run: its integer weights, split into int8 digits once.

    Attributes
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        weights = integer_weights(stage).permute(1, 0, 2).reshape(stage.out, -1)
        self._weights = digits(weights)  # each (out, views * columns)
        most = int(weights.abs().sum(dim=1, dtype=torch.int64).max())
        # of int8 codes and the weights, or these less their lower digits, which change by 128
        self._narrow = 128 * (most + 128 * weights.shape[1]) < 1 << 31

    def accumulate(self, codes: Tensor) -> Tensor:
        """Multiply.

        Parameters
        ----------
        codes : int8 or int32, (tokens, views, columns)
            With group scales, already times their power of two.

        Returns
        -------
        int64, (tokens, out)
        """
        return self.sums(codes).long()

    def sums(self, codes: Tensor) -> Tensor:
        """As :meth:`accumulate`, but int32 where codes are int8 and it holds all sums of such."""
        self._weights = tuple(digit.to(codes.device) for digit in self._weights)
        narrow = self._narrow and codes.dtype == torch.int8
        result = digits_product(digits(codes.flatten(1)), self._weights, narrow)
        if self.stage.bias is not None:
            result = result + tensor(self.stage.bias, result.device)
        return result


def chain_codes(stage: Stage, accumulator: Tensor) -> Tensor:
    """Requantize the first stage of a chain to the codes of the second.

    Parameters
    ----------
    accumulator : int64 or int32, (tokens, out)

    Returns
    -------
    int8 or int32, (tokens, views of the next stage, out)
    """
    spec = stage.requantize
    if spec is None:
        raise ValueError("a stage before another must have a requantize, got none")
    scaled = accumulator[:, None, :] * tensor(spec.row_scale, accumulator.device).long()
    codes = requantize(scaled, spec.shift, spec.bits)
    return codes.to(torch.int8 if spec.bits <= 8 else torch.int32)


class Execution(ABC):
    """A layer from real inputs to real outputs, whatever computes its integers.

    Attributes
    ----------
    layer : BitplaneLayer
    """

    def __init__(self, layer: BitplaneLayer) -> None:
        self.layer = layer

    @abstractmethod
    def accumulate(self, path: int, codes: Codes) -> Tensor:
        """Run a path on codes.

        Returns
        -------
        int64, (tokens, out)
            The accumulators of its last stage: what the circuit puts out.
        """

    def _sums(self, path: int, codes: Codes) -> Tensor:
        """As :meth:`accumulate`; int32 will do."""
        return self.accumulate(path, codes)

    def __call__(self, x: Tensor) -> Tensor:
        """Run the layer.

        Parameters
        ----------
        x : float32, (tokens, inputs) or (inputs,)

        Returns
        -------
        float32, (tokens, out) or (out,)
        """
        outputs = self._outputs(self._changed(x))
        return outputs.reshape(*x.shape[:-1], self.layer.out)

    def _outputs(self, tokens: Tensor) -> Tensor:
        """Compute outputs, float32, (tokens, out), of inputs that the equivalence has changed."""
        total = tokens.new_zeros(len(tokens), self.layer.out)
        for index, path in enumerate(self.layer.paths):
            experts = _experts(path, tokens)
            out_scale = tensor(path.out_scale, tokens.device)
            if experts is not None:
                out_scale = _mixed(experts, out_scale)
            codes = self._codes(index, tokens, experts)
            accumulator = self._sums(index, codes)
            total += accumulator.float().mul_(out_scale).mul_(codes.scale[:, None])
        if self.layer.bias is not None:
            total += tensor(self.layer.bias, tokens.device)
        return _layernorm(total) if self.layer.post == "layernorm" else total

    def codes(self, path: int, x: Tensor) -> Codes:
        """Quantize the inputs of a path's first stage; the last step before integers only."""
        tokens = self._changed(x)
        return self._codes(path, tokens, _experts(self.layer.paths[path], tokens))

    def _codes(self, path: int, tokens: Tensor, experts: Tensor | None) -> Codes:
        stage = self.layer.paths[path].stages[0]
        scale = None if stage.column_scale is None else tensor(stage.column_scale, tokens.device)
        if experts is not None and scale is not None:
            scale = _mixed(experts, scale)[:, None, :]
        return encode(stage, tokens, scale)

    def _changed(self, x: Tensor) -> Tensor:
        """Check inputs and change them as the layer's equivalence says; float32, (tokens, in)."""
        if x.dtype != torch.float32 or x.shape[-1:] != (self.layer.inputs,):
            raise ValueError(
                f"input of {self.layer.name} must be float32 with {self.layer.inputs} columns, "
                f"got {str(x.dtype).removeprefix('torch.')} of shape {tuple(x.shape)}"
            )
        tokens = x.reshape(-1, self.layer.inputs)
        change = self.layer.equivalence
        return tokens if change is None else change.inputs(tokens)


class Reference(Execution):
    """A layer computed with the integers that it stands for.

    Attributes
    ----------
    stages : list of list of ReadyStage
        Those of each path.
    """

    def __init__(self, layer: BitplaneLayer) -> None:
        super().__init__(layer)
        self.stages = [[ReadyStage(stage) for stage in path.stages] for path in layer.paths]

    def _outputs(self, tokens: Tensor) -> Tensor:
        outputs = super()._outputs
        if tokens.device.type != "cpu":
            return outputs(tokens)
        return torch.cat([outputs(part) for part in tokens.split(TOKENS)])

    def accumulate(self, path: int, codes: Codes) -> Tensor:
        return self._sums(path, codes).long()

    def _sums(self, path: int, codes: Codes) -> Tensor:
        first, *rest = self.stages[path]
        accumulator = first.sums(codes.weighted(first.stage.group))
        for previous, ready in pairwise((first, *rest)):
            between = chain_codes(previous.stage, accumulator)
            if ready.stage.transform is not None:
                between = transform(between, ready.stage.transform)
            accumulator = ready.sums(between)
        return accumulator


def run(layer: BitplaneLayer, x: Tensor) -> Tensor:
    """Run a layer once; see :class:`Reference` for many times."""
    return Reference(layer)(x)


def _experts(path: Path, x: Tensor) -> Tensor | None:
    """How much each expert's scales count; float32, (tokens, experts)."""
    if path.router is None:
        return None
    logits = x.double() @ tensor(path.router, x.device).double().t()
    return torch.softmax(logits, dim=-1).float()


def _mixed(experts: Tensor, scales: Tensor) -> Tensor:
    """Sum experts' scales (experts, n) as they count, in their order; float32, (tokens, n)."""
    total = experts[:, :1] * scales[0]
    for expert in range(1, len(scales)):
        total = total + experts[:, expert : expert + 1] * scales[expert]
    return total


def _layernorm(y: Tensor) -> Tensor:
    """Bring each token to mean 0 and variance 1, in float64."""
    centered = y.double() - y.double().mean(dim=-1, keepdim=True)
    variance = centered.square().mean(dim=-1, keepdim=True)
    return (centered / (variance + LAYERNORM_EPSILON).sqrt()).float()
