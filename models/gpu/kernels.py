"""The compiled kernels, called through plain C, so that they fit any build of PyTorch."""

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_int32, c_void_p
from pathlib import Path
from typing import NamedTuple

from models.checks import require


class PlainKind(NamedTuple):
    """A way of the kernel for plain layers: who makes the codes, and what multiplies them."""

    fused: bool
    tensor: bool


PLAIN_KINDS = {
    "fused binary": PlainKind(True, False),
    "fused tensor": PlainKind(True, True),
    "staged binary": PlainKind(False, False),
    "staged tensor": PlainKind(False, True),
}
"""Fused: each block makes the codes; staged: another kernel does. On bits or bytes of codes."""
KINDS = {"popcount": 0, "dp4a": 1, "tensor": 2, "binary": 3, "trits": 4}
"""How planes meet codes, and the number of each in ``csrc/kernels.cu``."""
TILES = {"popcount": (1,), "dp4a": (1, 2), "tensor": (8, 16, 32), "binary": (1, 2),
         "trits": (8, 16, 32),
         "fused binary": (1, 2, 4), "staged binary": (1, 2, 4),
         "fused tensor": (8,), "staged tensor": (8, 16)}  # fmt: skip
"""Tokens that a warp can take at once."""
BIT_PLANE_KINDS = ("popcount", "binary")
"""Kinds that read codes as bit-planes, and want groups of whole 128 columns."""
BYTE_KINDS = ("dp4a", "tensor")
"""Kinds that read codes as bytes, whatever the groups."""
BASE3_KINDS = ("trits",)
"""Kinds that read weights of :mod:`models.gpu.base3`."""
SPLITS = (1, 2, 4, 8)
"""Warps that can share a row tile."""
ACCUMULATORS, REALS, CODES = 0, 1, 2
"""What becomes of accumulators."""


class StageStruct(Structure):
    """``Stage`` of ``csrc/layer.h``."""

    _fields_ = (
        *((name, c_void_p) for name in (
            "planes", "coefficients", "masks", "codes", "bias", "accumulators", "out_scale",
            "token_scale", "real_bias", "reals", "row_scale", "place", "next_codes",
        )),
        *((name, c_int32) for name in (
            "tokens", "rows", "views", "columns", "planes_count", "passes", "passes_per_view",
            "groups", "sets_per_group", "magic", "wide", "has_offset", "output", "adds",
            "next_views", "next_columns", "shift", "bits",
        )),
    )  # fmt: skip


class InputsStruct(Structure):
    """``Inputs`` of ``csrc/layer.h``."""

    _fields_ = (
        *((name, c_void_p) for name in (
            "x", "source", "column_scale", "codes", "bit_planes", "token_scale",
        )),
        ("static_scale", c_float),
        *((name, c_int32) for name in ("tokens", "inputs", "views", "columns", "low", "high")),
    )  # fmt: skip


class BitsStruct(Structure):
    """``Bits`` of ``csrc/layer.h``."""

    _fields_ = (
        *((name, c_void_p) for name in ("planes", "inputs", "row_ones", "token_ones", "products")),
        *((name, c_int32) for name in ("tokens", "rows", "steps", "columns")),
    )


class PlainStruct(Structure):
    """``Plain`` of ``csrc/decode.h``."""

    _fields_ = (
        *((name, c_void_p) for name in (
            "planes", "coefficients", "x", "y", "column_scale", "out_scale", "real_bias", "codes",
            "code_sums", "token_scale",
        )),
        ("static_scale", c_float),
        *((name, c_int32) for name in (
            "tokens", "rows", "inputs", "columns", "groups", "parts", "magic",
            "has_offset", "low", "high", "real",
        )),
    )  # fmt: skip


class AttendStruct(Structure):
    """``Attend`` of ``csrc/attend.h``."""

    _fields_ = (
        *((name, c_void_p) for name in ("qkv", "cache", "turn", "out")),
        *((name, c_int32) for name in ("batch", "heads", "kv_heads", "context")),
    )


class ChangeStruct(Structure):
    """``Change`` of ``csrc/change.h``."""

    _fields_ = (
        *((name, c_void_p) for name in ("x", "y", "shift", "scale")),
        ("factor", c_float),
        *((name, c_int32) for name in ("tokens", "inputs", "rotation", "real")),
    )


_CALLS: dict[str, tuple[type[Structure], int]] = {
    "linear": (StageStruct, 3), "encode": (InputsStruct, 0), "bits": (BitsStruct, 1),
    "decode": (PlainStruct, 3), "encode_plain": (PlainStruct, 1),
    "attend": (AttendStruct, 1), "change": (ChangeStruct, 0),
}  # fmt: skip
"""Functions of the library: what they take first, and how many numbers."""
_STRUCTS = (StageStruct, InputsStruct, BitsStruct, PlainStruct, AttendStruct, ChangeStruct)


class Kernels:
    """A library of ``csrc/kernels.cu``, for a GPU or emulated on the CPU."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        for name, (kind, numbers) in _CALLS.items():
            call = getattr(library, f"planesmith_{name}")
            call.argtypes = [POINTER(kind), *[c_int] * numbers, c_void_p]
        library.planesmith_error.restype = c_char_p
        library.planesmith_fits.argtypes = [POINTER(PlainStruct), c_int, c_int]
        sizes = (c_int * len(_STRUCTS))()
        library.planesmith_sizes(sizes)
        want = [ctypes.sizeof(kind) for kind in _STRUCTS]
        require(list(sizes) == want, "structs of the kernels", f"have {want} bytes", list(sizes))
        self._library = library

    def linear(self, stage: StageStruct, kind: str, tile: int, split: int, stream: int) -> None:
        """Multiply planes by codes.

        Parameters
        ----------
        kind, tile, split
            Of ``KINDS``, ``TILES`` of the kind and ``SPLITS``.
        stream : int
            CUDA's handle; 0 for the default stream.
        """
        number = KINDS[kind]
        self._check(self._library.planesmith_linear(stage, number, tile, split, stream), kind)

    def decode(self, plain: PlainStruct, planes: int, tensor: bool, tile: int, stream: int) -> None:
        """Multiply a plain layer for a few tokens, from reals or from codes to reals."""
        numbers = planes, int(tensor), tile
        self._check(self._library.planesmith_decode(plain, *numbers, stream), "decode")

    def fits(self, plain: PlainStruct, planes: int, tile: int) -> bool:
        """Whether the current GPU has the shared memory that :meth:`decode` wants."""
        return bool(self._library.planesmith_fits(plain, planes, tile))

    def encode_plain(self, plain: PlainStruct, tensor: bool, stream: int) -> None:
        """Quantize real inputs to the codes that :meth:`decode` reads."""
        self._check(self._library.planesmith_encode_plain(plain, int(tensor), stream), "encode")

    def encode(self, inputs: InputsStruct, stream: int) -> None:
        """Quantize real inputs to codes."""
        self._check(self._library.planesmith_encode(inputs, stream), "encode")

    def change(self, change: ChangeStruct, stream: int) -> None:
        """Change real inputs as an equivalence does."""
        self._check(self._library.planesmith_change(change, stream), "change")

    def bits(self, bits: BitsStruct, tensor: bool, stream: int) -> None:
        """Multiply packed bits, on binary tensor cores or by popcount."""
        self._check(self._library.planesmith_bits(bits, int(tensor), stream), "bits")

    def attend(self, attend: AttendStruct, head: int, stream: int) -> None:
        """Attend to a cache, heads of 64 or 128; for models that are measured."""
        self._check(self._library.planesmith_attend(attend, head, stream), "attend")

    def _check(self, code: int, what: str) -> None:
        if code == -1:
            raise ValueError(f"kernel {what} must be one of those compiled, got another choice")
        if code:
            text = self._library.planesmith_error(code).decode()
            raise OSError(f"kernel {what} must start, got from CUDA: {text}")
