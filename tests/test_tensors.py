"""Tensors written one by one give the bytes that safetensors gives for all of them."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from models.tensors import TYPES, TensorWriter

SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)
TENSORS = st.dictionaries(st.text(), st.tuples(st.sampled_from(sorted(TYPES)), SHAPES), max_size=8)


def written(tensors: dict[str, NDArray], metadata: dict[str, str]) -> bytes:
    writer, file = TensorWriter(io.BytesIO()), io.BytesIO()
    for name, array in tensors.items():
        writer.add(name, array)
    writer.write(file, metadata)
    return file.getvalue()


@settings(deadline=None)
@given(TENSORS, st.text(), st.integers(0, 99))
def test_bytes_are_those_of_safetensors(
    parts: dict[str, tuple[str, tuple[int, ...]]], text: str, seed: int
) -> None:
    parts.pop("__metadata__", None)
    rng = np.random.default_rng(seed)
    arrays = {name: rng.integers(0, 2, shape).astype(kind) for name, (kind, shape) in parts.items()}
    assert written(arrays, {"key": text}) == save(arrays, {"key": text})


def test_any_memory_order_and_large_tensors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 99, (700, 800)).astype(np.int64)
    arrays = {"turned": large.T, "apart": large[::3, 1::2].astype(">i4"), "all": large}
    path = tmp_path / "x"
    path.write_bytes(written(arrays, {}))
    read = load_file(path)
    assert all((read[name] == arrays[name]).all() for name in arrays)
    assert {name: str(array.dtype) for name, array in read.items()} == {
        "turned": "int64", "apart": "int32", "all": "int64"
    }  # fmt: skip


def test_names_differ() -> None:
    writer = TensorWriter(io.BytesIO())
    writer.add("a", np.zeros(1))
    with pytest.raises(ValueError, match=r"^tensor names must differ, got a twice$"):
        writer.add("a", np.zeros(2))
