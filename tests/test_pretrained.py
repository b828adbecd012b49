"""Models read from folders, GGUF files and the Hub; what is refused, and in which words."""

import json
import os
import re
from pathlib import Path

import pytest
import tiny
import torch
from transformers import PreTrainedModel

from models import llm, pretrained
from models.fetch import cache_folder
from models.modules import replace_convolutions


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    saved = tiny.save(tmp_path / "saved")
    capfd.readouterr()
    return saved


def edit_config(folder: Path, **fields: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def refuses(source: Path | str, message: str, kind: type[Exception] = ValueError) -> None:
    with pytest.raises(kind, match=f"^{re.escape(message)}[^\n]*$"):
        llm.load(str(source))


@pytest.mark.parametrize("family", sorted(tiny.FAMILIES))
def test_folder(tmp_path: Path, family: str) -> None:
    model = tiny.model(family)
    replace_convolutions(model)
    want = model.state_dict()
    loaded = llm.load(str(tiny.save(tmp_path / "some.model", family)))
    assert loaded.name == "some.model"
    assert not loaded.model.training
    assert all(torch.equal(weight, want[name]) for name, weight in loaded.model.named_parameters())


def test_tokenizer(folder: Path) -> None:
    assert llm.load(str(folder)).tokenizer("two on")["input_ids"] == [5, 4]


def test_half_precision_becomes_float32(folder: Path) -> None:
    tiny.model("llama").bfloat16().save_pretrained(folder)
    parameters = list(llm.load(str(folder)).model.parameters())
    assert {parameter.dtype for parameter in parameters} == {torch.float32}


def test_folder_loads_silently(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    llm.load(str(folder))
    assert capfd.readouterr() == ("", "")


def test_gguf_is_converted_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.gguf"
    want = torch.from_numpy(tiny.save_gguf(path)["blk.0.ffn_down.weight"])
    first = llm.load(str(path))
    out, err = capfd.readouterr()
    assert (first.name, out) == ("model", "")
    assert err.startswith("converting model.gguf to safetensors, once\n")
    second = llm.load(str(path))
    assert capfd.readouterr() == ("", "")
    for loaded in [first, second]:
        assert torch.equal(loaded.model.get_parameter("model.layers.0.mlp.down_proj.weight"), want)
        assert len(llm.linear_layers(loaded)) == 7
        assert loaded.tokenizer("on")["input_ids"] == [4]
    tiny.save_gguf(path, seed=2)
    third = llm.load(str(path)).model.get_parameter("model.layers.0.mlp.down_proj.weight")
    assert not torch.equal(third, want)
    assert len(list(cache_folder().iterdir())) == 2


def test_gguf_of_the_working_folder_is_not_mistaken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wanted").mkdir()
    weights = tiny.save_gguf(tmp_path / "wanted" / "model.gguf")
    tiny.save_gguf(tmp_path / "model.gguf", seed=2)
    monkeypatch.chdir(tmp_path)
    got = llm.load("wanted/model.gguf").model.get_parameter("model.layers.0.mlp.up_proj.weight")
    assert torch.equal(got, torch.from_numpy(weights["blk.0.ffn_up.weight"]))


def test_broken_gguf(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    tiny.save_gguf(path)
    whole = path.read_bytes()
    rule = f"{path} must be a whole GGUF file of an architecture that Transformers knows, got "
    for length in [4, 20, 100, len(whole) // 2, len(whole) - 40]:
        path.write_bytes(whole[:length])
        refuses(path, rule)
    path.write_bytes(whole.replace(b"llama", b"alpac"))
    refuses(path, rule + "ValueError: GGUF model with architecture alpac is not supported yet.")
    tiny.save_gguf(path, without="blk.0.ffn_up.weight")
    refuses(path, rule + "one without 1 weights, such as model.layers.0.mlp.up_proj.weight")
    for start in [b"", b"PK\x03\x04"]:
        path.write_bytes(start)
        refuses(path, f"{path} must be a GGUF file, got one that starts with {start!r}; a model is")
    assert not cache_folder().exists()


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_unfinished_copy_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(_: PreTrainedModel, part: Path) -> None:
        (part / "config.json").write_text("{}")
        raise error

    tiny.save_gguf(tmp_path / "model.gguf")
    monkeypatch.setattr(PreTrainedModel, "save_pretrained", fail)
    with pytest.raises(type(error)):
        llm.load(str(tmp_path / "model.gguf"))
    assert list(cache_folder().iterdir()) == []


def test_folder_without_config(tmp_path: Path) -> None:
    refuses(tmp_path, f"{tmp_path} must be a folder in Transformers format, got no config.json")


def test_pickles_are_refused(folder: Path) -> None:
    rule = f"{folder} must keep its weights in .safetensors, got "
    edit_config(folder, transformers_weights="adapter_model.bin")
    refuses(folder, rule + "adapter_model.bin; pickles are never loaded")
    edit_config(folder, transformers_weights=None)
    index = folder / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model.safetensors", "b": "model.safetensors.pt"}}')
    refuses(folder, rule + "model.safetensors.pt; pickles are never loaded")
    index.unlink()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    refuses(folder, rule + "pytorch_model.bin; pickles are never loaded")
    (folder / "pytorch_model.bin").unlink()
    refuses(folder, rule + "none; pickles are never loaded")


def test_damaged_copy_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    tiny.save_gguf(path)
    llm.load(str(path))
    (copy,) = cache_folder().iterdir()
    (copy / "model.safetensors").write_bytes(b"")
    rule = "must be a causal language model that Transformers knows, got SafetensorError: "
    refuses(path, f"{path} ({copy}) {rule}")


def test_adapter_is_refused(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    refuses(folder, f"{folder} must be a whole model, got an adapter (adapter_config.json)")


def test_code_is_refused(folder: Path) -> None:
    edit_config(folder, model_type="own", auto_map={"AutoConfig": "own.C"})
    (folder / "own.py").write_text("raise SystemExit('code of the model ran')")
    refuses(folder, f"{folder} must be a causal language model that Transformers knows, got ")


def test_damaged_folder(folder: Path) -> None:
    rule = f"{folder} must be a causal language model that Transformers knows, got "
    edit_config(folder, num_hidden_layers=3)
    refuses(folder, rule + "one without 9 weights, such as model.layers.2.input_layernorm.weight")
    edit_config(folder, num_hidden_layers=2, intermediate_size=48)
    refuses(folder, rule + "one without 6 weights, such as model.layers.0.mlp.down_proj.weight")
    edit_config(folder, intermediate_size=tiny.INNER)
    llm.load(str(folder))
    with (folder / "model.safetensors").open("r+b") as file:
        os.truncate(file.fileno(), 1000)
    refuses(folder, rule + "SafetensorError: ")
    (folder / "tokenizer.json").unlink()
    refuses(folder, rule)
    (folder / "config.json").write_text("{")
    refuses(folder, f"{folder} must have a valid config.json and index of weights, got JSONDecode")


def test_hub_name_becomes_a_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pretrained, "snapshot_download", lambda *_, **__: str(folder))
    assert llm.load("owner/name").name == "name"


def test_hub_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise FileNotFoundError("Got: ConnectError: no route\nAn error happened")

    monkeypatch.setattr(pretrained, "snapshot_download", fail)
    refuses(
        "owner/name",
        f"model must be {pretrained.FORMS}, got 'owner/name'; "
        "asking the Hub gave FileNotFoundError: ConnectError: no route",
        OSError,
    )
