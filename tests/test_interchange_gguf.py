"""Import of GGUF: blocks against the gguf package, names and rows against Transformers."""

import re
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Type
from ggufs import DOWN, SHAPES, biases, imported, write_model
from numpy.typing import NDArray

from models import llm
from models.dense import dense
from models.interchange.gguf_source import DECODERS
from models.interchange.grid import Grid

HALVES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,)}
"""Where the float16 numbers of a block are, of types that the gguf package only reads."""


def random_blocks(kind: str, seed: int) -> NDArray[np.uint8]:
    """Make 3 x 2 blocks of any bytes but for the float16 numbers, which are finite."""
    rng = np.random.default_rng(seed)
    values, size = gguf.GGML_QUANT_SIZES[Type[kind]]
    if kind not in HALVES:
        weights = rng.standard_normal((3, 2 * values)).astype(np.float32)
        weights[0, :values] = 0
        return gguf.quantize(weights, Type[kind]).reshape(3, 2, size)
    blocks = rng.integers(0, 256, (3, 2, size)).astype(np.uint8)
    for start in HALVES[kind]:
        half = rng.uniform(-1, 1, (3, 2, 1)).astype("<f2")
        blocks[..., start : start + 2] = half.view(np.uint8)
    return blocks


def real(grid: Grid) -> NDArray[np.float32]:
    """Return the weights of a grid in float32, product and sum rounded as ggml rounds them."""
    scale = np.repeat(grid.scale, grid.group, axis=1).astype(np.float32)
    weights = scale * grid.values.astype(np.float32)
    if grid.minimum is None:
        return weights
    return weights + np.repeat(grid.minimum, grid.group, axis=1).astype(np.float32)


@pytest.mark.parametrize("kind", [kind for kind in DECODERS if kind != "Q1_0"])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_are_read_as_the_gguf_package_reads_them(kind: str, seed: int) -> None:
    blocks = random_blocks(kind, seed)
    want = gguf.dequantize(blocks.reshape(3, -1), Type[kind])
    assert (real(DECODERS[kind](blocks)) == want).all()


def test_blocks_of_signs() -> None:
    """The gguf package has the size of Q1_0 only; bits are lowest first, 0 for the negative."""
    assert gguf.GGML_QUANT_SIZES[Type.Q1_0] == (128, 18)
    block = np.zeros((1, 1, 18), np.uint8)
    block[0, 0, :2] = np.array([0.5], "<f2").view(np.uint8)
    block[0, 0, 3] = 0b101
    want = np.full(128, -0.5)
    want[[8, 10]] = 0.5
    assert (real(DECODERS["Q1_0"](block)) == want).all()


def test_ternary_digit_without_a_meaning() -> None:
    block = np.zeros((1, 1, 66), np.uint8)
    block[0, 0, 5] = 3 << 4
    with pytest.raises(ValueError, match=r"^ternary digits must be 0, 1 or 2, got 3$"):
        DECODERS["TQ2_0"](block)


# Whole files


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("kind", ["Q8_0", "TQ2_0"])
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_layers_are_those_that_transformers_reads(
    tmp_path: Path, kind: str, architecture: str
) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, kind, architecture, floats=biases() if architecture == "qwen2" else None)
    layers, summary = imported(path, wide=True)
    own = llm.linear_layers(llm.load(str(path)))
    assert list(layers) == list(own)
    assert (summary.left_out, summary.exact, summary.rounding) == ({}, summary.groups, 0)
    for name, layer in layers.items():
        assert (dense(layer) == own[name].weight.detach().numpy()).all()
        want = own[name].bias
        assert (layer.bias is None) == (want is None)
        assert layer.bias is None or layer.bias.tolist() == want.tolist()
    assert sum(layer.bias is not None for layer in layers.values()) == 3 * (architecture == "qwen2")


def test_rows_of_llama_are_in_another_order_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "TQ1_0")
    layers = imported(path)[0]
    names = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    for part, moved in {"q": True, "v": False}.items():
        tensor = names[f"blk.0.attn_{part}.weight"]
        rows = gguf.dequantize(tensor.data, tensor.tensor_type)
        have = dense(layers[f"model.layers.0.self_attn.{part}_proj"])
        assert sorted(have.tolist()) == sorted(rows.tolist())
        assert (have == rows).all() != moved


def test_wide_coefficients_are_too_wide_for_circuits(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "Q8_0")
    most = {}
    for wide in (False, True):
        layers, summary = imported(path, wide=wide, pattern=DOWN)
        most[wide] = np.abs(layers[DOWN].paths[0].stages[0].spread_coefficients()).max()
        assert (summary.rounding == 0) == wide
    assert most[False] <= 32767 < most[True]


def test_tensor_scale(tmp_path: Path) -> None:
    plain, scaled = tmp_path / "plain.gguf", tmp_path / "scaled.gguf"
    write_model(plain, "TQ1_0")
    write_model(scaled, "TQ1_0", floats={"blk.0.ffn_down.scale": np.array([0.3])})
    want, have = (imported(path)[0] for path in (plain, scaled))
    assert (dense(have[DOWN]) == dense(want[DOWN]) * np.float32(0.3)).all()
    assert have[DOWN].paths[0].out_scale.tolist() == [np.float32(0.3)]


def test_types_that_are_no_grids_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "Q4_0", kinds={"ffn_down": "F16", "attn_q": "BF16"})
    layers, summary = imported(path)
    assert len(layers) == 5
    assert summary.left_out == {"model.layers.0.self_attn.q_proj": "BF16", DOWN: "F16"}
    assert summary.report().splitlines()[1:] == [
        "left out: 1 BF16, such as model.layers.0.self_attn.q_proj",
        f"left out: 1 F16, such as {DOWN}",
    ]
    write_model(path, "F16")
    with pytest.raises(ValueError, match=r"^layers must be some of the 0 of .* in a known format"):
        imported(path)


def test_unknown_architecture_keeps_the_names_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "Q4_0", "somethingnew")
    layers = imported(path)[0]
    assert sorted(layers) == sorted(f"blk.0.{name}" for name in SHAPES)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "Q4_0")
    whole = path.read_bytes()
    for length in [0, 4, 100, len(whole) // 2, len(whole) - 40]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f"^{re.escape(str(path))} must be a whole GGUF file"):
            imported(path)
    assert not path.with_suffix(".bits").exists()
    write_model(path, "Q4_0", fields={"split.count": 2})
    with pytest.raises(ValueError, match=r"must be one whole file, got one of 2 parts$"):
        imported(path)


def test_scales_that_are_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_model(path, "Q8_0")
    reader = gguf.GGUFReader(path, "r+")
    tensor = next(tensor for tensor in reader.tensors if "ffn_down" in tensor.name)
    tensor.data[0, :2] = np.array([np.nan], "<f2").view(np.uint8)
    reader.data.flush()
    rule = "scales and minima must be finite, got a NaN or an infinity"
    with pytest.raises(ValueError, match=f"^layer {re.escape(DOWN)}: {rule}$"):
        imported(path)
