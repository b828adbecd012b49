"""Terms of a cost: count times price each, and their sums."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cost.interval import Amount, Interval
from cost.prices import Price


@dataclass(frozen=True)
class Term:
    """So many of something at a price.

    Attributes
    ----------
    component, what : str
        One of :data:`COMPONENTS`; what is counted.
    count : Interval or float
    price : Price
    """

    component: str
    what: str
    count: Amount
    price: Price

    @cached_property
    def value(self) -> Interval:
        """Count times price, in base units."""
        return self.price.value * self.count


COMPONENTS = ("arithmetic", "scaling", "control", "attention", "SRAM", "DRAM", "static", "board")
"""In the order of pictures and tables."""


def total(terms: Iterable[Term]) -> Interval:
    """Add terms up."""
    values = [term.value for term in terms]
    return Interval(sum(one.low for one in values), sum(one.high for one in values))


def by_component(terms: Iterable[Term]) -> dict[str, Interval]:
    """Add terms up by component."""
    terms = list(terms)
    return {name: total(term for term in terms if term.component == name) for name in COMPONENTS}


def explain(terms: Iterable[Term], unit: str, scale: float) -> str:
    """Return every term as count, price, value and source, and the sum.

    Parameters
    ----------
    unit, scale : str, float
        Of values: base units times ``scale``.
    """
    terms = list(terms)
    lines = [f"{'component':<11}{'what':<38}{'count':>20} x {'price':<30} = {unit}"]
    for term in terms:
        price = term.price.show()
        value = term.value.show(scale)
        count = Interval.of(term.count).show(digits=4)
        lines.append(
            f"{term.component:<11}{term.what:<38}{count:>20} x {price:<30} = {value}\n"
            f"{'':<11}source: {term.price.source}"
        )
    return "\n".join([*lines, f"sum: {total(terms).show(scale, 4)} {unit}"])


def as_json(terms: Iterable[Term]) -> list[dict[str, Any]]:
    """Return every term in base units; intervals as two numbers."""
    found = []
    for term in terms:
        count, price, value = Interval.of(term.count), term.price.value, term.value
        found.append({
            "component": term.component, "what": term.what, "count": [count.low, count.high],
            "price": [price.low, price.high], "value": [value.low, value.high],
            "source": term.price.source,
        })  # fmt: skip
    return found
