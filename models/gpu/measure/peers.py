"""What the kernels are compared with: cuBLAS, and kernels of others where they are installed."""

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn

FP16 = "cuBLAS FP16"
Call = Callable[[Tensor], Tensor]
Maker = Callable[[int, int], Call]
"""From (out, in) to a function of inputs, its weights random."""


def _cublas(dtype: torch.dtype) -> Maker:
    def make(out: int, columns: int) -> Call:
        weight = torch.randn(out, columns, device="cuda", dtype=dtype)
        return lambda x: nn.functional.linear(x, weight)

    return make


def _bitsandbytes(out: int, columns: int) -> Call:
    layer = import_module("bitsandbytes.nn").Linear4bit(
        columns, out, bias=False, compute_dtype=torch.float16, quant_type="nf4"
    )
    return layer.cuda()


def _torchao(out: int, columns: int) -> Call:
    module = import_module("torchao.quantization")
    layer = nn.Sequential(nn.Linear(columns, out, False, "cuda", torch.bfloat16))
    config = module.Int4WeightOnlyConfig(128, int4_packing_format="tile_packed_to_4d")
    module.quantize_(layer, config)
    return layer


def _gemlite(bits: int) -> Maker:
    def make(out: int, columns: int) -> Call:
        maker = import_module("gemlite.helper").A16Wn(device="cuda", dtype=torch.float16)
        codes = torch.randint(0, 1 << bits, (out, columns), dtype=torch.uint8, device="cuda")
        scales = torch.rand(out, columns // 128, dtype=torch.float16, device="cuda")
        zeros = torch.full_like(scales, 2 ** (bits - 1))
        return maker.from_weights(codes, scales, zeros, bits, 128)

    return make


def _bitblas(bits: int) -> Maker:
    def make(out: int, columns: int) -> Call:
        bitblas = import_module("bitblas")
        config = bitblas.MatmulConfig(
            M=[1, 16, 128], N=out, K=columns, A_dtype="int8", W_dtype=f"int{bits}",
            accum_dtype="int32", out_dtype="int32", layout="nt",
        )  # fmt: skip
        operator = bitblas.Matmul(config=config)
        low = -(2 ** (bits - 1)) if bits > 1 else 0
        codes = torch.randint(low, low + 2**bits, (out, columns), dtype=torch.int8, device="cuda")
        weight = operator.transform_weight(codes)
        return lambda x: operator(x, weight)

    return make


def _marlin(out: int, columns: int) -> Call:
    module = import_module("marlin")
    layer = module.Layer(columns, out, groupsize=128).cuda()
    layer.B.random_()
    layer.s.uniform_()
    return layer


PEERS: dict[str, tuple[str, float, torch.dtype, Maker]] = {
    FP16: ("torch", 16, torch.float16, _cublas(torch.float16)),
    "cuBLAS BF16": ("torch", 16, torch.bfloat16, _cublas(torch.bfloat16)),
    "bitsandbytes NF4": ("bitsandbytes", 4.5, torch.float16, _bitsandbytes),
    "torchao INT4": ("torchao", 4.25, torch.bfloat16, _torchao),
    "GemLite 2 bits": ("gemlite", 2.25, torch.float16, _gemlite(2)),
    "GemLite 4 bits": ("gemlite", 4.25, torch.float16, _gemlite(4)),
    "GemLite 1 bit": ("gemlite", 1.25, torch.float16, _gemlite(1)),
    "BitBLAS INT2": ("bitblas", 2, torch.int8, _bitblas(2)),
    "BitBLAS INT4": ("bitblas", 4, torch.int8, _bitblas(4)),
    "Marlin INT4": ("marlin", 4.125, torch.float16, _marlin),
}
"""Package, stored bits for each weight, type of inputs, maker."""


def available() -> dict[str, str]:
    """Return the version of each peer that is installed, or why it is skipped."""
    found = {}
    for name, (package, *_) in PEERS.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = f"skipped: {package} is not installed"
    return found
