"""Damaged and foreign files of layers give one line."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import differences
from safetensors.numpy import save_file
from stored import every_kind, load, refuses, save_one

from models.store import save


def damage(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
    """Change the headers of a file, that of safetensors and ours, or replace ours."""
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    tensors = json.loads(raw[8 : 8 + size])
    ours = json.loads(tensors["__metadata__"]["planesmith"])
    changed = change(tensors, ours)
    ours = changed if isinstance(changed, str | list) else ours
    tensors["__metadata__"]["planesmith"] = ours if isinstance(ours, str) else json.dumps(ours)
    text = json.dumps(tensors).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + size :])


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return save_one(tmp_path)


def test_truncated_files(one: Path) -> None:
    whole = one.read_bytes()
    for size in (0, 1, 8, 100, len(whole) // 2, len(whole) - 1):
        one.write_bytes(whole[:size])
        refuses(one, r".* must be a bitplane file, got: Error while deserializing header: .*")
    one.write_bytes(whole + b"x")
    refuses(one, r".* must be a bitplane file, got: Error while deserializing header: .*")


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("This is no file of tensors.")
    refuses(path, r".* must be a bitplane file, got: Error while deserializing header: .*")
    for metadata in (None, {}, {"format": "pt"}):
        save_file({"a": np.zeros(3)}, path, metadata=metadata)
        refuses(path, r".* must be a bitplane file, got safetensors of something else")
    refuses(tmp_path, r".* must be a bitplane file, got a folder", FileNotFoundError)
    refuses(tmp_path / "no", r".* must be a bitplane file, got none", FileNotFoundError)
    refuses(Path(os.devnull), r".* must be a bitplane file, got none", FileNotFoundError)


WHOLE = "have a header with version, info, order and the layers of that order"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda t, h: h.update(version=4), "be of bitplane version 1 to 3, got 4"),
        (lambda t, h: h.update(version=0), "be of bitplane version 1 to 3, got 0"),
        (lambda t, h: h.update(version=1.5), "be of bitplane version 1 to 3, got 1.5"),
        (lambda t, h: h.pop("version"), "be of bitplane version 1 to 3, got None"),
        (lambda t, h: [], "be of bitplane version 1 to 3, got None"),
        (lambda t, h: h.update(version=True), f"{WHOLE}, got info, layers, order, version"),
        (lambda t, h: h.pop("info"), f"{WHOLE}, got layers, order, version"),
        (lambda t, h: h.update(more=1), f"{WHOLE}, got info, layers, order, version, more"),
        (lambda t, h: h.update(layers=[]), f"{WHOLE}, got info, layers, order, version"),
        (lambda t, h: h.update(order=[]), f"{WHOLE}, got info, layers, order, version"),
        (lambda t, h: h.update(order=["a.b", "a.b"]), f"{WHOLE}, got info, layers, order, version"),
        (lambda t, h: h.update(order=[1]), f"{WHOLE}, got info, layers, order, version"),
        (lambda t, h: h.update(order=[["a.b"]]), f"{WHOLE}, got info, layers, order, version"),
        (lambda t, h: "{", r"have a header in JSON, got: Expecting property name .*"),
        (lambda t, h: "[" * 100000, r"have a header in JSON, got: maximum recursion depth .*"),
    ],
)
def test_damaged_headers(one: Path, change: Callable[..., Any], text: str) -> None:
    damage(one, change)
    refuses(one, f".* must {text}")


def part(h: dict[str, Any]) -> dict[str, Any]:
    return h["layers"]["a.b"]["paths"][0]


def first(h: dict[str, Any]) -> dict[str, Any]:
    return part(h)["stages"][0]


def retype(name: str, dtype: str, shape: list[int] | None = None) -> Callable[..., None]:
    """Return a change of a tensor's dtype, and of its shape."""

    def change(t: dict[str, Any], _: dict[str, Any]) -> None:
        entry = t[f"a.b.paths.0.{name}"]
        entry["dtype"] = dtype
        entry["shape"] = shape or entry["shape"]

    return change


S = "a.b.paths.0.stages.0"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda t, h: first(h).update(planes={"tensor": "gone"}),
            "File does not contain tensor gone",
        ),
        (lambda t, h: first(h).update(planes={"tensor": 1}), "argument 'name': .*"),
        (lambda t, h: first(h).update(planes=None), f"{S}.planes must name a tensor, got null"),
        (lambda t, h: first(h).update(planes=[]), rf"{S}.planes must name a tensor, got \[\]"),
        (
            lambda t, h: first(h).update(offset={"tensors": "x"}),
            rf'{S}.offset must name a tensor, got {{"tensors": "x"}}',
        ),
        (
            lambda t, h: first(h).update(foo=1),
            f"{S} must have the fields of a Stage, got a foreign foo",
        ),
        (
            lambda t, h: part(h).pop("router"),
            "a.b.paths.0 must have the fields of a Path, got no router",
        ),
        (
            lambda t, h: first(h).update(grp=first(h).pop("group")),
            f"{S} must have the fields of a Stage, got no group, a foreign grp",
        ),
        (lambda t, h: h["layers"].update({"a.b": 1}), "a.b must be an object, got 1"),
        (lambda t, h: part(h).update(stages=None), "a.b.paths.0.stages must be a list, got null"),
        (lambda t, h: part(h).update(stages=[]), "path must have 1 or 2 stages, got 0"),
        (lambda t, h: part(h).update(stages=[1]), f"{S} must be an object, got 1"),
        (lambda t, h: first(h).update(columns="5"), f'{S}.columns must be int, got "5"'),
        (lambda t, h: first(h).update(columns=5.0), f"{S}.columns must be int, got 5.0"),
        (lambda t, h: first(h).update(columns=True), f"{S}.columns must be int, got true"),
        (lambda t, h: first(h).update(columns=None), f"{S}.columns must be int, got null"),
        (lambda t, h: first(h).update(columns=6), "columns must be 5 for 5 inputs, got 6"),
        (lambda t, h: first(h).update(columns=10**30), "columns of all views must be at most .*"),
        (lambda t, h: first(h).update(monomials=[1.0]), f"{S}.monomials.0 must be int, got 1.0"),
        (lambda t, h: first(h).update(monomials=1), f"{S}.monomials must be a list, got 1"),
        (lambda t, h: first(h).update(gather=3), f"{S}.gather must name a tensor, got 3"),
        (
            lambda t, h: first(h)["activation"].update(scale=1),
            f"{S}.activation.scale must be str, got 1",
        ),
        (
            lambda t, h: first(h)["activation"].update(scale="row"),
            "activation scale must be token, group or static, got row",
        ),
        (
            lambda t, h: first(h)["activation"].update(value="1"),
            f'{S}.activation.value must be float, got "1"',
        ),
        (lambda t, h: first(h)["activation"].update(value=10**400), "int too large to .*"),
        (
            lambda t, h: first(h)["activation"].update(signed=1),
            f"{S}.activation.signed must be bool, got 1",
        ),
        (lambda t, h: h["layers"]["a.b"].update(name="c"), "its name must be a.b, got c"),
        (lambda t, h: h["layers"]["a.b"].update(post="x"), "post must be none or layernorm, got x"),
        (
            lambda t, h: h.update(version=1),
            "a.b must have the fields of a BitplaneLayer, got a foreign equivalence",
        ),
        (
            lambda t, h: first(h).pop("mix"),
            f"{S} must have the fields of a Stage, got no mix",
        ),
        (lambda t, h: first(h).update(mix=[2, -1]), f"{S}.mix.0 must be a list, got 2"),
        (lambda t, h: first(h).update(mix=[[2, 0.5]]), f"{S}.mix.0.1 must be int, got 0.5"),
        (
            lambda t, h: first(h).update(mix=[[2, 999]]),
            r"mix must hold integers from -128 to 127, got \[2, 999\]",
        ),
        (lambda t, h: first(h).update(mix=[[]]), "mix must have rows of 2, .*, got 0"),
        (
            lambda t, h: h["layers"]["a.b"].update(inputs=9),
            r"column scale must have shape \(1, 9\), got \(1, 5\)",
        ),
        (retype("stages.0.planes", "I8"), "planes must be uint8, got int8"),
        (retype("stages.0.planes", "U8", [5, 4]), "planes must have 3 dimensions, got 2"),
        (retype("stages.0.coefficients", "U16"), "coefficients must be int8 or int16, got uint16"),
        (retype("stages.0.coefficients", "BF16"), ".*bfloat16.*"),
        (retype("stages.0.coefficients", "F8_E4M3", [2]), ".*float8.*"),
        (
            retype("stages.0.coefficients", "I16", [1]),
            r"coefficients must have shape .*, got \(1,\)",
        ),
        (retype("out_scale", "I32"), "out scale must be float32, got int32"),
    ],
)
def test_damaged_layers(one: Path, change: Callable[..., Any], text: str) -> None:
    damage(one, change)
    refuses(one, f".* must hold a whole layer a.b, got: (?:{text})")


def test_damage_to_one_layer_leaves_the_others(tmp_path: Path) -> None:
    path, layers = tmp_path / "f", every_kind(0)
    save(path, layers, {})

    def change(_: dict[str, Any], h: dict[str, Any]) -> None:
        h["layers"]["part.dbf"]["inputs"] = 3

    damage(path, change)
    assert load(path, "part.mdbf").inputs == 19
    refuses(path, ".* must hold a whole layer part.dbf, got: .*", name="part.dbf")


def test_integers_stand_for_whole_floats(one: Path) -> None:
    def change(_: dict[str, Any], h: dict[str, Any]) -> None:
        first(h)["activation"]["value"] = 1

    want = load(one, "a.b")
    damage(one, change)
    assert differences(load(one, "a.b"), want) == []
