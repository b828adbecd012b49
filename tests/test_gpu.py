"""What surrounds the GPU kernels: packing, the module, its operator, the compiler, choices."""

import copy
import pickle
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import builders
import numpy as np
import pytest
import torch
from torch import nn

from models.gpu import build
from models.gpu.choice import choices, choose
from models.gpu.device import DeviceStage
from models.gpu.kernels import (
    BASE3_KINDS,
    BIT_PLANE_KINDS,
    BYTE_KINDS,
    SPLITS,
    TILES,
    Kernels,
)
from models.gpu.layout import pack_bits, pack_stage, pack_tokens
from models.gpu.linear import GpuLinear, _on_gpu
from models.notes import say_once
from models.reference import run


def bit(packed: np.ndarray, row: int, column: int) -> int:
    """Read a bit of a plane as ``csrc`` documents the layout, from its words alone."""
    half, rest = divmod(column % 256, 128)
    i, t, h, j = rest // 32, rest % 32 // 8, rest % 8 // 4, rest % 4
    tile, high, g = row // 16, row % 16 // 8, row % 8
    word = packed[tile, column // 256, 0, 4 * g + t, 2 * half + high]
    return int(word) >> (i + 4 * h + 8 * j) & 1


def test_every_bit_lies_where_documented() -> None:
    rng = np.random.default_rng(0)
    bits = rng.random((21, 300)) < 0.5
    packed = pack_bits(bits)
    assert packed.shape == (2, 2, 1, 32, 4)
    assert sum(int(word).bit_count() for word in packed.flat) == bits.sum()
    assert all(bit(packed, *place) == value for place, value in np.ndenumerate(bits))
    tokens = pack_tokens(bits)
    assert tokens.shape == (3, 2, 32, 2)
    assert np.array_equal(tokens[0, :, :, 0], packed[0, :, 0, :, 0])
    assert np.array_equal(tokens[1, :, :, 1], packed[0, :, 0, :, 3])


def test_groups_are_padded_to_sets() -> None:
    stage = builders.random_stage(np.random.default_rng(0), 5, 100, 2, 40)
    packed = pack_stage(stage)
    assert (packed.groups, packed.sets, packed.columns) == (3, 2, 256)
    assert not packed.aligned
    assert sorted(packed.by_bits[packed.by_bits >= 0]) == list(range(100))
    assert packed.coefficients.shape == (1, 1, 3, 8, 3, 2)
    whole = pack_stage(builders.random_stage(np.random.default_rng(0), 5, 100, 2))
    assert whole.aligned
    assert whole.columns == 256


@pytest.mark.parametrize("sets", [1, 2, 3, 5, 7, 12, 100, 4095])
def test_groups_are_found_without_division(sets: int) -> None:
    stage = builders.random_stage(np.random.default_rng(0), 1, 64, 1)
    magic = 0 if sets == 1 else (1 << 32) // sets + 1
    places = np.arange(1 << 17, dtype=np.uint64)
    found = places * np.uint64(magic) >> np.uint64(32) if magic else places
    assert np.array_equal(found, places // np.uint64(sets))
    assert pack_stage(stage).magic == (1 << 32) // 2 + 1


@pytest.mark.parametrize("tokens", [1, 2, 16, 17, 500])
@pytest.mark.parametrize("kinds", [BYTE_KINDS, BYTE_KINDS + BIT_PLANE_KINDS, BASE3_KINDS])
def test_choice_is_one_of_the_compiled(tokens: int, kinds: tuple[str, ...]) -> None:
    for rows, steps in ((1, 1), (192, 3), (32000, 16)):
        kind, tile, split = choose(rows, steps, tokens, kinds)
        assert tile in TILES[kind]
        assert split in SPLITS
        assert kind in kinds
    assert all(choice.tile in TILES[choice.kind] for choice in choices(tokens, kinds))


def test_ternary_weights_take_1_6_bits() -> None:
    rng = np.random.default_rng(3)
    stage = builders.bitnet(rng, 64, 640).paths[0].stages[0]
    module = GpuLinear(builders.single("x", replace(stage, base3=True), 640, rng))
    planes = next(value for name, value in module.named_buffers() if name.endswith("planes"))
    assert 8 * planes.nbytes == 1.6 * 64 * 640


def test_only_ternary_weights_take_base_3() -> None:
    """Two planes with other coefficients than opposite ones are no ternary weights."""
    stage = builders.ternary_base3(np.random.default_rng(4), 6, 40).paths[0].stages[0]
    assert DeviceStage(stage).shape.base3
    assert not DeviceStage(replace(stage, base3=False)).shape.base3
    assert not DeviceStage(replace(stage, mix=((1, -2, 0),))).shape.base3


@pytest.mark.parametrize("name", ["bitnet", "dbf", "onebit"])
def test_module_without_a_gpu_is_the_reference(name: str) -> None:
    rng = np.random.default_rng(1)
    layer = builders.KINDS[name](rng, 6, 40)
    module = GpuLinear(layer)
    x = torch.from_numpy(rng.standard_normal((2, 3, 40)).astype(np.float32))
    assert torch.equal(module(x), run(layer, x))
    half = module(x.half())
    assert half.dtype == torch.float16
    assert half.shape == (2, 3, 6)


def test_module_keeps_its_numbers_in_copies_of_other_types() -> None:
    module = GpuLinear(builders.dbf(np.random.default_rng(1), 6, 40))
    x, before = torch.ones(1, 40), [value.clone() for value in module.buffers()]
    want = module(x)
    other = copy.deepcopy(module).half()
    del module
    assert all(map(torch.equal, before, other.buffers()))
    assert torch.equal(other(x), want)


def test_pickled_modules_are_their_own_layers() -> None:
    rng = np.random.default_rng(1)
    first, second = (GpuLinear(builders.dbf(rng, 6, 40)) for _ in range(2))
    x = torch.ones(1, 40)
    want, file = second(x), BytesIO()
    torch.save(second, file)
    text = pickle.dumps(second)
    del second
    for again in (pickle.loads(text), torch.load(BytesIO(file.getvalue()), weights_only=False)):
        assert torch.equal(again(x), want)
    assert not torch.equal(first(x), want)


def test_wrong_inputs_name_the_layer() -> None:
    module = GpuLinear(builders.dbf(np.random.default_rng(1), 6, 40))
    with pytest.raises(ValueError, match=r"^layer dbf must have 40 inputs, got 39$"):
        module(torch.ones(3, 39))
    packed = [value.to("meta") for value in module.buffers()]
    with pytest.raises(ValueError, match=r"^layer dbf must be where its inputs are, cpu, got meta"):
        _on_gpu(torch.ones(3, 40), packed, module._key)
    assert _on_gpu(torch.ones(0, 40), list(module.buffers()), module._key).shape == (0, 6)


def test_no_gpu_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    say_once.cache_clear()
    module = GpuLinear(builders.bitnet(np.random.default_rng(1), 6, 40))
    for _ in range(3):
        module(torch.ones(1, 40))
    assert caplog.messages == ["no GPU: bitplane layers run by the reference on the CPU"]


def test_operator_is_opaque_to_the_compiler() -> None:
    module = GpuLinear(builders.bitnet(np.random.default_rng(1), 6, 40))
    x = torch.ones(2, 40)
    arguments = (x, list(module.buffers()), module._key)
    torch.library.opcheck(torch.ops.planesmith.bitplane_linear.default, arguments)
    whole = nn.Sequential(module, nn.ReLU())
    assert torch.equal(torch.compile(whole, backend="eager", fullgraph=True)(x), whole(x))


def test_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "find_spec", lambda name: None)
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"^nvcc must be on PATH, .*; got none of them$"):
        build.gpu_library()
    tool = tmp_path / "cuda/bin/nvcc"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\necho 'kernels.cu(1): error: no' >&2; exit 2\n")
    tool.chmod(0o755)
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "cuda"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(ValueError, match=r"must compile the kernels, got: kernels.cu\(1\): error"):
        build.gpu_library()


@pytest.mark.skipif(build.find_nvcc() is None, reason=build.NVCC_HELP)
def test_kernels_compile_for_every_architecture() -> None:
    library = build.gpu_library()
    Kernels(library)
    have = library.read_bytes()
    assert all(f"sm_{architecture}".encode() in have for architecture in build.ARCHITECTURES)
