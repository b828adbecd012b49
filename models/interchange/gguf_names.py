"""The linear layers of a GGUF file as Transformers has them: their names and their rows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray
from transformers import AutoConfig
from transformers.modeling_gguf_pytorch_utils import (
    GGUF_SUPPORTED_ARCHITECTURES,
    TENSOR_PROCESSORS,
    TensorProcessor,
    load_gguf_checkpoint,
)

from models.checks import require
from models.foreign import one_line, quiet
from models.interchange.skeleton import linear_names

OUTSIDE = ("token_embd", "output")
"""Embedding and head: no layers of ours."""


@dataclass(frozen=True, eq=False)
class Names:
    """How the tensors of a GGUF file and the linear layers of a model correspond.

    Attributes
    ----------
    tensors : dict of str
        Name of each layer in the model, in its order, to the tensor's without ``.weight``.
    """

    tensors: dict[str, str]
    _processor: TensorProcessor

    def rows(self, tensor: str, shape: tuple[int, int]) -> NDArray[np.int32] | None:
        """Return the row of the tensor that is each row of the layer; None if they are the same.

        Some architectures are written to GGUF with rows in another order: Transformers undoes that
        when it reads, and what it does to numbers of rows tells the order.
        """
        numbers = np.broadcast_to(np.arange(shape[0], dtype=np.int32)[:, np.newaxis], shape)
        moved = self._processor.process(weights=numbers, name=f"{tensor}.weight").weights
        if moved is numbers:
            return None
        whole = moved.shape == shape and bool((moved == moved[:, :1]).all())
        require(whole, f"tensor {tensor}", "be a layer but for the order of its rows", moved.shape)
        return moved[:, 0]


def read_names(path: Path, reader: gguf.GGUFReader) -> Names:
    """Return the names of a file's layers.

    Of an architecture that Transformers does not read, layers are called as their tensors, and rows
    stay in the file's order.
    """
    architecture = reader.get_field("general.architecture")
    kind = str(architecture.contents() if architecture else None)
    if kind not in GGUF_SUPPORTED_ARCHITECTURES:
        ends = [tensor.name.removesuffix(".weight") for tensor in _matrices(reader)]
        return Names({name: name for name in ends if name not in OUTSIDE}, TensorProcessor())
    rule = f"{path} must be a GGUF model that Transformers knows"
    with quiet(bars=False), one_line(rule, ValueError):
        fields: dict[str, Any] = load_gguf_checkpoint(str(path))["config"]
        config = AutoConfig.for_model(**fields)
        layers = linear_names(config)
        known = gguf.get_tensor_name_map(_architecture(kind), config.num_hidden_layers)
    found = {name: known.get_name(name) for name in layers}
    processor = TENSOR_PROCESSORS.get(kind, TensorProcessor)(config=fields)
    return Names({name: tensor for name, tensor in found.items() if tensor}, processor)


def _matrices(reader: gguf.GGUFReader) -> list[gguf.ReaderTensor]:
    named = [tensor for tensor in reader.tensors if tensor.name.endswith(".weight")]
    return [tensor for tensor in named if len(tensor.shape) == 2]


def _architecture(name: str) -> gguf.MODEL_ARCH:
    """Return the architecture that is called so in files."""
    return next(arch for arch, known in gguf.MODEL_ARCH_NAMES.items() if known == name)
