"""A whole layer on the kernels: from real inputs to real outputs, a kernel for each stage."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation
from models.encode import Codes, transform
from models.exact import digits, tensor
from models.gpu.change import MOST_ROTATION, change_tensors, changed
from models.gpu.choice import Choice, plain_choices
from models.gpu.device import DeviceStage, accumulate, address, encode
from models.gpu.kernels import BIT_PLANE_KINDS, CODES, PLAIN_KINDS, REALS, Kernels
from models.gpu.plain import MOST_TOKENS, choose_plain, fits, is_plain, run_plain
from models.integers import code_range
from models.reference import Execution, chain_codes
from models.stage import Stage


def uncovered(layer: BitplaneLayer) -> str | None:
    """Name what keeps a layer from the kernels that go from reals to reals, if anything does."""
    if layer.equivalence is not None and layer.equivalence.rotation > MOST_ROTATION:
        return f"a rotation of more than {MOST_ROTATION} inputs"
    if layer.post != "none":
        return f"post {layer.post}"
    for path in layer.paths:
        if path.router is not None:
            return "a router"
        for stage in path.stages:
            if stage.transform is not None:
                return "a transform"
            if stage.activation is not None and (why := _wide(stage.activation)):
                return why
            if stage.requantize is not None and stage.requantize.bits > 8:
                return f"{stage.requantize.bits}-bit codes between stages"
    return None


def _wide(spec: Activation) -> str | None:
    low, high = code_range(spec.bits, spec.signed)
    if spec.bits == 1 or low < -128 or high > 127:
        return f"{spec.bits}-bit {'' if spec.signed else 'un'}signed codes"
    return "activation scales of groups" if spec.scale == "group" else None


def input_tensors(stage: Stage, ready: DeviceStage) -> dict[str, Tensor]:
    """Return what the kernel that makes codes wants of a first stage.

    Returns
    -------
    source : int32, (padded columns,)
        The input at each place of the order of bits, or -1.
    column_scale : float32, (views, padded columns), if the stage has any
    """
    columns = ready.by_bits
    source = columns if stage.gather is None else stage.gather[columns]
    parts = {"source": tensor(np.where(columns < 0, -1, source).astype(np.int32))}
    if stage.column_scale is not None:
        parts["column_scale"] = tensor(stage.column_scale[:, columns].astype(np.float32))
    return parts


class LayerOnKernels:
    """A layer's paths, packed.

    Attributes
    ----------
    layer : BitplaneLayer
    tensors : dict of Tensor
        All that the kernels read, by ``path.stage.name``; ``bias``, ``shift`` and ``scale`` are
        the layer's.
    plain : bool
        Whether the kernel for few tokens runs it.
    """

    def __init__(self, layer: BitplaneLayer) -> None:
        self.layer = layer
        self._stages = [[DeviceStage(stage) for stage in path.stages] for path in layer.paths]
        self.plain = uncovered(layer) is None and is_plain(layer, self._stages[0][0])
        self.tensors = change_tensors(layer.equivalence)
        if layer.bias is not None:
            self.tensors["bias"] = tensor(layer.bias)
        for p, (path, stages) in enumerate(zip(layer.paths, self._stages, strict=True)):
            for s, (stage, ready) in enumerate(zip(path.stages, stages, strict=True)):
                for name, value in self._parts(path, stage, ready).items():
                    self.tensors[f"{p}.{s}.{name}"] = value
            if len(stages) == 2:
                self.tensors[f"{p}.0.place"] = _places(stages[1])

    @staticmethod
    def _parts(path: Path, stage: Stage, ready: DeviceStage) -> dict[str, Tensor]:
        parts = dict(ready.tensors)
        if stage is path.stages[0]:
            parts |= input_tensors(stage, ready)
        if stage.requantize is not None:
            parts["row_scale"] = tensor(stage.requantize.row_scale)
        if stage is path.stages[-1]:
            parts["out_scale"] = tensor(np.broadcast_to(path.out_scale, (stage.out,)))
        return parts

    @property
    def weight_bytes(self) -> int:
        """Bytes of planes and coefficients as packed."""
        names = ("planes", "coefficients")
        return sum(
            value.nbytes for name, value in self.tensors.items() if name.rpartition(".")[2] in names
        )

    def choice(self, kernels: Kernels, tokens: int) -> Choice:
        """Return the kernel for so many tokens of the first stage."""
        first = self._stages[0][0]
        few = self.plain and tokens <= MOST_TOKENS
        return (few and choose_plain(kernels, first, tokens)) or first.choice(tokens)

    def choices(self, tokens: int) -> list[Choice]:
        """Return all kernels that could multiply so many tokens by the first stage."""
        return self._stages[0][0].choices(tokens)

    def plain_choices(self, kernels: Kernels, tokens: int) -> list[Choice]:
        """Return all ways of the kernel for few tokens that take so many at once."""
        first = self._stages[0][0]
        few = self.plain and tokens <= MOST_TOKENS
        return [c for c in plain_choices(tokens) if fits(kernels, first, c)] if few else []

    def run(
        self,
        kernels: Kernels,
        tensors: dict[str, Tensor],
        x: Tensor,
        stream: int,
        choice: Choice | None = None,
    ) -> Tensor:
        """Multiply; the layer must not be :func:`uncovered`.

        Parameters
        ----------
        tensors : dict of Tensor
            ``self.tensors``, on the device of the kernels.
        x : float32, float16 or bfloat16, (tokens, inputs), there too
            A token with a NaN or an infinity gives NaNs.
        choice : Choice or None
            For the first stage, instead of the one that suits its shape.

        Returns
        -------
        (tokens, out), of the type of ``x``
        """
        if len(x) == 0:
            return x.new_empty(0, self.layer.out)
        choice, real = choice or self.choice(kernels, len(x)), x.dtype
        if self.layer.equivalence is not None:
            x = changed(kernels, self.layer.equivalence, tensors, x, stream)
        if choice.kind in PLAIN_KINDS:
            own = _under(tensors, "0.0.")
            if "bias" in tensors:
                own["real_bias"] = tensors["bias"]
            y = run_plain(kernels, self._stages[0][0], self.layer, own, x, stream, choice)
        else:
            y = self._stage_by_stage(kernels, tensors, x.float(), stream, choice)
        return y.to(real)

    def _stage_by_stage(
        self,
        kernels: Kernels,
        tensors: dict[str, Tensor],
        x: Tensor,
        stream: int,
        choice: Choice,
    ) -> Tensor:
        y = torch.empty(len(x), self.layer.out, dtype=torch.float32, device=x.device)
        for p, (path, stages) in enumerate(zip(self.layer.paths, self._stages, strict=True)):
            own = [_under(tensors, f"{p}.{s}.") for s in range(len(stages))]
            first, last = stages[0], stages[-1]
            now = choice if p == 0 else first.choice(len(x))
            planes = now.kind in BIT_PLANE_KINDS
            codes, scale = encode(kernels, own[0], path.stages[0], first.shape, x, planes, stream)
            if first is not last:
                codes = _between(kernels, path, stages, own[0], codes, now, stream)
                now = last.choice(len(x), bit_planes=False)
            struct = last.struct(own[-1], codes, REALS)
            struct.out_scale, struct.token_scale = address(own[-1]["out_scale"]), address(scale)
            struct.reals, struct.adds = address(y), p > 0
            if p == len(self._stages) - 1:
                struct.real_bias = address(tensors.get("bias"))
            kernels.linear(struct, *now, stream)
        return y


class MixedExecution(Execution):
    """A layer of any kind, whose integer products alone run on the kernels."""

    def __init__(self, layer: BitplaneLayer, kernels: Kernels, device: torch.device) -> None:
        super().__init__(layer)
        self._kernels, self._device = kernels, device
        self._stages = [[DeviceStage(stage) for stage in path.stages] for path in layer.paths]

    def accumulate(self, path: int, codes: Codes) -> Tensor:
        specs = self.layer.paths[path].stages
        first, *rest = self._stages[path]
        accumulator = self._multiply(first, codes.weighted(specs[0].group))
        for ready, (before, stage) in zip(rest, pairwise(specs), strict=True):
            between = chain_codes(before, accumulator)
            if stage.transform is not None:
                between = transform(between, stage.transform)
            accumulator = self._multiply(ready, between)
        return accumulator

    def _multiply(self, stage: DeviceStage, codes: Tensor) -> Tensor:
        on_gpu = self._device.type == "cuda"
        stream = torch.cuda.current_stream(self._device).cuda_stream if on_gpu else 0
        return accumulate(self._kernels, stage, digits(codes), lambda t: t.to(self._device), stream)


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }


def _places(stage: DeviceStage) -> Tensor:
    """Return where each column's code lies among bytes; int32, (columns,)."""
    used = np.flatnonzero(stage.by_bytes >= 0)
    places = np.empty(len(used), np.int32)
    places[stage.by_bytes[used]] = used
    return tensor(places)


def _between(
    kernels: Kernels,
    path: Path,
    stages: list[DeviceStage],
    tensors: dict[str, Tensor],
    codes: Tensor,
    choice: Choice,
    stream: int,
) -> Tensor:
    """Run the first stage of a chain to the codes of the second."""
    first, last = stages
    spec = path.stages[0].requantize
    if spec is None:
        raise ValueError("a stage before another must have a requantize, got none")
    shape = (len(codes), last.shape.views, last.shape.columns)
    result = torch.zeros(shape, dtype=torch.int8, device=codes.device)
    struct = first.struct(tensors, codes, CODES)
    struct.row_scale, struct.place = address(tensors["row_scale"]), address(tensors["place"])
    struct.next_codes, struct.next_views = address(result), last.shape.views
    struct.next_columns, struct.shift, struct.bits = last.shape.columns, spec.shift, spec.bits
    kernels.linear(struct, *choice, stream)
    return result
