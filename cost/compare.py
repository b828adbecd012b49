"""Results side by side: a line for each model, format and technology."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cost.engine import Chip, Token
from cost.storage import Storage
from cost.terms import by_component
from cost.workload import Shape


@dataclass(frozen=True)
class Result:
    """A token of a model in a format on a chip."""

    model: Shape
    storage: Storage
    chip: Chip
    token: Token

    def as_json(self) -> dict[str, Any]:
        """Return all figures; intervals as two numbers."""
        token = self.token
        parts = by_component(token.terms)
        return {
            "model": self.model.name,
            "format": self.storage.name,
            "technology": self.chip.technology.name,
            "memory": self.chip.memory.name,
            "tokens_per_second": [1 / token.seconds.high, 1 / token.seconds.low],
            "joules_per_token": [token.joules.low, token.joules.high],
            "bytes_per_token": token.bytes,
            "compute_seconds": token.compute,
            "transfer_seconds": [token.transfer.low, token.transfer.high],
            "logic_mm2": [token.area.low / 1e6, token.area.high / 1e6] if token.area.high else None,
            "joules_by_component": {name: [v.low, v.high] for name, v in parts.items()},
            "warnings": token.warnings,
        }


def table(results: Sequence[Result]) -> str:
    """Return results as text."""
    lines = [
        (
            f"{'model':<14}{'format':<12}{'chip':<9}{'memory':<16}{'tokens/s':>14}{'mJ/token':>17}"
            f"{'MB/token':>10}{'logic mm2':>18}  bound"
        )
    ]
    for one in results:
        token = one.token
        speed = f"{1 / token.seconds.high:.3g}..{1 / token.seconds.low:.3g}"
        area = token.area.show(1e-6) if token.area.high else "-"
        bound = "array" if token.compute > token.transfer.high else "memory"
        lines.append(
            f"{one.model.name:<14}{one.storage.name:<12}{one.chip.technology.name:<9}"
            f"{one.chip.memory.name:<16}{speed:>14}{token.joules.show(1e3):>17}"
            f"{token.bytes / 1e6:>10.1f}{area:>18}  {bound}"
        )
    return "\n".join(lines)
