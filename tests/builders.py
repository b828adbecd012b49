"""Small random bitplane layers of every kind that the representation is for."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.bitplane import BitplaneLayer, Path
from models.codes import Activation, Requantize, Transform
from models.equivalence import Equivalence
from models.planes import pack
from models.stage import Stage

INT16, INT8 = (-32768, 32768), (-128, 128)
"""All integers of so many bits, as the bounds of ``rng.integers``."""


def random_stage(
    rng: np.random.Generator,
    out: int,
    columns: int,
    k: int = 2,
    group: int = 0,
    bounds: tuple[int, int] = (-300, 300),
    **more: Any,
) -> Stage:
    """Make a stage whose terms are its planes; ``group`` 0 is the whole row, ``more`` replaces."""
    group, views = group or columns, more.get("views", 1)
    monomials = more.pop("monomials", tuple(1 << plane for plane in range(k)))
    shape = (views, out, -(-columns // group))
    parts: dict[str, Any] = {
        "planes": pack(rng.random((k, out, columns)) < 0.5),
        "columns": columns,
        "group": group,
        "coefficients": rng.integers(*bounds, (*shape, len(monomials))).astype(np.int16),
        "monomials": monomials,
        "offset": rng.integers(*bounds, shape).astype(np.int16),
        "activation": Activation(),
    }
    return Stage(**{**parts, **more})


def signs(rng: np.random.Generator, out: int, columns: int, **more: Any) -> Stage:
    """Make a stage of weights 1 and -1: ``2 * bit - 1``."""
    return Stage(
        planes=pack(rng.random((1, out, columns)) < 0.5),
        columns=columns,
        group=columns,
        coefficients=np.full((1, 1, 1, 1), 2, np.int16),
        monomials=(1,),
        offset=np.full((1, 1, 1), -1, np.int16),
        **more,
    )


def ternary_planes(rng: np.random.Generator, out: int, columns: int) -> NDArray[np.uint8]:
    """Pack the planes of 1s and of -1s of random ternary weights."""
    weights = rng.integers(-1, 2, (out, columns))
    return pack(np.stack([weights > 0, weights < 0]))


def scales(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    """Draw float32 scales from 0.5 to 2."""
    return rng.uniform(0.5, 2, shape).astype(np.float32)


def single(name: str, stage: Stage, inputs: int, rng: np.random.Generator) -> BitplaneLayer:
    """Make a layer of one stage with a scale for each row."""
    return BitplaneLayer(name, inputs, (Path((stage,), scales(rng, stage.out)),))


def xnor(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """1-bit activations stand for 1 and -1: the bias makes up for ``x = 2 * bit - 1``."""
    weights = rng.random((1, out, inputs)) < 0.5
    stage = Stage(
        planes=pack(weights), columns=inputs, group=inputs,
        coefficients=np.full((1, 1, 1, 1), 4, np.int16), monomials=(1,),
        offset=np.full((1, 1, 1), -2, np.int16),
        bias=np.where(weights[0], -1, 1).sum(1).astype(np.int64),
        activation=Activation(bits=1, signed=False),
    )  # fmt: skip
    return single("xnor", stage, inputs, rng)


def binary_mean(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Give each row and group of one byte a scale and a mean."""
    return single("mean", random_stage(rng, out, inputs, 1, min(8, inputs), INT16), inputs, rng)


def bitnet(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Ternary with one scale, and a bias."""
    stage = Stage(
        planes=ternary_planes(rng, out, inputs), columns=inputs, group=inputs,
        coefficients=np.array([1, -1], np.int16).reshape(1, 1, 1, 2), monomials=(1, 2),
        activation=Activation(),
    )  # fmt: skip
    bias = rng.standard_normal(out).astype(np.float32)
    return BitplaneLayer("bitnet", inputs, (Path((stage,), scales(rng, 1)),), bias)


def ternary_base3(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Ternary with a scale of each row and group, stored five weights to a byte."""
    stage = random_stage(
        rng, out, inputs, 2, min(8, inputs), offset=None, planes=ternary_planes(rng, out, inputs),
        coefficients=rng.integers(1, 99, (1, out, -(-inputs // min(8, inputs)), 1)).astype(np.int8),
        mix=((1, -1, 0),), base3=True,
    )  # fmt: skip
    return single("ternary_base3", stage, inputs, rng)


def fdb(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Two planes with real scales of each row and group; static 4-bit activations."""
    activation = Activation(bits=4, scale="static", value=0.25)
    stage = random_stage(rng, out, inputs, 2, min(6, inputs), offset=None, activation=activation)
    return single("fdb", stage, inputs, rng)


def sbvr(
    rng: np.random.Generator,
    out: int,
    inputs: int,
    kind: type[np.unsignedinteger] = np.uint8,
    signed: bool = True,
) -> BitplaneLayer:
    """Each group takes its coefficients from a table; activation scales of groups."""
    group = min(7, inputs)
    entries = rng.integers(*INT16, (9, 4)).astype(np.int16)
    index = rng.integers(0, 9, (out, -(-inputs // group))).astype(kind)
    activation = Activation(signed=signed, scale="group", group=group, exponents=5)
    stage = random_stage(
        rng, out, inputs, 4, group,
        coefficients=entries, index=index, offset=None, activation=activation,
    )  # fmt: skip
    return single("sbvr", stage, inputs, rng)


def n_bit(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Unsigned 3-bit weights with a scale and a zero point of each row and group."""
    group = min(10, inputs)
    step = rng.integers(1, 4000, (1, out, -(-inputs // group), 1))
    zero = rng.integers(0, 8, step.shape)
    stage = random_stage(
        rng, out, inputs, 3, group,
        coefficients=(step * [1, 2, 4]).astype(np.int16),
        offset=(-step * zero)[..., 0].astype(np.int16),
        activation=Activation(bits=8, signed=False),
    )  # fmt: skip
    return single("n_bit", stage, inputs, rng)


def sums_of_signs(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """LQ-Nets and ABC-Net: sign planes with values of each row; 16-bit activations."""
    values = rng.integers(1, 1 << 13, (1, out, 1, 3))
    stage = random_stage(
        rng, out, inputs, 3,
        coefficients=(2 * values).astype(np.int16), offset=-values.sum(-1).astype(np.int16),
        activation=Activation(bits=16),
    )  # fmt: skip
    return single("signs", stage, inputs, rng)


def random_mix(rng: np.random.Generator, stored: int, terms: int) -> tuple[tuple[int, ...], ...]:
    """Draw a mix with all integers that it can have."""
    return tuple(tuple(row) for row in rng.integers(*INT8, (stored, terms + 1)).tolist())


def mixed_signs(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Sign planes whose values of each group, in 8 bits, are all that is stored."""
    group = min(9, inputs)
    values = rng.integers(*INT8, (1, out, -(-inputs // group), 3)).astype(np.int8)
    mix = ((2, 0, 0, -1), (0, 2, 0, -1), (0, 0, 2, -1))
    stage = random_stage(rng, out, inputs, 3, group, coefficients=values, offset=None, mix=mix)
    return single("mixed_signs", stage, inputs, rng)


def mixed_more(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Any mix of few and of many stored coefficients, beside offsets; two views in one path."""
    stages = [
        random_stage(
            rng, out, inputs, 2, min(5, inputs), INT16, monomials=(1, 2, 3), views=views,
            coefficients=rng.integers(*INT16, (views, out, 1, stored)).astype(np.int16),
            mix=random_mix(rng, stored, 3),
            column_scale=scales(rng, views, inputs) if views > 1 else None,
        )
        for views, stored in ((1, 2), (2, 5))
    ]  # fmt: skip
    paths = tuple(Path((stage,), scales(rng, out)) for stage in stages)
    return BitplaneLayer("mixed_more", inputs, paths)


def mixed_table(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Each group takes a scale and a mean from a table of 8-bit ones."""
    group = min(6, inputs)
    entries = rng.integers(*INT8, (7, 2)).astype(np.int8)
    index = rng.integers(0, 7, (out, -(-inputs // group))).astype(np.uint8)
    stage = random_stage(
        rng, out, inputs, 2, group,
        coefficients=entries, index=index, offset=None, mix=((1, 3, 0), (0, 0, 1)),
    )  # fmt: skip
    return single("mixed_table", stage, inputs, rng)


def billm(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Two bands by an AND of planes, and gathered salient columns, one of them twice."""
    plain = random_stage(rng, out, inputs, 2, min(16, inputs), monomials=(1, 2, 3))
    salient = rng.integers(0, inputs, 1 + inputs // 3).astype(np.int32)
    salient[-1] = salient[0]
    second = random_stage(rng, out, len(salient), 2, gather=salient)
    paths = tuple(Path((stage,), scales(rng, out)) for stage in (plain, second))
    return BitplaneLayer("billm", inputs, paths)


def onebit(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Signs between a scale of each column and of each row, then a layer normalization."""
    stage = signs(rng, out, inputs, column_scale=scales(rng, 1, inputs), activation=Activation())
    return BitplaneLayer("onebit", inputs, (Path((stage,), scales(rng, out)),), post="layernorm")


def binary_mos(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """OneBit, whose scales a router mixes of four experts."""
    stage = signs(rng, out, inputs, column_scale=scales(rng, 4, inputs), activation=Activation())
    router = rng.standard_normal((4, inputs)).astype(np.float32)
    path = Path((stage,), scales(rng, 4, out), router)
    return BitplaneLayer("binary_mos", inputs, (path,), post="layernorm")


def _factors(
    rng: np.random.Generator, out: int, inputs: int, bits: int, shift: int, **last: Any
) -> Path:
    inner = 2 + min(out, inputs)
    requantize = Requantize(rng.integers(*INT16, (1, inner)).astype(np.int16), shift, bits)
    first = signs(
        rng, inner, inputs,
        column_scale=scales(rng, 1, inputs).astype(np.float16), activation=Activation(),
        requantize=requantize,
    )  # fmt: skip
    columns = last["transform"].columns(inner) if last else inner
    return Path((first, signs(rng, out, columns, **last)), scales(rng, out))


def dbf(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Two sign matrices with scales before, between and after."""
    return BitplaneLayer("dbf", inputs, (_factors(rng, out, inputs, 8, 17),))


def dbf_transformed(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Chain two stages, the second of which transforms its 12-bit integers."""
    transform = Transform("hadamard", 4, 4, 12, 1)
    return BitplaneLayer("t", inputs, (_factors(rng, out, inputs, 12, 12, transform=transform),))


def mdbf(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """DBF with envelopes of rank 2: two views of the inputs of both stages."""
    inner = 2 + min(out, inputs)
    row_scale = rng.integers(*INT16, (2, inner)).astype(np.int16)
    into, back = (rng.integers(-9000, 9000, (2, n, 1)).astype(np.int16) for n in (inner, out))
    first = random_stage(
        rng, inner, inputs, 1, coefficients=2 * into[..., np.newaxis], offset=-into, views=2,
        column_scale=scales(rng, 2, inputs), requantize=Requantize(row_scale, 25, 9),
    )  # fmt: skip
    last = random_stage(
        rng, out, inner, 1, coefficients=2 * back[..., np.newaxis], offset=-back, views=2,
        activation=None,
    )  # fmt: skip
    return BitplaneLayer("mdbf", inputs, (Path((first, last), scales(rng, 1)),))


def littlebit(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Add to a chain another for what it leaves."""
    paths = (_factors(rng, out, inputs, 8, 16), _factors(rng, out, inputs, 16, 9))
    return BitplaneLayer("littlebit", inputs, paths)


def sdq(rng: np.random.Generator, out: int, inputs: int, transform: Transform) -> BitplaneLayer:
    """Ternary weights that meet transformed, oversampled activations."""
    columns = transform.columns(inputs)
    groups = columns // transform.samples
    scale = rng.integers(1, 3000, (1, out, groups, 1))
    stage = Stage(
        planes=ternary_planes(rng, out, columns), columns=columns, group=transform.samples,
        coefficients=(scale * [1, -1]).astype(np.int16), monomials=(1, 2),
        offset=rng.integers(-99, 99, (1, out, groups)).astype(np.int16),
        activation=Activation(), transform=transform,
    )  # fmt: skip
    return single("sdq", stage, inputs, rng)


def sdq_hadamard(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Random signs and a Hadamard transform."""
    flips = rng.choice(np.array([-1, 1], np.int8), 8)
    return sdq(rng, out, inputs, Transform("hadamard", 8, 8, 9, 2, signs=flips))


def sdq_repeat(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Each code held for 1.6 samples; 8-bit codes saturate to 6 bits."""
    return sdq(rng, out, inputs, Transform("repeat", 5, 8, 6))


def sdq_matrix(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Oversampling by any matrix, to 12 bits."""
    matrix = rng.integers(*INT16, (9, 6)).astype(np.int16)
    return sdq(rng, out, inputs, Transform("matrix", 6, 9, 12, 14, matrix=matrix))


def masked(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """2:4 sparse 2-bit weights: every term is an AND with the mask plane."""
    order = rng.random((out, -(-inputs // 4), 4)).argsort(-1)
    mask = (order < 2).reshape(out, -1)[:, :inputs]
    bits = rng.random((2, out, inputs)) < 0.5
    planes = pack(np.concatenate([mask[np.newaxis], bits]))
    stage = random_stage(rng, out, inputs, 3, planes=planes, monomials=(0b011, 0b101, 0b001))
    return single("masked", stage, inputs, rng)


def equivalent(rng: np.random.Generator, out: int, inputs: int) -> BitplaneLayer:
    """Signs behind a shift, a scale and the largest rotation that divides the inputs."""
    layer = mixed_signs(rng, out, inputs)
    block = inputs & -inputs
    change = Equivalence(scales(rng, inputs), -scales(rng, inputs), 0 if block == 1 else block)
    return replace(layer, name="equivalent", equivalence=change)


KINDS: dict[str, Callable[[np.random.Generator, int, int], BitplaneLayer]] = {
    "xnor": xnor,
    "binary_mean": binary_mean,
    "bitnet": bitnet,
    "ternary_base3": ternary_base3,
    "fdb": fdb,
    "sbvr": sbvr,
    "sbvr_uint16": lambda rng, out, inputs: sbvr(rng, out, inputs, np.uint16, signed=False),
    "n_bit": n_bit,
    "sums_of_signs": sums_of_signs,
    "mixed_signs": mixed_signs,
    "mixed_more": mixed_more,
    "mixed_table": mixed_table,
    "billm": billm,
    "onebit": onebit,
    "binary_mos": binary_mos,
    "dbf": dbf,
    "dbf_transformed": dbf_transformed,
    "mdbf": mdbf,
    "littlebit": littlebit,
    "sdq_hadamard": sdq_hadamard,
    "sdq_repeat": sdq_repeat,
    "sdq_matrix": sdq_matrix,
    "masked": masked,
    "equivalent": equivalent,
}
"""Makers of random layers: (generator, rows, inputs) to layer."""


def differences(one: Any, other: Any, where: str = "layer") -> list[str]:
    """Name the fields in which two parts differ: kinds, values, dtypes, shapes."""
    if is_dataclass(one) and type(one) is type(other):
        found = []
        for field in fields(one):
            a, b = getattr(one, field.name), getattr(other, field.name)
            found += differences(a, b, f"{where}.{field.name}")
        return found
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [text for n, (a, b) in pairs for text in differences(a, b, f"{where}.{n}")]
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        same = one.dtype == other.dtype and np.array_equal(one, other)
        return [] if same else [where]
    return [] if type(one) is type(other) and one == other else [where]
