"""Layers on a board against the reference: every integer of every stage."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fpga.onboard import OnBoard, Progress
from models.bitplane import BitplaneLayer
from models.encode import transform
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
        The layer has group scales or several views, or the circuit cannot run it.
    """
    x = torch.randn(tokens, layer.inputs, generator=torch.Generator().manual_seed(seed))
    reference = Reference(layer)
    integers = equal = 0
    wanted = torch.zeros(0)
    for index, path in enumerate(layer.paths):
        codes = reference.codes(index, x)
        if codes.exponents is not None or codes.values.shape[1] != 1:
            raise ValueError(
                f"layer {layer.name} must have token or static activation scales and one view "
                "to run on this circuit, got others"
            )
        values = codes.values
        for number, stage in enumerate(path.stages):
            if number:
                values = _between(path.stages[number - 1], stage, wanted)
            wanted = ReadyStage(stage).accumulate(values)
            got = board.run(stage, values[:, 0].numpy(), progress)
            due = wanted if stage.requantize is None else chain_codes(stage, wanted)[:, 0]
            integers += due.numel()
            equal += int((torch.from_numpy(got) == due).sum())
    return Verified(integers, equal)


def _between(before: Stage, stage: Stage, accumulators: Tensor) -> Tensor:
    """Return what reaches a stage of a chain; (tokens, 1, columns)."""
    codes = chain_codes(before, accumulators)
    return codes if stage.transform is None else transform(codes, stage.transform)
