"""Files of layers: what is saved is loaded; damaged ones give one line; golden bytes."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import torch
from builders import KINDS, differences, random_stage, single
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from models import bitplane, store
from models.bitplane import BitplaneLayer
from models.codes import Activation, Requantize, Transform
from models.equivalence import Equivalence
from models.planes import pack
from models.reference import run
from models.stage import Stage
from models.store import open_layers, save
from models.tensors import TensorWriter

PARTS = (
    BitplaneLayer, bitplane.Path, Stage, Activation, Transform, Requantize, Equivalence,
)  # fmt: skip
PAGE = Path(__file__).parent.parent / "docs" / "bitplane.md"


def every_kind(seed: int) -> list[BitplaneLayer]:
    rng = np.random.default_rng(seed)
    layers = [make(rng, 5, 19) for make in KINDS.values()]
    return [replace(layer, name=f"part.{name}") for name, layer in zip(KINDS, layers, strict=True)]


def load(path: Path, name: str) -> BitplaneLayer:
    with open_layers(path) as file:
        return file.layer(name)


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
    """Save one layer, named ``a.b``."""
    path = tmp_path / "one.safetensors"
    save(path, [replace(KINDS["dbf"](np.random.default_rng(0), 3, 5), name="a.b")], {"x": "y"})
    return path


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
from test_store import every_kind
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


# Damaged and foreign files


def refuses(path: Path, text: str, error: type[Exception] = ValueError, name: str = "a.b") -> None:
    with pytest.raises(error, match=f"^{text}$") as caught:
        load(path, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path} must ")


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


# Files that cannot be written


def test_unwritable_folders(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "no" / "f", tmp_path / "file" / "f", Path("/proc/f")):
        with pytest.raises(OSError, match=f"^{path} must be writable, got: .*$"):
            save(path, every_kind(0), {})
    with pytest.raises(IsADirectoryError, match=f"^{tmp_path} must be a file, got a folder$"):
        save(tmp_path, every_kind(0), {})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [5, 200, 5000])
def test_full_disk(one: Path, size: int) -> None:
    before = one.read_bytes()
    with largest_file(size), pytest.raises(OSError, match=f"^{one} must be writable, got: .*$"):
        save(one, every_kind(0), {})
    assert one.read_bytes() == before
    assert list(one.parent.iterdir()) == [one]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, MemoryError])
def test_interruption(
    one: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def write_half(_: TensorWriter, file: IO[bytes], metadata: dict[str, str]) -> None:
        file.write(json.dumps(metadata).encode()[:1000])
        raise stop

    before = one.read_bytes()
    monkeypatch.setattr(TensorWriter, "write", write_half)
    with pytest.raises(stop):
        save(one, every_kind(0), {})
    assert one.read_bytes() == before
    assert list(one.parent.iterdir()) == [one]


def test_interrupted_source_of_layers(one: Path) -> None:
    def layers() -> Iterator[BitplaneLayer]:
        yield every_kind(0)[0]
        raise KeyboardInterrupt

    before = one.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        save(one, layers(), {})
    assert one.read_bytes() == before
    assert list(one.parent.iterdir()) == [one]
