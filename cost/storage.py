"""Storage: what a format keeps of each weight, and how often the array passes over it."""

import re
from dataclasses import dataclass, replace

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
    coefficient_bits : int
    """

    name: str
    bits: float
    planes: int
    terms: int
    ternary: bool = False
    group: int = 0
    coefficient_bits: int = COEFFICIENT_BITS

    def stored_bits(self, out: int, inputs: int) -> float:
        """Return the bits of a layer: weights, coefficients of each group and term, row scales."""
        groups = -(-inputs // self.group) if self.group else 1
        coefficients = self.coefficient_bits * self.terms * groups if self.terms else 0
        return out * (self.bits * inputs + coefficients + ROW_SCALE_BITS)


PLAIN = {
    "fp16": Storage("fp16", 16, 0, 0),
    "int8": Storage("int8", 8, 8, 8),
    "int4": Storage("int4", 4, 4, 4, group=64),
    "binary": Storage("binary", 1, 1, 1, group=64),
    "ternary": Storage("ternary", 2, 2, 2, True, group=64),
    "signs": Storage("signs", 2, 2, 2, group=64),
}
"""By name; ``group`` can be given, of signs ``k`` and ``coef_bits`` too: ``signs:k=3,group=36``."""


GROUPS = "scale=group,"
"""What ``models quantize`` is told for scales of groups; here all have them."""


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
    plain = PLAIN[name]
    allowed = {"group": plain.group}
    if name == "signs":
        allowed |= {"k": plain.planes, "coef_bits": COEFFICIENT_BITS}
    for option in filter(None, rest.removeprefix(GROUPS).split(",")):
        match = re.fullmatch(r"(\w+)=(\d+)", option)
        if match is None or match[1] not in allowed:
            known = " or ".join(f"{key}=N" for key in allowed)
            raise ValueError(f"option of format {name} must be {known}, got {option}")
        allowed[match[1]] = int(match[2])
    if name != "signs":
        return replace(plain, name=text, group=allowed["group"])
    planes, bits = allowed["k"], allowed["coef_bits"]
    require(1 <= planes <= 16, "k of format signs", "be from 1 to 16", planes)
    require(2 <= bits <= 16, "coef_bits of format signs", "be from 2 to 16", bits)
    return Storage(text, planes, planes, planes, False, allowed["group"], bits)
