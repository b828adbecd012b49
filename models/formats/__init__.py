"""The weight formats: one table of names, and options written as ``name:key=value,...``."""

import inspect
from dataclasses import fields, replace
from math import isfinite
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.codes import Activation
from models.formats.arb import Arb
from models.formats.billm import BiLlm
from models.formats.binary import Binary
from models.formats.dbf import Dbf, LittleBit, Mdbf
from models.formats.fdb import Fdb
from models.formats.integer import Integer
from models.formats.jsq import Jsq
from models.formats.onebit import OneBit
from models.formats.pbllm import PbLlm
from models.formats.sbvr import Sbvr
from models.formats.sdq import Sdq
from models.formats.signs import Signs
from models.formats.spec import Format, StageFormat, choices_of, require_choice
from models.formats.ternary import Ternary

FORMATS: dict[str, type[Format]] = {
    "sbvr": Sbvr,
    "signs": Signs,
    "ternary": Ternary,
    "int": Integer,
    "fdb": Fdb,
    "binary": Binary,
    "billm": BiLlm,
    "arb": Arb,
    "pbllm": PbLlm,
    "onebit": OneBit,
    "jsq": Jsq,
    "sdq": Sdq,
    "dbf": Dbf,
    "mdbf": Mdbf,
    "littlebit": LittleBit,
}


ALIASES = {"xnor": "binary"}
"""Other names of formats."""


def parse(text: str) -> Format:
    """Read a format and its options, as in ``sbvr:k=2,group=64``.

    Raises
    ------
    ValueError
        For a name, option or value that there is not.
    """
    name, _, rest = text.strip().partition(":")
    kind = _kind(name)
    hints = get_type_hints(kind)
    options: dict[str, Any] = {}
    for item in rest.split(",") if rest else []:
        key, equals, value = (word.strip() for word in item.partition("="))
        if not equals:
            raise ValueError(f"option must be written key=value, got {item.strip()!r}")
        require_choice(f"option of {name}", key, tuple(field.name for field in fields(kind)))
        if key in options:
            raise ValueError(f"option {key} must be given once, got it twice")
        options[key] = _READERS[hints[key]](key, value) if hints[key] in _READERS else value
    return replace(kind(), **options)


def quantize(
    name: str, weight: NDArray[np.floating] | Tensor, spec: Format, activation: Activation
) -> BitplaneLayer:
    """Quantize the matrix of the layer ``name``, (out, in), to a format."""
    return spec.quantize(weight, name, activation)


def describe(name: str) -> str:
    """Return one line on a format: its options with their defaults, and what it is."""
    kind = FORMATS[name]
    summary = (kind.__doc__ or "").split("\n", 1)[0]
    return f"{_usage(name, kind)}  {summary}"


def explain(name: str) -> str:
    """Return all on a format: its line, what its class says, and the words of its options.

    Raises
    ------
    ValueError
        There is no such format.
    """
    kind = _kind(name)
    bases = [b for b in kind.__mro__ if issubclass(b, Format) and b not in (Format, StageFormat)]
    texts = [inspect.cleandoc(base.__doc__ or "") for base in bases]
    words = [f"{key} is one of: {', '.join(of)}" for key, of in choices_of(kind).items()]
    return "\n\n".join([_usage(name, kind), *texts, "\n".join(words)]).rstrip()


def _usage(name: str, kind: type[Format]) -> str:
    """Return a format with all options at their defaults."""
    return f"{name}:{','.join(f'{field.name}={field.default}' for field in fields(kind))}"


def _kind(name: str) -> type[Format]:
    """Return the format of a name."""
    name = ALIASES.get(name, name)
    require_choice("format", name, tuple(FORMATS))
    return FORMATS[name]


def _whole_number(key: str, text: str) -> int:
    """Read an integer option."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{key} must be a whole number, got {text!r}") from None


def _number(key: str, text: str) -> float:
    """Read an option that may have decimals."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise ValueError(f"{key} must be a number, got {text!r}")
    return value


_READERS = {int: _whole_number, float: _number}
