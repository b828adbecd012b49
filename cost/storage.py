"""Storage: what a format keeps of each weight, and how often the array passes over it."""

import re
from dataclasses import dataclass

from models.checks import require
from models.cli import nearest

COEFFICIENT_BITS = 16
ROW_SCALE_BITS = 32


@dataclass(frozen=True)
class Storage:
    """A format as a circuit or a GPU reads it.

    Attributes
    ----------
    name : str
    bits : float
        Of a weight itself.
    planes, terms : int
        Planes of a weight word of ``popcount``, and its passes over them; 0 where no circuit of
        ours takes the format.
    ternary : bool
        The planes are the two of one ternary weight, which ``addsub`` and ``lut`` take at once.
    group : int
        Columns that share coefficients; 0 for whole rows.
    """

    name: str
    bits: float
    planes: int
    terms: int
    ternary: bool = False
    group: int = 0

    def stored_bits(self, out: int, inputs: int) -> float:
        """Return the bits of a layer: weights, coefficients of each group and term, row scales."""
        groups = -(-inputs // self.group) if self.group else 1
        coefficients = COEFFICIENT_BITS * self.terms * groups if self.terms else 0
        return out * (self.bits * inputs + coefficients + ROW_SCALE_BITS)


PLAIN = {
    "fp16": Storage("fp16", 16, 0, 0),
    "int8": Storage("int8", 8, 8, 8),
    "int4": Storage("int4", 4, 4, 4, group=64),
    "binary": Storage("binary", 1, 1, 1, group=64),
    "ternary": Storage("ternary", 2, 2, 2, True, group=64),
    "signs": Storage("signs", 2, 2, 2, group=64),
}
"""By name; ``k`` and ``group`` can be given, as in ``signs:k=3,group=36``."""


def storage_of(text: str) -> Storage:
    """Return the format that a text names.

    Raises
    ------
    ValueError
        There is no such format or option.
    """
    name, _, rest = text.partition(":")
    require(
        name in PLAIN, "format", f"be one that costs are known of ({nearest(name, PLAIN)})", name
    )
    plain, options = PLAIN[name], {"k": PLAIN[name].planes, "group": PLAIN[name].group}
    for option in filter(None, rest.split(",")):
        match = re.fullmatch(r"(k|group)=(\d+)", option)
        if match is None or (match[1] == "k" and name != "signs"):
            allowed = "k=N or group=N" if name == "signs" else "group=N"
            raise ValueError(f"option of format {name} must be {allowed}, got {option}")
        options[match[1]] = int(match[2])
    planes, group = options["k"], options["group"]
    require(name != "signs" or 1 <= planes <= 16, "k of format signs", "be from 1 to 16", planes)
    bits = planes if name == "signs" else plain.bits
    terms = planes if name == "signs" else plain.terms
    return Storage(text, bits, planes, terms, plain.ternary, group)
