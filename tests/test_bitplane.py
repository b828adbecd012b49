"""What a bitplane layer refuses, each with its text; what it is equal to."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import KINDS, random_stage, scales

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Requantize, Transform
from models.planes import pack
from models.stage import Stage


def refuses(make: Any, text: str, **fields: Any) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        make(**fields)


def zeros(*shape: int, of: str = "int16") -> np.ndarray:
    return np.zeros(shape, of)


NAN = np.full((1, 3), np.nan, np.float32)
GROUPED = {"scale": "group", "group": 4, "exponents": 1}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"bits": 0}, "activation bits must be from 1 to 16, got 0"),
        ({"bits": 17}, "activation bits must be from 1 to 16, got 17"),
        ({"scale": "row"}, "activation scale must be token, group or static, got row"),
        ({"bits": 1}, "1-bit activations must be unsigned, got signed"),
        (
            {"bits": 1, "signed": False, "scale": "static"},
            "1-bit activations must have scale token, got static",
        ),
        ({"group": 4}, "activation group must be set for scale group and only then, got 4"),
        (
            {"scale": "group"},
            "activation group must be set for scale group and only then, got 0",
        ),
        (
            {**GROUPED, "group": -4},
            "activation group must be set for scale group and only then, got -4",
        ),
        (
            {**GROUPED, "exponents": 0},
            "activation exponents must be from 1 to 15 for scale group, else 0, got 0",
        ),
        (
            {**GROUPED, "exponents": 16},
            "activation exponents must be from 1 to 15 for scale group, else 0, got 16",
        ),
        (
            {"exponents": 1},
            "activation exponents must be from 1 to 15 for scale group, else 0, got 1",
        ),
        ({"value": 0.0}, "activation value must be from 2**-64 to 2**64, got 0.0"),
        ({"value": 1e-20}, "activation value must be from 2**-64 to 2**64, got 1e-20"),
        ({"value": 1e20}, "activation value must be from 2**-64 to 2**64, got 1e+20"),
        ({"value": float("nan")}, "activation value must be from 2**-64 to 2**64, got nan"),
        ({"value": float("inf")}, "activation value must be from 2**-64 to 2**64, got inf"),
    ],
)
def test_activation(fields: dict[str, Any], text: str) -> None:
    refuses(Activation, text, **fields)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kind": "dct"}, "transform kind must be hadamard, repeat or matrix, got dct"),
        ({"block": 0}, "transform block must be from 1 to 131071, got 0"),
        ({"block": 1 << 17}, "transform block must be from 1 to 131071, got 131072"),
        ({"samples": 0}, "transform samples must be positive, got 0"),
        ({"bits": 1}, "transform bits must be from 2 to 16, got 1"),
        ({"bits": 17}, "transform bits must be from 2 to 16, got 17"),
        ({"shift": -1}, "transform shift must be from 0 to 32, got -1"),
        ({"shift": 33}, "transform shift must be from 0 to 32, got 33"),
        ({"block": 6, "samples": 6}, "hadamard block must be a power of two, got 6"),
        ({"samples": 8}, "hadamard samples must equal block, got 8"),
        ({"kind": "repeat", "shift": 1}, "repeat shift must be 0, got 1"),
        (
            {"kind": "matrix"},
            "transform matrix must be given for kind matrix and only then, got matrix",
        ),
        (
            {"matrix": zeros(4, 4)},
            "transform matrix must be given for kind matrix and only then, got hadamard",
        ),
        (
            {"kind": "repeat", "signs": zeros(4, of="int8")},
            "transform signs must be given for kind hadamard only, got repeat",
        ),
        ({"signs": zeros(4)}, "transform signs must be int8, got int16"),
        ({"signs": zeros(5, of="int8")}, "transform signs must have shape (4,), got (5,)"),
        (
            {"signs": np.array([1, -1, -128, 0], np.int8)},
            "transform signs must be 1 or -1, got [-128, 0]",
        ),
        (
            {"kind": "matrix", "matrix": zeros(4, 4, of="int32")},
            "transform matrix must be int16, got int32",
        ),
        (
            {"kind": "matrix", "samples": 5, "matrix": zeros(4, 5)},
            "transform matrix must have shape (5, 4), got (4, 5)",
        ),
    ],
)
def test_transform(fields: dict[str, Any], text: str) -> None:
    refuses(Transform, text, **{"kind": "hadamard", "block": 4, "samples": 4, "bits": 8, **fields})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"bits": 1}, "requantize bits must be from 2 to 16, got 1"),
        ({"bits": 17}, "requantize bits must be from 2 to 16, got 17"),
        ({"shift": -1}, "requantize shift must be from 0 to 62, got -1"),
        ({"shift": 63}, "requantize shift must be from 0 to 62, got 63"),
    ],
)
def test_requantize(fields: dict[str, Any], text: str) -> None:
    refuses(Requantize, text, **{"row_scale": zeros(1, 3), "shift": 1, **fields})


def stage(**more: Any) -> Stage:
    """Make a stage of 2 planes, 3 rows and 10 columns in groups of 4."""
    views = max(1, min(16, more.get("views", 1)))
    return replace(random_stage(np.random.default_rng(0), 3, 10, 2, 4, views=views), **more)


def with_bit(row: int, column: int) -> np.ndarray:
    planes = pack(zeros(2, 3, 10))
    planes[1, row, column // 8] = 1 << column % 8
    return planes


TABLE = {"coefficients": zeros(5, 2), "index": zeros(3, 3, of="uint8")}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"planes": zeros(3, 4, of="uint8")}, "planes must have 3 dimensions, got 2"),
        ({"planes": zeros(0, 3, 4, of="uint8")}, "planes must number from 1 to 16, got 0"),
        ({"planes": zeros(17, 3, 4, of="uint8")}, "planes must number from 1 to 16, got 17"),
        ({"planes": zeros(2, 0, 4, of="uint8")}, "planes must have at least one row, got 0"),
        ({"columns": 0}, "columns must be positive, got 0"),
        ({"views": 0}, "views must be from 1 to 16, got 0"),
        ({"views": 17}, "views must be from 1 to 16, got 17"),
        ({"columns": 1 << 17}, "columns of all views must be at most 131071, got 131072"),
        (
            {"columns": 1 << 16, "views": 2},
            "columns of all views must be at most 131071, got 131072",
        ),
        ({"planes": zeros(2, 3, 4, of="int8")}, "planes must be uint8, got int8"),
        ({"planes": zeros(2, 3, 2, of="uint8")}, "planes must have shape (2, 3, 4), got (2, 3, 2)"),
        ({"planes": with_bit(0, 10)}, "unused bits of planes must be zero, got a one"),
        ({"planes": with_bit(2, 31)}, "unused bits of planes must be zero, got a one"),
        ({"base3": True}, "planes in base 3 must have no weight in common, got one"),
        (
            {"planes": zeros(3, 3, 4, of="uint8"), "monomials": (1, 2), "base3": True},
            "planes in base 3 must be 2, got 3",
        ),
        ({"group": 0}, "group must be 1 to 10, got 0"),
        ({"group": 11}, "group must be 1 to 10, got 11"),
        ({"monomials": ()}, "terms must number 1 to 64, got 0"),
        ({"monomials": (1,) * 65}, "terms must number 1 to 64, got 65"),
        ({"monomials": (1, 0)}, "monomial must be 1 to 3 for 2 planes, got 0"),
        ({"monomials": (1, 4)}, "monomial must be 1 to 3 for 2 planes, got 4"),
        (
            {"coefficients": zeros(1, 3, 3, 2, of="int32")},
            "coefficients must be int8 or int16, got int32",
        ),
        (
            {"coefficients": zeros(1, 3, 2, 2)},
            "coefficients must have shape (1, 3, 3, 2) or 1s in it, got (1, 3, 2, 2)",
        ),
        (
            {"coefficients": zeros(3, 3, 2)},
            "coefficients must have shape (1, 3, 3, 2) or 1s in it, got (3, 3, 2)",
        ),
        (
            {"coefficients": zeros()},
            "coefficients must have shape (1, 3, 3, 2) or 1s in it, got ()",
        ),
        ({"coefficients": zeros(1, 3, 3, 1)}, "coefficients must number 2 a group, got 1"),
        ({**TABLE, "views": 2}, "views must be 1 with a coefficient table, got 2"),
        (
            {**TABLE, "coefficients": zeros(5, 2, of="uint8")},
            "coefficient table must be int8 or int16, got uint8",
        ),
        (
            {**TABLE, "coefficients": zeros(5, 3)},
            "coefficient table must have shape (5, 2), got (5, 3)",
        ),
        ({**TABLE, "coefficients": zeros()}, "coefficient table must have shape (1, 2), got ()"),
        (
            {**TABLE, "index": zeros(3, 3)},
            "coefficient index must be uint8 or uint16, got int16",
        ),
        (
            {**TABLE, "index": zeros(3, 2, of="uint8")},
            "coefficient index must have shape (3, 3) or 1s in it, got (3, 2)",
        ),
        (
            {**TABLE, "index": np.full((3, 3), 5, np.uint16)},
            "coefficient index must be under 5, got 5",
        ),
        ({"mix": ()}, "mix must have a row for each stored coefficient, got none"),
        (
            {"mix": ((1, 0, 0), (0, 1))},
            "mix must have rows of 3, one for each term and the offset, got 2",
        ),
        (
            {"mix": ((1, -129, 0),)},
            "mix must hold integers from -128 to 127, got [1, -129, 0]",
        ),
        ({"mix": ((1, 0, 128),)}, "mix must hold integers from -128 to 127, got [1, 0, 128]"),
        (
            {"mix": ((-128, 127, 127),) * 86},
            "magnitudes in the mix must sum to at most 32767, got 32852",
        ),
        (
            {"mix": ((1, 1, 0),)},
            "coefficients must have shape (1, 3, 3, 1) or 1s in it, got (1, 3, 3, 2)",
        ),
        (
            {"mix": ((1, 1, 0),) * 2, "coefficients": zeros(1, 3, 3, 1)},
            "coefficients must number 2 a group, got 1",
        ),
        (
            {"mix": ((1, 1, 0),) * 3},
            "coefficients must have shape (1, 3, 3, 3) or 1s in it, got (1, 3, 3, 2)",
        ),
        (
            {**TABLE, "mix": ((1, 1, 0),)},
            "coefficient table must have shape (5, 1), got (5, 2)",
        ),
        ({"offset": zeros(1, 3, 3, of="int32")}, "offset must be int16, got int32"),
        (
            {"offset": zeros(1, 3, 2)},
            "offset must have shape (1, 3, 3) or 1s in it, got (1, 3, 2)",
        ),
        ({"bias": zeros(3, of="int32")}, "stage bias must be int64, got int32"),
        ({"bias": zeros(1, of="int64")}, "stage bias must have shape (3,), got (1,)"),
        ({"gather": zeros(10, of="int64")}, "gather must be int32, got int64"),
        ({"gather": zeros(2, 5, of="int32")}, "gather must have shape (10,), got (2, 5)"),
        ({"gather": zeros(0, of="int32")}, "gather must name at least one input, got none"),
        ({"column_scale": zeros(10, of="float32")}, "column scale must have 2 dimensions, got 1"),
        (
            {"activation": Activation(**GROUPED), "transform": Transform("repeat", 10, 10, 8)},
            "transform must be none with group scales, got one",
        ),
        (
            {"activation": Activation(**{**GROUPED, "group": 5})},
            "activation group must equal group 4, got 5",
        ),
    ],
)
def test_stage(fields: dict[str, Any], text: str) -> None:
    refuses(stage, text, **fields)


def chain(first: dict[str, Any] | None = None, last: dict[str, Any] | None = None) -> Path:
    """Make a chain of 10 inputs, 3 middle rows and 5 rows."""
    rng = np.random.default_rng(0)
    requantize = Requantize(zeros(1, 3), 4)
    one = stage(**{"requantize": requantize, **(first or {})})
    two = random_stage(rng, 5, 3, **{"activation": None, **(last or {})})
    return Path((one, two), scales(rng, 5))


ROUTED = {
    "stages": (stage(column_scale=scales(np.random.default_rng(0), 2, 10)),),
    "router": zeros(2, 10, of="float32"),
    "out_scale": zeros(2, 3, of="float32"),
}
BIASED = zeros(3, of="int64") + (1 << 47) - 1
BIG = {"coefficients": np.ones((1, 1, 1, 2), np.int16), "offset": None}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"stages": ()}, "path must have 1 or 2 stages, got 0"),
        ({"stages": (stage(),) * 3}, "path must have 1 or 2 stages, got 3"),
        ({"stages": (stage(activation=None),)}, "first stage must have an activation, got none"),
        (
            {"stages": (stage(requantize=Requantize(zeros(1, 3), 1)),)},
            "last stage must have no requantize, got one",
        ),
        ({"out_scale": zeros(3, of="float64")}, "out scale must be float32, got float64"),
        (
            {"out_scale": zeros(2, of="float32")},
            "out scale must have shape (3,) or 1s in it, got (2,)",
        ),
        (
            {"out_scale": zeros(1, 3, of="float32")},
            "out scale must have shape (3,) or 1s in it, got (1, 3)",
        ),
        ({"out_scale": NAN[0]}, "out scale must be finite, got a NaN or an infinity"),
        ({**ROUTED, "router": zeros(10, of="float32")}, "router must have 2 dimensions, got 1"),
        ({**ROUTED, "router": zeros(2, 10, of="float16")}, "router must be float32, got float16"),
        ({**ROUTED, "router": zeros(0, 10, of="float32")}, "router must have an expert, got none"),
        (
            {**ROUTED, "out_scale": zeros(3, of="float32")},
            "out scale must have shape (2, 3), got (3,)",
        ),
        (
            {**ROUTED, "stages": (stage(views=2),)},
            "views must be 1 with a router, got 2",
        ),
        (
            {**ROUTED, "stages": (stage(),)},
            "column scale must have a row for each of 2 views, got 1",
        ),
        ({"stages": (stage(views=2),)}, "column scale must have a row for each of 2 views, got 1"),
        (
            {"stages": (stage(column_scale=zeros(2, 10, of="float32")),)},
            "column scale must have a row for each of 1 views, got 2",
        ),
        ({"stages": (stage(bias=BIASED),)}, "accumulator must fit 48 bits, got 49 bits"),
        ({"stages": (stage(bias=-BIASED),)}, "accumulator must fit 48 bits, got 49 bits"),
        (
            {"stages": (stage(bias=np.array([3, -(1 << 63), 5])),)},
            "accumulator must fit 48 bits, got 65 bits",
        ),
    ],
)
def test_path(fields: dict[str, Any], text: str) -> None:
    refuses(Path, text, **{"stages": (stage(),), "out_scale": zeros(3, of="float32"), **fields})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"first": {"requantize": None}},
            "the first of two stages must have a requantize, got none",
        ),
        ({"last": {"activation": Activation()}}, "second stage must have no activation, got one"),
        (
            {"last": {"column_scale": zeros(1, 3, of="float32")}},
            "second stage must have no column scale, got one",
        ),
        (
            {"last": {"gather": zeros(3, of="int32")}},
            "second stage must have no gather, got one",
        ),
        (
            {"last": {"transform": Transform("hadamard", 4, 4, 8)}},
            "columns must be 4 for 3 inputs, got 3",
        ),
        (
            {"first": {"requantize": Requantize(zeros(1, 3, of="int32"), 1)}},
            "row scale must be int16, got int32",
        ),
        (
            {"first": {"requantize": Requantize(zeros(3), 1)}},
            "row scale must have shape (1, 3), got (3,)",
        ),
        ({"last": {"views": 2}}, "row scale must have shape (2, 3), got (1, 3)"),
    ],
)
def test_chain(fields: dict[str, Any], text: str) -> None:
    assert chain().code_magnitudes == (128, 128)
    refuses(chain, text, **fields)


def only(**more: Any) -> tuple[Path, ...]:
    return (Path((stage(**more),), zeros(3, of="float32")),)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"paths": ()}, "layer must have a path, got none"),
        ({"paths": (*only(), chain())}, "every path must have 3 rows, got 5"),
        ({"inputs": 11}, "columns must be 11 for 11 inputs, got 10"),
        (
            {"paths": only(gather=np.array([0, 9, 10] * 3 + [0], np.int32))},
            "gather must name inputs 0 to 9, got 0 to 10",
        ),
        (
            {"paths": only(gather=np.array([-1] * 10, np.int32))},
            "gather must name inputs 0 to 9, got -1 to -1",
        ),
        ({"paths": only(gather=zeros(9, of="int32"))}, "columns must be 9 for 9 inputs, got 10"),
        (
            {"paths": only(column_scale=zeros(1, 9, of="float32"))},
            "column scale must have shape (1, 10), got (1, 9)",
        ),
        (
            {"paths": only(column_scale=zeros(1, 10))},
            "column scale must be float16 or float32, got int16",
        ),
        (
            {"paths": only(column_scale=np.full((1, 10), np.inf, np.float32))},
            "column scale must be finite, got a NaN or an infinity",
        ),
        (
            {"paths": only(transform=Transform("repeat", 4, 5, 8))},
            "columns must be 15 for 10 inputs, got 10",
        ),
        (
            {"paths": (Path(**{**ROUTED, "router": zeros(2, 9, of="float32")}),)},
            "router must take 10 inputs, got 9",
        ),
        ({"post": "softmax"}, "post must be none or layernorm, got softmax"),
        ({"bias": zeros(3, of="float64")}, "bias must be float32, got float64"),
        ({"bias": zeros(1, of="float32")}, "bias must have shape (3,), got (1,)"),
        ({"bias": NAN[0]}, "bias must be finite, got a NaN or an infinity"),
    ],
)
def test_layer(fields: dict[str, Any], text: str) -> None:
    refuses(BitplaneLayer, text, **{"name": "x", "inputs": 10, "paths": only(), **fields})


def test_parts_are_equal_only_to_themselves() -> None:
    """Arrays have no single truth value, so comparing fields would raise."""
    layer = KINDS["billm"](np.random.default_rng(0), 4, 33)
    other = KINDS["billm"](np.random.default_rng(0), 4, 33)
    assert layer == layer
    assert layer != other
    assert len({layer, other, *layer.paths, *layer.paths}) == 4
