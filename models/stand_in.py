"""What is in a model in place of a linear layer, and has no matrix."""

from torch import Tensor, nn


class StandIn(nn.Module):
    """A module that computes a layer, but has no matrix.

    Parameters
    ----------
    layer : str
        Its name.
    """

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.name = layer

    @property
    def weight(self) -> Tensor:
        """There is none: a model that reads it, to multiply by itself, cannot have the layer.

        Raises
        ------
        ValueError
            Always.
        """
        subject, rule = f"layer {self.name}", "be left out (quantize --layers)"
        raise ValueError(f"{subject} must {rule}, got a model that reads its weight itself")
