"""The parts of a layer as JSON and named arrays, and back."""

import json
from dataclasses import fields, is_dataclass
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from models.checks import require
from models.stage import Stage
from models.trits import planes_of, trits_of

SINCE = {"mix": 2, "equivalence": 2, "base3": 3}
"""Version that brought a field; what earlier files lack of it is its default."""


def describe(value: Any, name: str, tensors: dict[str, NDArray]) -> Any:
    """Return the JSON of a part, and put its arrays into ``tensors`` under their dotted names."""
    if isinstance(value, np.ndarray):
        require(name not in tensors, "tensor names", "differ", f"{name} twice")
        tensors[name] = np.ascontiguousarray(value)
        return {"tensor": name}
    if isinstance(value, tuple):
        return [describe(item, f"{name}.{n}", tensors) for n, item in enumerate(value)]
    if is_dataclass(value):
        parts = {field.name: getattr(value, field.name) for field in fields(value)}
        if isinstance(value, Stage) and value.base3:
            parts["planes"] = trits_of(value.planes, value.columns)
        return {key: describe(part, f"{name}.{key}", tensors) for key, part in parts.items()}
    return value.item() if isinstance(value, np.generic) else value


def restore(kind: Any, value: Any, name: str, tensors: Any, version: int) -> Any:
    """Make the part of this kind that :func:`describe` of a version turned into JSON.

    Foreign JSON raises ``ValueError`` or ``OverflowError``; a missing tensor ``SafetensorError``;
    one of a type that NumPy lacks ``TypeError`` or ``AttributeError``.
    """
    if isinstance(kind, UnionType):
        if value is None:
            return None
        kind = get_args(kind)[0]
    if get_origin(kind) is np.ndarray:
        fits = isinstance(value, dict) and list(value) == ["tensor"]
        require(fits, name, "name a tensor", json.dumps(value))
        return tensors.get_tensor(value["tensor"])
    if get_origin(kind) is tuple:
        require(isinstance(value, list), name, "be a list", json.dumps(value))
        item_kind = get_args(kind)[0]
        return tuple(
            restore(item_kind, item, f"{name}.{n}", tensors, version)
            for n, item in enumerate(value)
        )
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = {
            key: hint for key, hint in get_type_hints(kind).items() if SINCE.get(key, 1) <= version
        }
        require(isinstance(value, dict), name, "be an object", json.dumps(value))
        odd = [f"no {key}" for key in kinds if key not in value]
        odd += [f"a foreign {key}" for key in value if key not in kinds]
        require(not odd, name, f"have the fields of a {kind.__name__}", ", ".join(odd))
        parts = {
            key: restore(kinds[key], part, f"{name}.{key}", tensors, version)
            for key, part in value.items()
        }
        if kind is Stage and parts.get("base3"):
            parts["planes"] = planes_of(parts["planes"], parts["columns"])
        return kind(**parts)
    kind = str if get_origin(kind) is Literal else kind
    fits = type(value) is kind or (kind is float and type(value) is int)
    require(fits, name, f"be {kind.__name__}", json.dumps(value))
    return kind(value)
