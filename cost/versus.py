"""Against a GPU: what measurements say of it, what its roofline does, and how ours compares."""

from collections.abc import Sequence
from pathlib import Path

from cost.compare import Result
from cost.gpu import GpuToken, best, roofline
from cost.measured import measured
from cost.prices import Prices
from cost.storage import Storage
from cost.workload import Shape

OnGpu = tuple[str, str, list[GpuToken]]
"""A model's name, a format, and its tokens on a GPU."""


def on_gpu(
    model: Shape, storage: Storage, head: Storage, gpu: Prices, context: int, folder: Path
) -> list[GpuToken]:
    """Return measured tokens by batch, then the roofline's at batch 1 and at its best batch.

    Raises
    ------
    ValueError
        The model does not fit the GPU's memory.
    """
    return [
        *measured(folder, gpu.name, model, storage),
        roofline(model, storage, head, gpu, context, 1),
        best(model, storage, head, gpu, context),
    ]


def ends(tokens: Sequence[GpuToken]) -> list[GpuToken]:
    """Return batch 1 and the batch with the fewest joules: measured ones, if energy was read.

    Of nothing, nothing.
    """
    read = [one for one in tokens if one.measured and one.joules is not None]
    known = read or [one for one in tokens if not one.measured]
    if not known:
        return []
    fewest = min(known, key=lambda one: one.read_joules.middle)
    first = min(known, key=lambda one: one.batch)
    return [first] if fewest == first else [first, fewest]


def ratio(result: Result, gpu: str, what: str, token: GpuToken) -> str:
    """Return how many times a GPU's joules and time ours are, as a line."""
    joules, seconds = result.token.joules, result.token.seconds
    parts = []
    if token.joules is not None:
        low, high = joules.low / token.joules.high, joules.high / token.joules.low
        parts.append(f"{low:.2g} to {high:.2g} times the joules")
    low, high = seconds.low / token.seconds.high, seconds.high / token.seconds.low
    parts.append(f"{low:.2g} to {high:.2g} times the time a token")
    return (
        f"{result.model.name}, {result.storage.name}, {result.chip.technology.name}: "
        f"{', '.join(parts)} of {gpu} in {what} at batch {token.batch} "
        f"({token.origin}, {token.context} tokens before)"
    )
