"""Attention of one decoding step, for whole models that are measured."""

import torch
from torch import Tensor

from models.gpu.device import address
from models.gpu.kernels import AttendStruct, Kernels


def attended(kernels: Kernels, qkv: Tensor, cache: Tensor, turn: Tensor) -> Tensor:
    """Turn queries and keys by their position, keep key and value, and attend.

    Parameters
    ----------
    qkv : float16, (batch, (heads + 2 kv_heads) * head)
    cache : float16, (2, batch, kv_heads, context, head)
        The last position is replaced.
    turn : float32, (2, head / 2)
        Cosines and sines of that position.

    Returns
    -------
    float16, (batch, heads * head)
    """
    _, batch, kv_heads, context, head = cache.shape
    heads = qkv.shape[1] // head - 2 * kv_heads
    out = torch.empty(batch, heads * head, dtype=qkv.dtype, device=qkv.device)
    struct = AttendStruct()
    struct.qkv, struct.cache, struct.turn = address(qkv), address(cache), address(turn)
    struct.out, struct.batch, struct.heads = address(out), batch, heads
    struct.kv_heads, struct.context = kv_heads, context
    stream = torch.cuda.current_stream().cuda_stream if qkv.is_cuda else 0
    kernels.attend(struct, head, stream)
    return out
