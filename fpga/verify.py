"""Layers on a board against the reference: every integer of every stage."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fpga.onboard import OnBoard, Progress
from models.bitplane import BitplaneLayer
from models.encode import Codes, transform
from models.reference import ReadyStage, Reference, chain_codes
from models.stage import Stage


@dataclass(frozen=True)
class Verified:
    """How many integers were compared, and how many are equal."""

    integers: int
    equal: int


def verify(
    layer: BitplaneLayer,
    board: OnBoard,
    tokens: int,
    seed: int,
    progress: Progress = lambda sent: None,
) -> Verified:
    """Run a layer on normal random inputs, each stage with the integers that really reach it.

    Raises
    ------
    ValueError
        The circuit cannot run the layer.
    """
    x = torch.randn(tokens, layer.inputs, generator=torch.Generator().manual_seed(seed))
    reference = Reference(layer)
    integers = equal = 0
    wanted = torch.zeros(0)
    for index, path in enumerate(layer.paths):
        codes = reference.codes(index, x)
        for number, stage in enumerate(path.stages):
            if number:
                codes = _between(path.stages[number - 1], stage, wanted)
            wanted = ReadyStage(stage).accumulate(codes.weighted(stage.group))
            exponents = None if codes.exponents is None else codes.exponents.numpy()
            got = board.run(
                stage,
                codes.values.squeeze(1).numpy(),
                exponents=exponents,
                chain_bits=_chain_bits(path.stages[number - 1]) if number else 16,
                progress=progress,
            )
            due = wanted if stage.requantize is None else chain_codes(stage, wanted).squeeze(1)
            integers += due.numel()
            equal += int((torch.from_numpy(got) == due).sum())
    return Verified(integers, equal)


def _between(before: Stage, stage: Stage, accumulators: Tensor) -> Codes:
    """Return what reaches a stage of a chain."""
    values = chain_codes(before, accumulators)
    if stage.transform is not None:
        values = transform(values, stage.transform)
    return Codes(values, None, torch.ones(len(values)))


def _chain_bits(before: Stage) -> int:
    return before.requantize.bits if before.requantize else 16
