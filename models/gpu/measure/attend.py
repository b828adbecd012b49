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


def attention_differs(kernels: Kernels, heads: int, kv_heads: int, head: int, device: str) -> bool:
    """Whether :func:`attended` is not PyTorch's attention on random inputs, or keeps other keys.

    Sums are in another order and results in float16, hence a tolerance of 0.002 beside values
    of about 1.
    """
    random, batch, context = torch.Generator().manual_seed(0), 2, 40
    qkv = torch.randn(batch, (heads + 2 * kv_heads) * head, generator=random).half()
    cache = torch.randn(2, batch, kv_heads, context, head, generator=random).half()
    angles = torch.rand(head // 2, generator=random) * 6
    turn = torch.stack((angles.cos(), angles.sin()))
    rows = qkv.float().view(batch, -1, head)
    low, high = rows[:, : heads + kv_heads].chunk(2, -1)
    turned = torch.cat((low * turn[0] - high * turn[1], high * turn[0] + low * turn[1]), -1)
    keys, values = cache.float()
    keys[:, :, -1], values[:, :, -1] = turned[:, heads:], rows[:, heads + kv_heads :]
    want = torch.nn.functional.scaled_dot_product_attention(
        turned[:, :heads, None], keys, values, enable_gqa=True
    )
    kept = cache.to(device)
    have = attended(kernels, qkv.to(device), kept, turn.to(device)).cpu().float()
    near = torch.allclose(have, want.reshape(batch, -1), atol=2e-3)
    near &= torch.allclose(kept[0].cpu().float(), keys, atol=2e-3)
    return not (near and torch.equal(kept[1].cpu().float(), values))
