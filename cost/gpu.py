"""A token on a GPU, by a roofline: the slower of memory and arithmetic, times power.

Measured tokens (:mod:`cost.measured`) have the same form, and say where they are from.
"""

from dataclasses import dataclass
from typing import Any

from cost.engine import cache_bytes
from cost.interval import Interval
from cost.prices import Prices
from cost.storage import Storage
from cost.workload import Shape
from models.checks import require

MEASURED = "measured"


@dataclass(frozen=True)
class GpuToken:
    """What a token costs on a GPU.

    Attributes
    ----------
    batch : int
        Tokens at once.
    seconds : Interval
        Of one token, with the others of its batch.
    joules : Interval or None
        Likewise; None where none were read.
    bound : str
        ``memory`` or ``arithmetic``; :data:`MEASURED` of a measurement.
    source : str
        ``roofline``, or the record.
    context : int
        Tokens before it.
    """

    batch: int
    seconds: Interval
    joules: Interval | None
    bound: str
    source: str
    context: int

    @property
    def rate(self) -> Interval:
        """Tokens a second."""
        return Interval(1 / self.seconds.high, 1 / self.seconds.low)

    @property
    def measured(self) -> bool:
        """Whether it was run, not computed."""
        return self.bound == MEASURED

    @property
    def origin(self) -> str:
        """What to call it: measured, or of a roofline."""
        return MEASURED if self.measured else "roofline"

    @property
    def read_joules(self) -> Interval:
        """Joules, where there must be some.

        Raises
        ------
        ValueError
            None were read.
        """
        if self.joules is None:
            raise ValueError(f"tokens of {self.source} must have joules, got none")
        return self.joules

    def show(self) -> str:
        """Return it as text."""
        joules = "not read" if self.joules is None else self.joules.show()
        bound = "" if self.measured else f", bound by {self.bound}"
        return (
            f"batch {self.batch:<5}{self.rate.show():>20} tokens/s {joules:>15} J/token  "
            f"{self.context} tokens before; {self.source}{bound}"
        )

    def as_json(self) -> dict[str, Any]:
        """Return all figures; intervals as two numbers."""
        joules = None if self.joules is None else [self.joules.low, self.joules.high]
        return {
            "batch": self.batch, "tokens_per_second": [self.rate.low, self.rate.high],
            "joules_per_token": joules, "bound": self.bound, "source": self.source,
            "context": self.context, "origin": self.origin,
        }  # fmt: skip


def model_bytes(model: Shape, storage: Storage, head: Storage) -> float:
    """Return the bytes of all matrices that a token needs."""
    bits = sum(one.count * storage.stored_bits(one.out, one.inputs) for one in model.linears)
    return (bits + head.stored_bits(model.head.out, model.head.inputs)) / 8


def roofline(
    model: Shape, storage: Storage, head: Storage, gpu: Prices, context: int, batch: int
) -> GpuToken:
    """Return what a token costs in a batch, each with a context of its own.

    Products are FP16, whatever the storage; keys and values are stored as the engine's are.

    Raises
    ------
    ValueError
        The batch does not fit the GPU's memory.
    """
    cache = cache_bytes(model, context)
    held = model_bytes(model, storage, head) + batch * cache
    capacity = gpu["capacity"].value.low
    require(held <= capacity, f"{model.name} in {storage.name} with a batch of {batch}",
            f"fit {capacity / 1e9:g} GB of {gpu.name}", f"{held / 1e9:.3g} GB")  # fmt: skip
    macs = model.body_weights + model.head.weights + model.attention_macs(context)
    reached = gpu["bandwidth"].value * gpu["reached"].value
    transfer = [held / end for end in (reached.high, reached.low)]
    arithmetic = [batch * 2 * macs / (gpu["fp16"].value * share).low for share in (1.0, 0.5)]
    step = Interval(*(max(pair) for pair in zip(transfer, arithmetic, strict=True)))
    bound = "memory" if transfer[0] >= arithmetic[0] else "arithmetic"
    one = step * (1 / batch)
    power = gpu["power"].value
    busy = power if bound == "memory" else Interval(power.high, power.high)
    return GpuToken(batch, one, one * busy, bound, "roofline", context)


def best(model: Shape, storage: Storage, head: Storage, gpu: Prices, context: int) -> GpuToken:
    """Return the batch, a power of two, with the fewest joules a token that fits."""
    found = [roofline(model, storage, head, gpu, context, 1)]
    while True:
        try:
            found.append(roofline(model, storage, head, gpu, context, 2 * found[-1].batch))
        except ValueError:
            break
        if found[-1].batch >= 4096:
            break
    return min(found, key=lambda one: one.read_joules.middle)
