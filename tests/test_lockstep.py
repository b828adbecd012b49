"""Runs of a block that wait before each group of layers equal runs from the beginning."""

import pytest
import tiny
import torch
from torch import Tensor, nn

from models import llm
from models.calibration.blocks import Block, blocks_of, embedded
from models.calibration.lockstep import Lockstep
from models.calibration.trace import Group, groups_of, trace


def block_of(family: str) -> tuple[Block, list[Group], list[Tensor]]:
    """Return a block, its groups of layers, and what it reads for three windows."""
    model = llm.LLM(family, tiny.model(family), tiny.tokenizer(), "memory").model
    random = torch.Generator().manual_seed(3)
    windows = torch.randint(len(tiny.WORDS), (3, 12), generator=random)
    block = blocks_of(model, windows[:1])[0][0]
    hidden = [embedded(model, block, window[None]) for window in windows]
    return block, groups_of(block, hidden[0]), hidden


def copy(block: Block) -> Block:
    return block.copy(torch.float32, torch.device("cpu"))


@pytest.mark.parametrize("family", ["llama", "gpt_neox", "opt", "falcon"])
def test_replaced_on_the_way(family: str) -> None:
    block, groups, hidden = block_of(family)
    other = copy(block)
    random = torch.Generator().manual_seed(5)
    with Lockstep(copy(block), groups, hidden) as steps:
        for index, group in enumerate(groups):
            found = list(steps.reads(index))
            for one, (read, total) in zip(hidden, found, strict=True):
                want = trace(other, groups, one)
                assert torch.equal(read, want.inputs[index])
                assert torch.equal(total, want.before(index))
            for name in group.names:
                linear = other.linears()[name]
                linear.weight = nn.Parameter(torch.randn(linear.weight.shape, generator=random))
                steps.replace(name, linear)
        results = list(steps.results())
    for one, result in zip(hidden, results, strict=True):
        assert torch.equal(result, other.run(one))


def test_each_layer_runs_once_a_window() -> None:
    block, groups, hidden = block_of("llama")
    block, count = copy(block), dict.fromkeys(block.linears(), 0)

    def counted(name: str) -> None:
        count[name] += 1

    for name, linear in block.linears().items():
        linear.register_forward_hook(lambda *_, name=name: counted(name))
    with Lockstep(block, groups, hidden) as steps:
        for index in (0, 2):  # a group may be passed by
            assert len(list(steps.reads(index))) == len(hidden)
        list(steps.results())
    assert set(count.values()) == {len(hidden)}


def test_left_early() -> None:
    """Runs that wait end with the context; gradients are recorded as before."""
    block, groups, hidden = block_of("llama")
    with Lockstep(copy(block), groups, hidden) as steps:
        list(steps.reads(1))
        assert torch.is_grad_enabled()
    assert torch.is_grad_enabled()
    with pytest.raises(ValueError, match=r"^a block must use its layers in each window in one"):
        next(steps.reads(2))


def test_layers_that_a_window_does_not_use() -> None:
    block, groups, hidden = block_of("llama")
    block = copy(block)
    mlp = block.module.get_submodule("mlp")
    assert isinstance(mlp, nn.Module)
    mlp.forward = lambda x: x
    with Lockstep(block, groups, hidden) as steps:
        list(steps.reads(1))
        with pytest.raises(ValueError, match=r", got a window that does not$"):
            next(steps.reads(2))
        assert len(list(steps.results())) == len(hidden)


def test_attributes_of_layers() -> None:
    """Some models read a layer's weight themselves."""
    block, groups, hidden = block_of("llama")
    block = copy(block)
    weight = block.linears()["mlp.up_proj"].weight
    with Lockstep(block, groups, hidden):
        slot = block.module.get_submodule("mlp.up_proj")
        assert slot.weight is weight
        assert slot.out_features == len(weight)
        with pytest.raises(AttributeError):
            _ = slot.no
