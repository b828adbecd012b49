"""What every importer gives: the grids of a checkpoint's layers, each read when asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from models.interchange.grid import Grid


@dataclass(frozen=True, eq=False)
class Source:
    """The linear layers of a checkpoint.

    Attributes
    ----------
    kind : str
        What the checkpoint is: GGUF, BitNet or GPTQ, with its types.
    grids : dict of str to function
        Reads the layer of that name; in the order of the model.
    left_out : dict of str
        Layers that are no grids, each with what it is.
    """

    kind: str
    grids: dict[str, Callable[[], Grid]]
    left_out: dict[str, str]
