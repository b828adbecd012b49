"""Files of layers: what is saved is loaded; golden bytes; names."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import KINDS, differences, random_stage, single
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from stored import every_kind, load, refuses

from models import bitplane, store
from models.bitplane import BitplaneLayer
from models.codes import Activation, Requantize, Transform
from models.equivalence import Equivalence
from models.planes import pack
from models.reference import run
from models.stage import Stage
from models.store import open_layers, save

PARTS = (
    BitplaneLayer, bitplane.Path, Stage, Activation, Transform, Requantize, Equivalence,
)  # fmt: skip
PAGE = Path(__file__).parent.parent / "docs" / "bitplane.md"


# What is saved is loaded


def test_loading_gives_what_was_saved(tmp_path: Path) -> None:
    for seed in range(3):
        layers = every_kind(seed)
        path = tmp_path / f"{seed}.safetensors"
        save(path, layers, {"seed": str(seed), "text": 'a "b" \\ \n ü'})
        with open_layers(path) as file:
            assert file.names == tuple(layer.name for layer in layers)
            assert file.info == {"seed": str(seed), "text": 'a "b" \\ \n ü'}
            for layer in layers:
                assert differences(file.layer(layer.name), layer) == [], f"seed {seed}"


def test_kinds_use_every_field() -> None:
    """A field that no layer sets could get lost unseen."""
    used: set[tuple[str, str]] = set()

    def visit(part: Any) -> None:
        for field in fields(part):
            value = getattr(part, field.name)
            if value is not None:
                used.add((type(part).__name__, field.name))
            for item in value if isinstance(value, tuple) else (value,):
                if hasattr(item, "__dataclass_fields__"):
                    visit(item)

    for layer in every_kind(0):
        visit(layer)
    for kind in PARTS:
        assert {field.name for field in fields(kind)} == {
            f for name, f in used if name == kind.__name__
        }


def test_layers_keep_their_order(tmp_path: Path) -> None:
    layer = KINDS["bitnet"](np.random.default_rng(0), 2, 3)
    names = ("10", "9", "b.a", "B", "", "é.\n")
    save(tmp_path / "f", [replace(layer, name=name) for name in names], {})
    with open_layers(tmp_path / "f") as file:
        assert file.names == names
        assert [file.layer(name).name for name in names] == list(names)


def test_any_integers_and_any_memory_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    stage = random_stage(rng, 4, 6, 2, 3)
    spread = np.broadcast_to(stage.coefficients[:, :1], stage.coefficients.shape)
    odd = replace(
        stage, columns=np.int64(6), group=np.int32(3), coefficients=spread,
        offset=np.asfortranarray(stage.offset), planes=stage.planes[:, ::-1],
    )  # fmt: skip
    plain = replace(stage, coefficients=spread.copy(), planes=stage.planes[:, ::-1].copy())
    save(tmp_path / "odd", [single("x", odd, 6, np.random.default_rng(1))], {})
    want = single("x", plain, 6, np.random.default_rng(1))
    assert differences(load(tmp_path / "odd", "x"), want) == []


def test_only_the_layer_asked_for_is_read(tmp_path: Path) -> None:
    layers = every_kind(0)
    save(tmp_path / "f", layers, {})
    read: list[str] = []

    class Spy:
        def get_tensor(self, name: str) -> Any:
            read.append(name)
            return tensors.get_tensor(name)

    with open_layers(tmp_path / "f") as file:
        tensors = file._tensors
        spied = replace(file, _tensors=Spy())
        assert read == []
        layer = spied.layer("part.billm")
    assert {name.split(".paths.")[0] for name in read} == {"part.billm"}
    assert len(read) == len(set(read)) == 9
    assert differences(layer, layers[list(KINDS).index("billm")]) == []


# The bytes


PROGRAM = """
import sys; sys.path.insert(0, "tests")
from pathlib import Path
from stored import every_kind
from models.store import save
save(Path(sys.argv[1]), every_kind(3), {"b": "1", "a": "2"})
"""


def test_bytes_do_not_depend_on_the_process(tmp_path: Path) -> None:
    sums = set()
    for seed in ("0", "1"):
        path = tmp_path / seed
        subprocess.run(
            [sys.executable, "-c", PROGRAM, str(path)],
            check=True, cwd=PAGE.parent.parent, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        sums.add(sha256(path.read_bytes()).hexdigest())
    save(tmp_path / "here", every_kind(3), {"a": "2", "b": "1"})
    assert sums == {sha256((tmp_path / "here").read_bytes()).hexdigest()}


def test_golden_bytes_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = PAGE.read_text()
    programs = re.findall(r"```python\n(.*?)```", page, re.S)
    dump = re.findall(r"^[0-9a-f]{4}  ([0-9a-f ]+)$", page, re.M)
    golden = bytes.fromhex("".join(dump))
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(programs[-1], names)
    assert (tmp_path / "tiny.safetensors").read_bytes() == golden
    assert sha256(golden).hexdigest() in page
    (tmp_path / "golden").write_bytes(golden)
    assert differences(load(tmp_path / "golden", "tiny"), names["layer"]) == []


def test_file_of_version_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's layer as version 1 wrote it, both coefficients stored."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)[-1], names)
    stage = names["stage"]
    two = replace(stage, coefficients=np.array([1, -1], np.int16).reshape(1, 1, 1, 2), mix=None)
    path = replace(names["path"], stages=(two,))
    old = load(PAGE.parent.parent / "tests" / "data" / "version_1.safetensors", "tiny")
    assert differences(old, replace(names["layer"], paths=(path,))) == []
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(run(old, x), run(names["layer"], x))


def test_file_of_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's layer, without a word of base 3."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)[-1], names)
    old = load(PAGE.parent.parent / "tests" / "data" / "version_2.safetensors", "tiny")
    assert differences(old, names["layer"]) == []


def test_ternary_weights_in_base_3(tmp_path: Path) -> None:
    """Bytes by hand: the digits are weights plus 1, the first of five highest."""
    layer = KINDS["ternary_base3"](np.random.default_rng(0), 2, 7)
    weights = np.array([[1, 0, -1, 1, 0, 1, 1], [-1, -1, -1, -1, -1, 0, -1]])
    bits = pack(np.stack([weights > 0, weights < 0]))
    stage = replace(layer.paths[0].stages[0], planes=bits)
    layer = replace(layer, name="x", paths=(replace(layer.paths[0], stages=(stage,)),))
    save(tmp_path / "f", [layer], {})
    tensors = load_file(tmp_path / "f")
    numbers = [[196, 2 * 81 + 2 * 27 + 9 + 3 + 1], [0, 81 + 0 + 9 + 3 + 1]]
    want = np.ceil(256 * np.array(numbers) / 243).astype(np.uint8)
    assert np.array_equal(tensors["x.paths.0.stages.0.planes"], want)
    assert differences(load(tmp_path / "f", "x"), layer) == []
    tensors["x.paths.0.stages.0.planes"][0, 1] += 1
    with safe_open(tmp_path / "f", "numpy") as file:
        save_file(tensors, tmp_path / "g", file.metadata())
    refuses(
        tmp_path / "g",
        ".*planes in base 3 must be bytes of five ternary weights each, got others",
        name="x",
    )


def test_page_names_every_field() -> None:
    page = PAGE.read_text()
    for kind in PARTS:
        for field in fields(kind):
            assert f"`{field.name}`" in page, f"{kind.__name__}.{field.name}"


# Names


@pytest.fixture
def named(tmp_path: Path) -> Iterator[store.BitplaneFile]:
    layer = KINDS["bitnet"](np.random.default_rng(0), 2, 3)
    names = ["m.0.down", "m.1.down", "m.1.up", "up", "m.2.gate"]
    save(tmp_path / "f", [replace(layer, name=name) for name in names], {})
    with open_layers(tmp_path / "f") as file:
        yield file


def test_names_and_their_ends(named: store.BitplaneFile) -> None:
    assert named.find("m.0.down") == named.find("0.down") == "m.0.down"
    assert named.find("up") == "up"  # though m.1.up ends so
    assert named.find("1.up") == "m.1.up"
    assert named.layer("gate").name == "m.2.gate"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("down", "it could be m.0.down or m.1.down"),
        ("m.1.dwn", "did you mean m.1.down?"),
        ("own", "did you mean"),
        ("xyz", "there are: m.0.down, m.1.down, m.1.up, up, m.2.gate"),
        ("", "there are: m.0.down, m.1.down, m.1.up, up, m.2.gate"),
    ],
)
def test_unknown_and_ambiguous_names(named: store.BitplaneFile, name: str, hint: str) -> None:
    text = f"layer must be one of {named.path}'s 5, got '{name}'; {hint}"
    for call in (named.find, named.layer):
        with pytest.raises(ValueError, match=f"^{re.escape(text)}.*$"):
            call(name)


def test_no_layers(tmp_path: Path) -> None:
    save(tmp_path / "f", [], {})
    text = f"layer must be one of {tmp_path / 'f'}'s 0, got 'x'; there are none"
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        load(tmp_path / "f", "x")


def test_names_that_meet(tmp_path: Path) -> None:
    layer = KINDS["xnor"](np.random.default_rng(0), 2, 3)
    with pytest.raises(ValueError, match=r"^layer names must differ, got xnor twice$"):
        save(tmp_path / "f", [layer, layer], {})
    inner = replace(layer, name="xnor.paths.0.stages.0", bias=np.zeros(2, np.float32))
    text = r"^tensor names must differ, got xnor.paths.0.stages.0.bias twice$"
    with pytest.raises(ValueError, match=text):
        save(tmp_path / "f", [layer, inner], {})
    assert list(tmp_path.iterdir()) == []
