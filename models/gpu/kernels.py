"""The compiled kernels, called through plain C, so that they fit any build of PyTorch."""

import ctypes
from ctypes import POINTER, Structure, c_char_p, c_float, c_int, c_int32, c_void_p
from pathlib import Path

from models.checks import require

KINDS = {"popcount": 0, "dp4a": 1, "tensor": 2, "binary": 3}
"""How planes meet codes, and the number of each in ``csrc/kernels.cu``."""
TILES = {"popcount": (1,), "dp4a": (1, 2), "tensor": (8, 16, 32), "binary": (1, 2)}
"""Tokens that a warp can take at once."""
BIT_PLANE_KINDS = ("popcount", "binary")
"""Kinds that read codes as bit-planes, and want groups of whole 128 columns."""
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


class Kernels:
    """A library of ``csrc/kernels.cu``, for a GPU or emulated on the CPU."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        for name, kind in (("linear", StageStruct), ("encode", InputsStruct), ("bits", BitsStruct)):
            numbers = {"linear": 3, "encode": 0, "bits": 1}[name]
            call = getattr(library, f"planesmith_{name}")
            call.argtypes = [POINTER(kind), *[c_int] * numbers, c_void_p]
        library.planesmith_error.restype = c_char_p
        sizes = (c_int * 3)()
        library.planesmith_sizes(sizes)
        want = [ctypes.sizeof(kind) for kind in (StageStruct, InputsStruct, BitsStruct)]
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

    def encode(self, inputs: InputsStruct, stream: int) -> None:
        """Quantize real inputs to codes."""
        self._check(self._library.planesmith_encode(inputs, stream), "encode")

    def bits(self, bits: BitsStruct, tensor: bool, stream: int) -> None:
        """Multiply packed bits, on binary tensor cores or by popcount."""
        self._check(self._library.planesmith_bits(bits, int(tensor), stream), "bits")

    def _check(self, code: int, what: str) -> None:
        if code == -1:
            raise ValueError(f"kernel {what} must be one of those compiled, got another choice")
        if code:
            text = self._library.planesmith_error(code).decode()
            raise OSError(f"kernel {what} must start, got from CUDA: {text}")
