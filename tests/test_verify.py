"""A text on circuits of every kind equals the reference model's, for files of every shape."""

import json
from pathlib import Path

import pytest
import tiny

import sim.__main__
from hwgen.config import HardwareConfig
from models.codes import Activation
from models.formats import parse
from models.llm import load
from models.quantize import choose, quantize_model
from models.store import open_layers, save
from sim import engine, verify
from sim.tools import verilator_version

SMALL = ["--pe", "4", "--lanes", "8"]
CHAIN = "dbf:bits=5,steps=2"


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("llama"))


def quantized(llama: Path, text: str, name: str = "layers", head: bool = True) -> Path:
    file = llama.parent / f"{name}.safetensors"
    model = load(str(llama))
    info = {"model": str(llama), "format": text}
    quantize_model(model, choose(model, head=head), parse(text), Activation(), file, info)
    return file


def call(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr("sys.argv", ["sim", *map(str, arguments)])
    sim.__main__.main()


CASES = [
    ("signs:k=2,group=16", ["--kind", "addsub"]),
    ("ternary:scale=group,group=16", ["--kind", "addsub", "--digit", "4"]),
    (CHAIN, ["--kind", "lut"]),
    (CHAIN, ["--digit", "8"]),
    ("ternary:scale=group,group=16", ["--kind", "lut", "--table", "3"]),
    ("signs:k=1,group=16", ["--kind", "addsub", "--no-ternary"]),
]


@pytest.mark.parametrize(
    ("text", "kind"), CASES, ids=[" ".join([text, *kind]) for text, kind in CASES]
)
def test_kinds_and_formats(
    llama: Path, text: str, kind: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file, record = quantized(llama, text), tmp_path / "record.json"
    arguments = ["verify", file, "--prompt", "on two n", "--tokens", 4, *SMALL, *kind]
    call(monkeypatch, *arguments, "--record", record)
    out = capsys.readouterr().out
    (entry,) = json.loads(record.read_text()).values()
    found = entry["done"]
    assert found["tokens"] == found["equal_tokens"] >= 1
    assert found["equal_logits"]
    assert found["integers"] > 0
    assert found["unequal"] == 0
    assert entry["asked"]["format"] == text
    assert found["ready_seconds"] > 0
    assert entry["by"]["verilator"] == verilator_version()
    assert f"{found['tokens']} of {found['tokens']} tokens equal, logits equal" in out
    monkeypatch.setattr("sim.verify.verify", None)  # what is recorded is not run again
    call(monkeypatch, *arguments, "--record", record)
    assert capsys.readouterr().out == out


def test_record_of_another_circuit_is_made_again(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, record = quantized(llama, "signs:k=2,group=16"), tmp_path / "record.json"
    arguments = ["verify", file, "--prompt", "on two n", "--tokens", 1, *SMALL]
    call(monkeypatch, *arguments, "--record", record)
    (before,) = json.loads(record.read_text()).items()
    text = verify.verilog
    monkeypatch.setattr(verify, "verilog", lambda config: f"// changed\n{text(config)}")
    call(monkeypatch, *arguments, "--record", record)
    (after,) = json.loads(record.read_text()).items()
    assert before[0] == after[0]
    assert before[1]["asked"]["circuit"] != after[1]["asked"]["circuit"]


def test_layers_of_several_numbers_of_planes(
    llama: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [quantized(llama, f"signs:k={k},group=16", f"k{k}", head=False) for k in (1, 3)]
    mixed = llama.parent / "mixed.safetensors"
    with open_layers(files[0]) as one, open_layers(files[1]) as three:
        layers = [(one, three)[n % 2].layer(name) for n, name in enumerate(one.names)]
        save(mixed, layers, one.info)
    call(monkeypatch, "verify", mixed, "--prompt", "on two n", "--tokens", 4, *SMALL, "--json")
    done = json.loads(capsys.readouterr().out)
    assert done["config"]["k"] == 3
    assert (done["equal_tokens"], done["unequal"]) == (done["tokens"], 0)


def test_wrong_circuit_is_noticed(
    llama: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verilog = engine.verilog

    def broken(config: HardwareConfig) -> str:
        return verilog(config).replace("assign chosen = term & digit;", "assign chosen = term;")

    monkeypatch.setattr(engine, "verilog", broken)
    file = quantized(llama, "signs:k=2,group=16")
    with pytest.raises(SystemExit):
        call(monkeypatch, "verify", file, "--prompt", "on two n", "--tokens", 2, *SMALL)
    assert "logits NOT EQUAL" in capsys.readouterr().out
