"""Named models, as what a board must read and compute for each token."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workload:
    """The linear layers of a model, without embedding and head.

    Attributes
    ----------
    name : str
    weights : int
    """

    name: str
    weights: int


def llama(
    name: str, layers: int, hidden: int, feed_forward: int, heads: int, kv_heads: int
) -> Workload:
    """Return the workload of a LLaMA-like model from the figures of its configuration."""
    kv = hidden * kv_heads // heads
    attention = 2 * hidden * hidden + 2 * hidden * kv
    return Workload(name, layers * (attention + 3 * hidden * feed_forward))


WORKLOADS = (
    llama("SmolLM2-135M", 30, 576, 1536, 9, 3),
    llama("BitNet-b1.58-2B-4T", 30, 2560, 6912, 20, 5),
    llama("LLaMA-2-7B", 32, 4096, 11008, 32, 32),
)
"""From each model's config.json."""
