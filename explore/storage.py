"""What a circuit stores and passes of a format of ``models``, and its bits per weight."""

from functools import cache

from cost.storage import ROW_SCALE_BITS, Storage
from cost.workload import Shape
from models.checks import require
from models.cli import nearest
from models.formats import parse
from models.formats.binary import Binary
from models.formats.integer import Integer
from models.formats.signs import Signs
from models.formats.spec import Format
from models.formats.ternary import Ternary

KNOWN = {"int": Integer, "signs": Signs, "ternary": Ternary, "binary": Binary}
"""Formats of single stages whose circuits' costs are known."""


@cache
def storage_for(text: str) -> Storage:
    """Return how a circuit sees a format, written as for ``models quantize``.

    Raises
    ------
    ValueError
        There is no such format, or none whose costs are known.
    """
    spec, group = parse(text), _group(text)
    match spec:
        case Integer():
            return Storage(text, spec.bits, spec.bits, spec.bits, group=group)
        case Signs():
            return Storage(text, spec.k, spec.k, spec.k, group=group)
        case Ternary():
            require(spec.storage == "planes", "storage", "be planes in a circuit", spec.storage)
            return Storage(text, 2, 2, 2, True, group=group)
        case Binary():
            return Storage(text, 1, 1, 1, group=group)
    name = text.partition(":")[0]
    raise ValueError(
        f"format must be one whose circuit's costs are known ({nearest(name, KNOWN)}), got {name}"
    )


def seen_of(text: str) -> str:
    """Return the name that ``sim cost`` has for what a circuit sees of a format."""
    storage = storage_for(text)
    name = "ternary:" if storage.ternary else f"signs:k={storage.planes},"
    return f"{name}group={storage.group}"


@cache
def stored_bits(text: str, model: Shape) -> float:
    """Return the stored bits per weight of a model's blocks, as the format's documentation has it.

    Coefficients and row scales are in it; the head, and what a layer has once, are not: up to 128
    bits a layer.
    """
    spec, bits = parse(text), 0.0
    for linear in model.linears:
        group = _group(text) or linear.inputs
        groups = -(-linear.inputs // group)
        own = groups * _coefficients(spec) * getattr(spec, "coef_bits", 0)
        rows = _row_bits(spec)
        bits += linear.weights * storage_for(text).bits + linear.out * linear.count * (own + rows)
    return bits / model.body_weights


def _group(text: str) -> int:
    spec = parse(text)
    return getattr(spec, "group", 0) if getattr(spec, "scale", "") == "group" else 0


def _coefficients(spec: Format) -> int:
    """Return the coefficients that a row and group stores."""
    grouped = getattr(spec, "scale", "") == "group"
    match spec:
        case Signs():
            return spec.k
        case Integer():
            return grouped * (1 + (spec.range == "asymmetric"))
        case Binary():
            return (1 + (spec.mean == "kept")) if grouped or spec.mean == "kept" else 0
        case _:
            return int(grouped)


def _row_bits(spec: Format) -> float:
    if isinstance(spec, Ternary) and spec.scale == "tensor":
        return 0
    extra = isinstance(spec, Integer) and spec.scale == "row" and spec.range == "asymmetric"
    return ROW_SCALE_BITS + 16 * extra
