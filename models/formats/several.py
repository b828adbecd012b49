"""Several formats in one text: ranges and alternatives of options."""

import re
from itertools import product

from models.checks import require
from models.formats import parse

RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST = 64
"""Formats that one text may stand for."""


def several(text: str) -> list[str]:
    """Write out a text such as ``signs:k=1..4,group=64|128;ternary`` as formats, in its order.

    Formats are separated by ``;``; an option may have values separated by ``|``, and ``a..b``
    stands for the whole numbers from a to b.

    Raises
    ------
    ValueError
        Not one of them is a format, a range is empty, or they are more than 64.
    """
    found: list[str] = []
    for one in text.split(";"):
        name, colon, rest = one.strip().partition(":")
        options = [_values(item) for item in rest.split(",")]
        found += [name + colon + ",".join(chosen) for chosen in product(*options)]
        require(len(found) <= MOST, "formats", f"number at most {MOST}", len(found))
    for one in found:
        parse(one)
    return found


def _values(item: str) -> list[str]:
    """Write out an option with several values as options with one."""
    key, equals, rest = item.partition("=")
    values: list[str] = []
    for value in rest.split("|"):
        if span := RANGE.fullmatch(value.strip()):
            low, high = int(span[1]), int(span[2])
            require(low <= high <= low + MOST, f"range of {key.strip()}", "rise", value.strip())
            values += map(str, range(low, high + 1))
        else:
            values.append(value)
    return [key + equals + value for value in values]
