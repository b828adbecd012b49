"""Folders in Transformers format whose layers are packed, in any way that can be imported."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from models.checks import require
from models.interchange.bitnet import open_bitnet
from models.interchange.gptq import open_gptq
from models.interchange.source import Source
from models.interchange.weights import Weights, check_folder, open_weights, quantization

OPENERS = {"bitnet": open_bitnet, "gptq": open_gptq}
"""By the ``quant_method`` of a folder's quantization."""
METHODS = " or ".join(OPENERS)


def method(folder: Path) -> str:
    """Return how the layers of a folder are packed, in one word; ``none`` if they are not."""
    return str(quantization(folder).get("quant_method", "none"))


@contextmanager
def open_packed(folder: Path) -> Iterator[tuple[Weights, Source]]:
    """Open the tensors and the layers of a folder.

    Raises
    ------
    ValueError
        The folder is no model in Transformers format, or holds pickles; its layers are packed in
        another way, or not; a file is damaged.
    """
    check_folder(str(folder), folder)
    name = method(folder)
    require(name in OPENERS, str(folder), f"have layers packed by {METHODS}", name)
    with open_weights(folder) as weights:
        yield weights, OPENERS[name](weights, quantization(folder))
