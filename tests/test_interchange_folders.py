"""BitNet and GPTQ checkpoints of Transformers: their layouts, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from packed import DOWN, Q, bitnet_parts, checkpoint, gptq, imported, pack_rows
from safetensors.torch import load_file, save_file

from models.dense import dense


def refuses(folder: Path, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        imported(folder)
    assert not (folder / "layers.bits").exists()


# BitNet


def test_packing_of_the_example_in_transformers() -> None:
    """The example of ``unpack_weights`` in its ``integrations/bitnet.py``."""
    weights = [[0, -1], [-1, 1], [-1, 1], [-1, 1], [1, 0], [0, -1], [1, -1], [1, -1]]
    packed = pack_rows(np.array(weights))
    assert packed.tolist() == [[0b10100001, 0b00011000], [0b10010000, 0b00001010]]


def test_bitnet_divides_or_multiplies_by_the_scale(tmp_path: Path) -> None:
    for kind in ["bitlinear", "autobitlinear"]:
        parts = bitnet_parts(np.random.default_rng(0), q_proj=0.75, down_proj=4.0)
        weights = {name: parts.pop(f"{name}.ternary").numpy() for name in [Q, DOWN]}
        settings = {"quant_method": "bitnet", "linear_class": kind}
        layers, summary = imported(checkpoint(tmp_path / kind, settings, parts))
        assert list(layers) == [Q, DOWN]
        for name, scale in {Q: 0.75, DOWN: 4.0}.items():
            real = np.float32(scale if kind == "autobitlinear" else 1 / scale)
            assert (dense(layers[name]) == weights[name] * real).all()
            assert layers[name].paths[0].out_scale.tolist() == [real]
        assert (summary.exact, summary.groups) == (64 if kind == "autobitlinear" else 32, 64)
        assert summary.rounding <= 2.0**-24
        assert len(summary.left_out) == 14 - 2
        assert summary.report().splitlines()[-1].startswith("left out: 12 unpacked, such as ")


def test_bitnet_bias(tmp_path: Path) -> None:
    for kind, want in {"bitlinear": 3, "autobitlinear": 6}.items():
        parts = bitnet_parts(np.random.default_rng(0), q_proj=2)
        parts = {name: value for name, value in parts.items() if "ternary" not in name}
        parts[f"{Q}.bias"] = torch.full((32,), 3.0)
        settings = {"quant_method": "bitnet", "linear_class": kind}
        layers, _ = imported(checkpoint(tmp_path / kind, settings, parts))
        bias = layers[Q].bias
        assert bias is not None
        assert bias.tolist() == [want] * 32
        assert layers[DOWN].bias is None


def test_bitnet_that_is_refused(tmp_path: Path) -> None:
    parts = bitnet_parts(np.random.default_rng(0))
    parts = {name: value for name, value in parts.items() if "ternary" not in name}
    settings = {"quant_method": "bitnet"}
    normed = checkpoint(tmp_path / "norm", settings | {"use_rms_norm": True}, parts)
    refuses(normed, "BitNet layers must take inputs as they are, got use_rms_norm")
    kind = checkpoint(tmp_path / "kind", settings | {"linear_class": "x"}, parts)
    refuses(kind, "linear_class must be bitlinear or autobitlinear, got x")
    plain = checkpoint(tmp_path / "plain", settings, {})
    refuses(plain, f"{plain} must hold packed layers with a weight_scale, got none")
    bad = checkpoint(
        tmp_path / "three",
        settings,
        parts | {f"{Q}.weight": torch.full((8, 32), 255, dtype=torch.uint8)},
    )
    refuses(bad, f"layer {Q}: ternary digits must be 0, 1 or 2, got 3")
    bad = checkpoint(tmp_path / "float", settings, parts | {f"{Q}.weight": torch.zeros(32, 32)})
    refuses(bad, f"layer {Q}: {Q}.weight must be uint8 (out / 4, in), got float64 (32, 32)")
    bad = checkpoint(tmp_path / "zero", settings, parts | {f"{Q}.weight_scale": torch.zeros(1)})
    refuses(bad, f"layer {Q}: {Q}.weight_scale must be a number but 0, got 0")
    bad = checkpoint(
        tmp_path / "nan", settings, parts | {f"{Q}.weight_scale": torch.tensor([torch.nan])}
    )
    refuses(bad, f"layer {Q}: scales and minima must be finite, got a NaN or an infinity")


# GPTQ


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("kind", ["gptq", "gptq_v2", None])
def test_gptq(tmp_path: Path, bits: int, kind: str | None) -> None:
    rng = np.random.default_rng(bits)
    less = 0 if kind == "gptq_v2" else 1
    q, q_real = gptq(rng, Q, bits, 8, None, less)
    down, down_real = gptq(rng, DOWN, bits, 8, 1 << (bits - 1), less, act_order=True)
    bias = {f"{Q}.bias": torch.arange(32).half()}
    settings = {"quant_method": "gptq", "bits": bits, "group_size": 8, "sym": False}
    settings |= {"checkpoint_format": kind} if kind else {}
    folder = checkpoint(tmp_path / "model", settings, q | down | bias)
    layers, summary = imported(folder, wide=True)
    assert list(layers) == [Q, DOWN]
    have = layers[Q].bias
    assert have is not None
    assert have.tolist() == list(range(32))
    for name, real in {Q: q_real, DOWN: down_real}.items():
        bound = np.abs(real).max() * 2 * summary.rounding + 2.0**-20
        assert np.abs(dense(layers[name]) - real).max() <= bound
    assert summary.rounding <= 1e-3
    stages = [layers[name].paths[0].stages[0] for name in [Q, DOWN]]
    assert [stage.gather is None for stage in stages] == [True, False]
    assert [len(stage.mix or ()) for stage in stages] == [2, 1]


def test_gptq_of_one_scale_is_exact(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts, real = gptq(rng, Q, 4, -1, 8, 1, equal=True)
    settings = {"quant_method": "gptq", "bits": 4, "group_size": -1, "sym": True}
    layers, summary = imported(checkpoint(tmp_path / "m", settings, parts))
    assert (dense(layers[Q]) == real).all()
    assert (summary.exact, summary.groups, summary.rounding) == (32, 32, 0)


def test_gptq_with_symmetric_zeros_as_they_are(tmp_path: Path) -> None:
    """A symmetric layer whose zero points are stored as in ``gptq_v2`` under the name ``gptq``."""
    parts, real = gptq(np.random.default_rng(0), Q, 4, 8, 8, 0, equal=True)
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 8, "sym": True}
    settings |= {"checkpoint_format": "gptq"}
    layers, _ = imported(checkpoint(tmp_path / "m", settings, parts))
    assert (dense(layers[Q]) == real).all()
    layers, _ = imported(checkpoint(tmp_path / "n", settings | {"sym": False}, parts))
    assert (dense(layers[Q]) == real - np.float32(0.375)).all()


def test_early_gptq_has_its_settings_in_a_file_of_their_own(tmp_path: Path) -> None:
    parts, real = gptq(np.random.default_rng(0), Q, 4, 8, 8, 1, equal=True)
    folder = checkpoint(tmp_path / "m", {}, parts)
    config = json.loads((folder / "config.json").read_text())
    del config["quantization_config"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "quantize_config.json").write_text('{"bits": 4, "group_size": 8}')
    (folder / "model.safetensors").rename(folder / "gptq_model-4bit-8g.safetensors")
    layers, _ = imported(folder)
    assert (dense(layers[Q]) == real).all()


def test_gptq_layers_of_several_widths_and_groups(tmp_path: Path) -> None:
    q, q_real = gptq(np.random.default_rng(0), Q, 8, 16, 128, 1, equal=True)
    down, down_real = gptq(np.random.default_rng(0), DOWN, 2, 24, 2, 1, equal=True)
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 8, "sym": True}
    layers, _ = imported(checkpoint(tmp_path / "m", settings, q | down))
    assert (dense(layers[Q]) == q_real).all()
    assert (dense(layers[DOWN]) == down_real).all()


def test_gptq_without_groups_of_inputs(tmp_path: Path) -> None:
    parts, real = gptq(np.random.default_rng(0), Q, 4, 8, 8, 1, equal=True)
    del parts[f"{Q}.g_idx"]
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 8}
    layers, _ = imported(checkpoint(tmp_path / "m", settings, parts))
    assert (dense(layers[Q]) == real).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"checkpoint_format": "marlin"}, "checkpoint_format must be gptq or gptq_v2, got marlin"),
        ({"bits": None}, "bits of GPTQ must be a positive number, or -1, got None"),
        ({"group_size": 0}, "group_size of GPTQ must be a positive number, or -1, got 0"),
        ({"bits": 5}, f"layer {Q}: bits of {Q} must be one of 2, 3, 4, 8, got 5"),
        ({"group_size": 16}, f"layer {Q}: {Q}.scales must have 2 groups of 16 inputs, got 4"),
    ],
)
def test_gptq_settings_that_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    parts, _ = gptq(np.random.default_rng(0), Q, 4, 8, 8, 1)
    del parts[f"{Q}.g_idx"]
    have = {"quant_method": "gptq", "bits": 4, "group_size": 8}
    refuses(checkpoint(tmp_path / "m", have | settings, parts), message)


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("g_idx", torch.arange(32).int() // 16, "scales must have 2 groups of 16 inputs, got 4"),
        ("g_idx", torch.arange(32).int() // 5 % 4, "g_idx must number groups of 10 inputs from 0"),
        ("qzeros", torch.zeros(4, 3).int(), "qzeros must hold (4, 32), got (4, 24)"),
        ("qweight", torch.zeros(4, 8).int(), "qweight must have 32 columns, got 8"),
        ("qweight", torch.zeros(4, 32), "qweight must be a matrix of int32, got float64 (4, 32)"),
        ("scales", torch.zeros(32), "scales must be a matrix of reals, got float64 (32,)"),
        ("scales", torch.full((4, 32), torch.inf), "be finite, got a NaN or an infinity"),
        ("qzeros", None, "got none"),
    ],
)
def test_gptq_tensors_that_are_refused(
    tmp_path: Path, part: str, value: torch.Tensor | None, message: str
) -> None:
    parts, _ = gptq(np.random.default_rng(0), Q, 4, 8, 8, 1)
    del parts[f"{Q}.{part}"]
    parts |= {} if value is None else {f"{Q}.{part}": value}
    folder = checkpoint(tmp_path / "m", {"quant_method": "gptq", "bits": 4, "group_size": 8}, parts)
    with pytest.raises(ValueError, match=f"^layer {Q}: [^\n]*{re.escape(message)}") as caught:
        imported(folder)
    assert "\n" not in str(caught.value)


# Both


def test_what_is_no_quantized_checkpoint(tmp_path: Path) -> None:
    plain = tiny.save(tmp_path / "plain")
    rule = "must have layers packed by bitnet or gptq, got "
    refuses(plain, f"{plain} {rule}none")
    awq = checkpoint(tmp_path / "awq", {"quant_method": "awq", "bits": 4}, {})
    refuses(awq, f"{awq} {rule}awq")


def test_what_is_no_folder_of_safetensors(tmp_path: Path) -> None:
    rule = f"{tmp_path} must be a folder in Transformers format, got no config.json"
    refuses(tmp_path, rule)
    parts = bitnet_parts(np.random.default_rng(0))
    folder = checkpoint(tmp_path / "m", {"quant_method": "bitnet"}, parts)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    rule = f"{folder} must keep its weights in .safetensors, got pytorch_model.bin"
    refuses(folder, f"{rule}; pickles are never loaded")


def test_model_that_transformers_does_not_know(tmp_path: Path) -> None:
    parts, real = gptq(np.random.default_rng(0), Q, 4, 8, 8, 1, equal=True)
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 8}
    folder = checkpoint(tmp_path / "m", settings, parts)
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "own"}
    (folder / "config.json").write_text(json.dumps(config))
    layers, summary = imported(folder)
    assert (dense(layers[Q]) == real).all()
    assert summary.left_out == {}


def test_some_layers(tmp_path: Path) -> None:
    parts = bitnet_parts(np.random.default_rng(0))
    parts = {name: value for name, value in parts.items() if "ternary" not in name}
    folder = checkpoint(tmp_path / "m", {"quant_method": "bitnet"}, parts)
    layers, summary = imported(folder, pattern="*.down_proj")
    assert list(layers) == [DOWN]
    assert list(summary.left_out) == ["model.layers.0.mlp.down_proj"]
    with pytest.raises(ValueError, match=r"^layers must be some of the 2 of .*, got 'x'; .*$"):
        imported(folder, pattern="x")


def test_order_of_the_model(tmp_path: Path) -> None:
    parts = bitnet_parts(np.random.default_rng(0))
    names = ["model.layers.0.mlp.down_proj", Q, "model.layers.0.self_attn.k_proj", "a"]
    both = {"weight": parts[f"{Q}.weight"], "weight_scale": parts[f"{Q}.weight_scale"]}
    packed = {f"{name}.{part}": value.clone() for name in names for part, value in both.items()}
    folder = checkpoint(tmp_path / "m", {"quant_method": "bitnet"}, packed)
    assert list(imported(folder)[0]) == [names[1], names[2], names[0], "a"]


def test_order_of_layers_that_no_model_has(tmp_path: Path) -> None:
    parts = bitnet_parts(np.random.default_rng(0))
    names = ["b.10", "b.9", "a.1"]
    both = {"weight": parts[f"{Q}.weight"], "weight_scale": parts[f"{Q}.weight_scale"]}
    packed = {f"{name}.{part}": value.clone() for name in names for part, value in both.items()}
    folder = checkpoint(tmp_path / "m", {"quant_method": "bitnet"}, packed)
    assert list(imported(folder)[0]) == ["a.1", "b.9", "b.10"]


def test_sharded_checkpoint(tmp_path: Path) -> None:
    parts = bitnet_parts(np.random.default_rng(0))
    parts = {name: value for name, value in parts.items() if "ternary" not in name}
    folder = checkpoint(tmp_path / "m", {"quant_method": "bitnet"}, parts)
    want = imported(folder)[0]
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    shards = {name: f"part-{n % 2}.safetensors" for n, name in enumerate(tensors)}
    for shard in set(shards.values()):
        save_file({k: v for k, v in tensors.items() if shards[k] == shard}, folder / shard)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": shards}))
    got = imported(folder)[0]
    assert list(got) == list(want)
    assert all((dense(got[name]) == dense(want[name])).all() for name in want)
    (folder / "part-0.safetensors").write_bytes(b"x" * 99)
    with pytest.raises(
        ValueError, match=r"part-0\.safetensors must be a whole safetensors file, got"
    ):
        imported(folder)
