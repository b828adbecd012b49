"""Models with packed layers, read as plain ones."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from packed import DOWN, Q, bitnet_parts, checkpoint, gptq
from safetensors.torch import load_file

from models import llm
from models.fetch import cache_folder
from models.interchange import unpack


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def bitnet(folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    parts = bitnet_parts(np.random.default_rng(0))
    real = {name: parts.pop(f"{name}.ternary").numpy() * 0.5 for name in (Q, DOWN)}
    settings = {"quant_method": "bitnet", "linear_class": "autobitlinear"}
    return checkpoint(folder, settings, parts), real


def test_bitnet_is_unpacked_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder, real = bitnet(tmp_path / "m")
    capfd.readouterr()
    for first in (True, False):
        loaded = llm.load(str(folder))
        assert ("unpacking m to float32, once" in capfd.readouterr().err) == first
        own = llm.linear_layers(loaded)
        for name, weights in real.items():
            assert (own[name].weight.detach().numpy() == weights).all()
        assert loaded.tokenizer("on")["input_ids"] == [4]
        assert not hasattr(loaded.model.config, "quantization_config")
    assert len(list(cache_folder().iterdir())) == 1


def test_a_changed_folder_is_unpacked_again(tmp_path: Path) -> None:
    folder, real = bitnet(tmp_path / "m")
    one = unpack.unpacked(folder)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"]["linear_class"] = "bitlinear"
    (folder / "config.json").write_text(json.dumps(config))
    two = unpack.unpacked(folder)
    assert one != two
    weights = load_file(two / "model-00000.safetensors")
    assert (weights[f"{Q}.weight"].numpy() == real[Q] * 4).all()


def test_gptq_in_another_order_and_in_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "SHARD", 5000)
    rng = np.random.default_rng(0)
    parts, real = gptq(rng, DOWN, 4, 16, None, 1, act_order=True)
    settings = {"quant_method": "gptq", "bits": 4, "group_size": 16, "desc_act": True}
    folder = checkpoint(tmp_path / "m", settings, parts)
    copy = unpack.unpacked(folder)
    assert len(list(copy.glob("*.safetensors"))) > 3
    before = load_file(folder / "model.safetensors")
    loaded = llm.load(str(folder)).model.state_dict()
    assert (loaded[f"{DOWN}.weight"].numpy() == real.astype(np.float32)).all()
    same = set(before) & set(loaded)
    assert len(same) == len(before) - len(parts)
    assert all(torch.equal(loaded[name], before[name]) for name in same)


def test_plain_folder_is_its_own_copy(tmp_path: Path) -> None:
    folder = checkpoint(tmp_path / "m", {}, {})
    assert unpack.unpacked(folder) == folder
    assert not cache_folder().exists()


def test_damaged_layer_leaves_no_copy(tmp_path: Path) -> None:
    folder, _ = bitnet(tmp_path / "m")
    parts = bitnet_parts(np.random.default_rng(0), q_proj=0.0)
    parts = {name: value for name, value in parts.items() if "ternary" not in name}
    folder = checkpoint(tmp_path / "n", {"quant_method": "bitnet"}, parts)
    with pytest.raises(ValueError, match=rf"^{folder} must hold a whole layer {Q}, got [^\n]*$"):
        llm.load(str(folder))
    assert list(cache_folder().iterdir()) == []
