"""Binary times binary: products of packed bits, as bits or as signs."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.checks import require
from models.gpu.device import address
from models.gpu.kernels import BitsStruct, Kernels
from models.gpu.layout import STEP, pack_bits, pack_tokens
from models.integers import MOST_COLUMNS


class BinaryMatrix:
    """Rows of bits that are multiplied by tokens of bits.

    Parameters
    ----------
    bits : bool, (rows, columns)
    signs : bool
        True stands for 1 and False for -1, in rows and tokens; else for 1 and 0.

    Attributes
    ----------
    tensors : dict of Tensor
        ``planes``, and of signs ``row_ones``.
    """

    def __init__(self, bits: NDArray[np.bool_], signs: bool) -> None:
        require(bits.ndim == 2 and bits.size > 0, "bits", "have rows and columns", bits.shape)
        self.rows, self.columns = bits.shape
        fits = self.columns <= MOST_COLUMNS
        require(fits, "columns", f"be at most {MOST_COLUMNS}", self.columns)
        self.tensors = {"planes": torch.from_numpy(pack_bits(bits).view(np.int32))}
        if signs:
            self.tensors["row_ones"] = torch.from_numpy(bits.sum(1, dtype=np.int32))

    def pack(self, bits: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
        """Pack tokens, bool (tokens, columns); also count each one's ones, int32 (tokens,)."""
        require(bits.shape[1] == self.columns, "columns", f"be {self.columns}", bits.shape[1])
        packed = torch.from_numpy(pack_tokens(bits).view(np.int32))
        return packed, torch.from_numpy(bits.sum(1, dtype=np.int32))

    def multiply(
        self,
        kernels: Kernels,
        tensors: dict[str, Tensor],
        tokens: tuple[Tensor, Tensor],
        tensor_cores: bool,
        stream: int,
    ) -> Tensor:
        """Multiply; int32, (tokens, rows).

        Parameters
        ----------
        tensors, tokens
            ``self.tensors`` and packed tokens, on the device of the kernels.
        """
        packed, ones = tokens
        result = torch.empty(len(ones), self.rows, dtype=torch.int32, device=packed.device)
        struct = BitsStruct()
        struct.planes, struct.inputs = address(tensors["planes"]), address(packed)
        struct.row_ones = address(tensors.get("row_ones"))
        struct.token_ones, struct.products = address(ones), address(result)
        struct.tokens, struct.rows = len(ones), self.rows
        struct.steps, struct.columns = -(-self.columns // STEP), self.columns
        kernels.bits(struct, tensor_cores, stream)
        return result
