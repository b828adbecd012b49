"""Layers of one plain stage, from reals to reals at once; ``csrc/decode.h`` has the other side."""

import torch
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.gpu.choice import Choice, plain_choices
from models.gpu.device import DeviceStage, StageShape, address
from models.gpu.kernels import PLAIN_KINDS, Kernels, PlainStruct
from models.gpu.layout import HALF, MOST_PLANES, SET
from models.integers import code_range

FEW, SHORT = 2, 4096
"""Tokens up to which binary products were the fastest, and inputs up to which blocks that make
codes of more tokens were. On an H100 the choice was within a tenth of the fastest in all measured
cases but one (docs/records/gpu/decode.json)."""
REALS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
"""Types of inputs and outputs, and the number of each in ``csrc/decode.h``."""
MOST_TOKENS = 16
EIGHT = 8
"""Inputs that a thread reads at once."""
ALIGNED = 16
"""Bytes of one load."""
HALVED = 4
"""Terms, offsets included, that a warp copies coefficients of where 128 columns are two parts."""


def parts(shape: StageShape) -> int:
    """Parts of 128 columns with coefficients of their own: 1, 2, or 0 where groups are smaller."""
    if shape.aligned:
        return 1
    return 2 if shape.sets % 2 == 0 and shape.planes + shape.has_offset <= HALVED else 0


def is_plain(layer: BitplaneLayer, ready: DeviceStage) -> bool:
    """Whether the kernel for few tokens covers a layer whose first stage is ready.

    One path of one stage and view, no gather, each plane a term, 16-bit coefficients, groups of
    whole 128 columns or one for the row, or of whole 64 with at most 4 terms, an offset included,
    weights not in base 3, and inputs in multiples of 8.
    """
    (path, *others), shape = layer.paths, ready.shape
    stage = path.stages[0]
    return (
        not others
        and len(path.stages) == 1
        and stage.views == 1
        and stage.gather is None
        and stage.bias is None
        and shape.passes == 1
        and shape.planes <= MOST_PLANES
        and "masks" not in ready.tensors
        and not shape.wide
        and parts(shape) > 0
        and not shape.base3
        and layer.inputs % EIGHT == 0
    )


def fits(kernels: Kernels, ready: DeviceStage, choice: Choice) -> bool:
    """Whether a block's shared memory holds what it has under way and the codes."""
    struct, shape = PlainStruct(), ready.shape
    struct.rows, struct.columns, struct.has_offset = shape.rows, shape.columns, shape.has_offset
    struct.parts = parts(shape)
    return kernels.fits(struct, shape.planes, choice.tile)


def choose_plain(kernels: Kernels, ready: DeviceStage, tokens: int) -> Choice | None:
    """Choose for few tokens, or return None where none fits into shared memory."""
    short = ready.shape.columns <= SHORT
    order = ["fused binary"] if tokens <= FEW else ["fused tensor"] if short else []
    listed = {choice.kind: choice for choice in plain_choices(tokens)}
    best = (listed[kind] for kind in (*order, "staged tensor") if kind in listed)
    return next((choice for choice in best if fits(kernels, ready, choice)), None)


def plain_struct(
    ready: DeviceStage, layer: BitplaneLayer, tensors: dict[str, Tensor], x: Tensor, y: Tensor
) -> PlainStruct:
    """Fill in what the kernel wants.

    Parameters
    ----------
    tensors : dict of Tensor
        Of the layer's stage, with ``out_scale`` and perhaps ``column_scale`` and ``real_bias``.
    x, y : (tokens, inputs) and (tokens, rows), both of one of ``REALS``
    """
    spec, shape, struct = layer.paths[0].stages[0].activation, ready.shape, PlainStruct()
    if spec is None:
        raise ValueError("a stage with real inputs must have an activation, got none")
    for name in ("planes", "coefficients", "column_scale", "out_scale", "real_bias"):
        setattr(struct, name, address(tensors.get(name)))
    struct.x, struct.y, struct.real = address(x), address(y), REALS[x.dtype]
    struct.static_scale = spec.value if spec.scale == "static" else 0.0
    struct.low, struct.high = code_range(spec.bits, spec.signed)
    struct.tokens, struct.rows = len(x), shape.rows
    struct.inputs, struct.columns = layer.inputs, shape.columns
    struct.groups, struct.has_offset = shape.groups, shape.has_offset
    struct.parts = parts(shape)
    in_group = -(-shape.sets * struct.parts // (HALF // SET))
    magic = 0 if in_group == 1 else (1 << 32) // in_group + 1
    struct.magic = (magic + 2**31) % 2**32 - 2**31
    return struct


def run_plain(
    kernels: Kernels,
    ready: DeviceStage,
    layer: BitplaneLayer,
    tensors: dict[str, Tensor],
    x: Tensor,
    stream: int,
    choice: Choice,
) -> Tensor:
    """Multiply; (tokens, inputs) to (tokens, rows) of the same type."""
    if x.data_ptr() % ALIGNED:  # one token of a wider tensor is contiguous, wherever it begins
        x = x.clone()
    y = torch.empty(len(x), layer.out, dtype=x.dtype, device=x.device)
    struct = plain_struct(ready, layer, tensors, x, y)
    kind = PLAIN_KINDS[choice.kind]
    if not kind.fused:
        codes = torch.empty(len(x), ready.shape.columns, dtype=torch.int8, device=x.device)
        sums_each = ready.shape.columns // HALF * struct.parts
        sums = torch.empty(len(x), sums_each, dtype=torch.int32, device=x.device)
        scale = torch.empty(len(x), dtype=torch.float32, device=x.device)
        struct.codes, struct.code_sums = address(codes), address(sums)
        struct.token_scale = address(scale)
        kernels.encode_plain(struct, kind.tensor, stream)
    kernels.decode(struct, ready.shape.planes, kind.tensor, choice.tile, stream)
    return y
