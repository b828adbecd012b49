"""What a language model asks of whoever does what the circuit does not: the host.

The host is a vector unit behind the same memory. It works before and after each layer, never
beside it, as each needs the other's results. Its operations are floating-point ones, counted from
what ``docs/arithmetic.md`` and the models' definitions say; a fused multiply-add counts two.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from models.checks import require
from sim.memory import Memory
from sim.system import Duty


@dataclass(frozen=True)
class Host:
    """Named figures of the host, each per number it works on.

    Attributes
    ----------
    rate : float
        Operations a cycle of the circuit; 16 are those of eight multiply-adds.
    input_operations : int
        Of an input of a layer: 6 for its code (magnitude, maximum, product, rounding, two limits)
        and as many for the norm, or the activation function, that it comes from.
    output_operations : int
        Of an output: to float, two scales, one sum.
    score_operations : int
        Of an attention score: scale, mask, maximum, difference, power, sum, quotient; one spare.
    rotary_operations : int
        Of an element of a query or key: two products and a sum.
    kv_bits, weight_bits : int
        Stored for an element of a key or value, and for a weight of a layer that is not in the
        file.
    """

    rate: float = 16.0
    input_operations: int = 12
    output_operations: int = 4
    score_operations: int = 8
    rotary_operations: int = 3
    kv_bits: int = 16
    weight_bits: int = 16

    def __post_init__(self) -> None:
        require(self.rate > 0, "host rate", "be above 0 operations a cycle", self.rate)

    def duty(self, name: str, operations: float, transferred: int, memory: Memory) -> Duty:
        """Predict work of so many operations on so many bytes."""
        transfer = memory.cycles(transferred)
        compute = ceil(operations / self.rate)
        return Duty(name, compute, memory.latency + transfer, 0, transfer, transferred, "host")


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder.

    Attributes
    ----------
    layers : dict of str to (int, int)
        Rows and columns of each linear layer, in the order of the model.
    head : str
        The one that gives the logits.
    heads, kv_heads, head_size : int
        0 heads: there is no attention.
    """

    layers: Mapping[str, tuple[int, int]]
    head: str
    heads: int
    kv_heads: int
    head_size: int

    def attention(self, host: Host, memory: Memory, tokens: int, context: int) -> Duty:
        """Predict the attention of one block, for tokens after so many in the cache.

        Keys and values are read once for all tokens, and those of the tokens written.
        """
        pairs = tokens * context + tokens * (tokens + 1) // 2
        products = 2 * 2 * self.heads * self.head_size * pairs
        scores = host.score_operations * self.heads * pairs
        rotated = (self.heads + self.kv_heads) * self.head_size * tokens
        element = 2 * self.kv_heads * self.head_size * host.kv_bits // 8
        return host.duty(
            "attention",
            products + scores + host.rotary_operations * rotated,
            element * (context + 2 * tokens),
            memory,
        )

    def order(self) -> Iterator[tuple[str, int | None]]:
        """Give each layer, with the block whose attention comes before it, if one does.

        That is the last layer of the block with ``attn`` or ``attention`` in its name, or, where
        no name has it, of the block.
        """
        outputs: dict[int, str] = {}
        for name in self.layers:
            parts = name.split(".")
            block = next((int(part) for part in parts if part.isdigit()), None)
            if block is not None and (_attends(name) or not _attends(outputs.get(block, ""))):
                outputs[block] = name
        before = {name: block for block, name in outputs.items()} if self.heads else {}
        for name in self.layers:
            yield name, before.get(name)


def _attends(name: str) -> bool:
    return "attn" in name or "attention" in name
