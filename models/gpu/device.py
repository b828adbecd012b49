"""Packed stages as tensors of a device, and their products with codes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.gpu import base3
from models.gpu.choice import Choice, choices, choose
from models.gpu.kernels import (
    BASE3_KINDS,
    BIT_PLANE_KINDS,
    BYTE_KINDS,
    InputsStruct,
    Kernels,
    StageStruct,
)
from models.gpu.layout import STEP, Packed, pack_stage
from models.integers import code_range
from models.stage import Stage


def _tensor(array: NDArray | None) -> Tensor | None:
    """Copy an array; uint32 becomes int32 with the same bits."""
    if array is None:
        return None
    if array.dtype == np.uint32:
        array = array.view(np.int32)
    return torch.from_numpy(np.array(array, order="C"))


def address(tensor: Tensor | None) -> int | None:
    """Return where a contiguous tensor's values begin."""
    if tensor is None:
        return None
    if not tensor.is_contiguous():
        raise ValueError("tensor of a kernel must be contiguous, got one that is not")
    return tensor.data_ptr()


@dataclass(frozen=True)
class StageShape:
    """The numbers that a kernel wants of a stage."""

    rows: int
    views: int
    columns: int
    planes: int
    passes: int
    passes_per_view: int
    groups: int
    sets: int
    magic: int
    wide: bool
    has_offset: bool
    aligned: bool
    base3: bool

    @classmethod
    def of(cls, stage: Stage, packed: Packed) -> "StageShape":
        """Take them from a stage and its weights."""
        return cls(
            stage.out, stage.views, packed.columns, stage.k, len(packed.coefficients),
            packed.passes_per_view, packed.groups, packed.sets, packed.magic,
            packed.coefficients.dtype == np.int32, packed.has_offset, packed.aligned,
            packed.base3,
        )  # fmt: skip

    @property
    def steps(self) -> int:
        """Steps of a warp along a row."""
        return self.columns // (base3.STEP if self.base3 else STEP)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of kernels that read the weights."""
        if self.base3:
            return BASE3_KINDS
        return BYTE_KINDS + BIT_PLANE_KINDS if self.aligned else BYTE_KINDS


class DeviceStage:
    """A stage's weights; the tensors may be moved by whoever holds them.

    Attributes
    ----------
    shape : StageShape
    tensors : dict of Tensor
        ``planes``, ``coefficients``, and where there are any ``masks`` and ``bias``.
    by_bits, by_bytes : int32, (padded columns,), in main memory
        See :class:`models.gpu.layout.Packed`.
    """

    def __init__(self, stage: Stage) -> None:
        packed = base3.pack_base3(stage) if base3.is_ternary(stage) else pack_stage(stage)
        self.shape = StageShape.of(stage, packed)
        self.by_bits, self.by_bytes = packed.by_bits, packed.by_bytes
        parts = {
            "planes": packed.planes,
            "coefficients": packed.coefficients,
            "masks": packed.masks,
            "bias": stage.bias,
        }
        self.tensors = {
            name: value for name, part in parts.items() if (value := _tensor(part)) is not None
        }

    def struct(self, tensors: dict[str, Tensor], codes: Tensor, output: int) -> StageStruct:
        """Fill in the weights and codes, (tokens, views, padded columns) as int8."""
        shape, struct = self.shape, StageStruct()
        for name in ("planes", "coefficients", "masks", "bias"):
            setattr(struct, name, address(tensors.get(name)))
        struct.codes, struct.tokens, struct.output = address(codes), len(codes), output
        struct.rows, struct.views, struct.columns = shape.rows, shape.views, shape.columns
        struct.planes_count, struct.passes = shape.planes, shape.passes
        struct.passes_per_view, struct.groups = shape.passes_per_view, shape.groups
        struct.sets_per_group, struct.magic = shape.sets, (shape.magic + 2**31) % 2**32 - 2**31
        struct.wide, struct.has_offset = shape.wide, shape.has_offset
        return struct

    def lay_out(self, codes: Tensor, bit_planes: bool) -> Tensor:
        """Put codes where the kernels read them; int8 (tokens, views, columns) to padded columns.

        With ``bit_planes``, each 32 bytes are the 8 planes of 32 codes.
        """
        blank = torch.nn.functional.pad(codes, (0, 1))  # the column that -1 names
        if not bit_planes:
            return blank[..., torch.from_numpy(self.by_bytes).long()].contiguous()
        moved = np.ascontiguousarray(blank.numpy()[..., self.by_bits]).view(np.uint8)
        words = moved.reshape(*moved.shape[:2], -1, 32)
        planes = [np.packbits(words >> bit & 1, axis=-1, bitorder="little") for bit in range(8)]
        laid = np.ascontiguousarray(np.stack(planes, -2)).reshape(moved.shape)
        return torch.from_numpy(laid.view(np.int8))

    def choice(self, tokens: int, bit_planes: bool = True) -> Choice:
        """Return the kernel for so many tokens, of those that want codes as bytes or of all."""
        kinds = [k for k in self.shape.kinds if bit_planes or k not in BIT_PLANE_KINDS]
        return choose(self.shape.rows, self.shape.steps, tokens, kinds)

    def choices(self, tokens: int) -> list[Choice]:
        """Return all kernels that could multiply so many tokens, for measuring them."""
        return choices(tokens, self.shape.kinds)


def accumulate(
    kernels: Kernels,
    stage: DeviceStage,
    codes: tuple[Tensor, ...],
    to: Callable[[Tensor], Tensor] = lambda tensor: tensor,
    stream: int = 0,
    choice: Choice | None = None,
) -> Tensor:
    """Multiply a stage by codes of any width, given by their int8 digits, exactly.

    Parameters
    ----------
    codes : int8, each (tokens, views, columns), in main memory
        As :func:`models.exact.digits` splits them.
    to : function
        Moves a tensor to the device of the kernels.

    Returns
    -------
    int64, (tokens, out), in main memory
        With the stage's bias.
    """
    tokens, count = len(codes[0]), len(codes)
    choice = choice or stage.choice(tokens * count)
    laid = to(stage.lay_out(torch.cat(codes), choice.kind in BIT_PLANE_KINDS))
    tensors = {name: to(value) for name, value in stage.tensors.items() if name != "bias"}
    result = to(torch.full((tokens * count, stage.shape.rows), -1, dtype=torch.int64))
    struct = stage.struct(tensors, laid, 0)
    struct.accumulators = address(result)
    kernels.linear(struct, *choice, stream)
    parts = result.cpu().reshape(count, tokens, -1)
    places = 8 * torch.arange(count)[:, None, None]
    total = (parts << places).sum(0)
    bias = stage.tensors.get("bias")
    return total if bias is None else total + bias


def encode(
    kernels: Kernels,
    tensors: dict[str, Tensor],
    first: Stage,
    shape: StageShape,
    x: Tensor,
    bit_planes: bool,
    stream: int,
) -> tuple[Tensor, Tensor]:
    """Quantize inputs as a layer's first stage wants them.

    Parameters
    ----------
    tensors : ``source`` and perhaps ``column_scale``
    x : float32, (tokens, inputs)

    Returns
    -------
    int8, (tokens, views, padded columns), and float32, (tokens,)
    """
    spec = first.activation
    if spec is None:
        raise ValueError("a stage with real inputs must have an activation, got none")
    codes = torch.empty(len(x), shape.views, shape.columns, dtype=torch.int8, device=x.device)
    scale = torch.empty(len(x), dtype=torch.float32, device=x.device)
    struct = InputsStruct()
    struct.x, struct.source = address(x), address(tensors["source"])
    struct.column_scale = address(tensors.get("column_scale"))
    struct.codes, struct.token_scale = address(codes), address(scale)
    struct.bit_planes = address(codes) if bit_planes else None
    struct.static_scale = spec.value if spec.scale == "static" else 0.0
    struct.tokens, struct.inputs = x.shape
    struct.views, struct.columns = shape.views, shape.columns
    struct.low, struct.high = code_range(spec.bits, spec.signed)
    kernels.encode(struct, stream)
    return codes, scale
