"""Layers whose integers the circuit computes, for use in a language model."""

import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.bitplane import BitplaneLayer
from models.encode import Codes, transform
from models.reference import Execution, ReadyStage, Reference, chain_codes
from models.stand_in import StandIn
from sim.journal import Journal
from sim.laid import Laid, lay_out_chain
from sim.pool import Pool


@dataclass
class Tally:
    """What stages did, in all.

    Attributes
    ----------
    stages : int
        Runs of a stage.
    cycles : int
        Of one engine.
    seconds : float
        Of wall time on the circuit.
    integers, unequal : int
        Compared with the reference, and found different.
    """

    stages: int = 0
    cycles: int = 0
    seconds: float = 0.0
    integers: int = 0
    unequal: int = 0


@dataclass(frozen=True)
class Circuit:
    """The circuit that layers run on.

    Attributes
    ----------
    pool : Pool
    tally : Tally
    journal : Journal or None
        Results of an earlier run that was killed, and of this one.
    check : bool
        Compare the integers of every stage with the reference.
    progress : callable
        Called after each stage.
    """

    pool: Pool
    tally: Tally
    journal: Journal | None = None
    check: bool = False
    progress: Callable[[], object] = lambda: None

    def run(
        self,
        laid: Laid,
        codes: NDArray[np.integer],
        exponents: NDArray[np.integer] | None = None,
    ) -> NDArray[np.int64]:
        """Run a stage as :meth:`sim.pool.Pool.run` does, or take its journaled result."""
        cycles = self.pool.cycles(laid, len(codes))
        digest = hashlib.sha256(laid.key + np.ascontiguousarray(codes, np.int32).data)
        if exponents is not None:
            digest.update(np.ascontiguousarray(exponents, np.int32).data)
        key = digest.digest()
        result = self.journal.take(key) if self.journal else None
        if result is None:
            start = time.perf_counter()
            result, cycles = self.pool.run(laid, codes, exponents)
            self.tally.seconds += time.perf_counter() - start
            if self.journal:
                self.journal.add(key, result)
        self.tally.stages += 1
        self.tally.cycles += cycles
        self.progress()
        return result


class StagedExecution(Execution):
    """A layer whose stages run one after the other, somewhere."""

    @abstractmethod
    def run_stage(self, path: int, number: int, codes: Codes) -> Tensor:
        """Run a stage of a path; int64, (tokens, out) or (tokens, views of results, out)."""

    def accumulate(self, path: int, codes: Codes) -> Tensor:
        """Run a path on codes; int64, (tokens, out)."""
        stages = self.layer.paths[path].stages
        result = self.run_stage(path, 0, codes)
        for number, (before, stage) in enumerate(pairwise(stages), start=1):
            small = before.requantize is not None and before.requantize.bits <= 8
            values = result if result.dim() == 3 else result[:, None]
            values = values.to(torch.int8 if small else torch.int32)
            if stage.transform is not None:
                values = transform(values, stage.transform)
            result = self.run_stage(path, number, Codes(values, None, codes.scale))
        return result


class CircuitExecution(StagedExecution):
    """A layer whose stages run on the circuit.

    Attributes
    ----------
    paths : list of list of Laid
        The stages of each path; one where the circuit links both.

    Raises
    ------
    ValueError
        The circuit cannot run a stage; see :meth:`hwgen.tiling.Tiling.of`.
    """

    def __init__(self, layer: BitplaneLayer, circuit: Circuit) -> None:
        super().__init__(layer)
        self._circuit = circuit
        pool = circuit.pool
        self.paths = [lay_out_chain(path.stages, pool.config, pool.size) for path in layer.paths]
        self._reference = Reference(layer) if circuit.check else None

    def accumulate(self, path: int, codes: Codes) -> Tensor:
        """Run a path on codes; int64, (tokens, out)."""
        first = self.paths[path][0]
        if first.link is None:
            return super().accumulate(path, codes)
        result = self._run(first, codes)
        if self._reference:
            self._compare(result, self._reference.accumulate(path, codes))
        return result

    def run_stage(self, path: int, number: int, codes: Codes) -> Tensor:
        """Run a stage on the circuit, and on the reference to compare."""
        result = self._run(self.paths[path][number], codes)
        if self._reference:
            self._compare(result, expected(self._reference.stages[path][number], codes))
        return result

    def _run(self, laid: Laid, codes: Codes) -> Tensor:
        exponents = None if codes.exponents is None else codes.exponents.numpy()
        return torch.from_numpy(self._circuit.run(laid, codes.values.numpy(), exponents).copy())

    def _compare(self, result: Tensor, wanted: Tensor) -> None:
        self._circuit.tally.integers += wanted.numel()
        self._circuit.tally.unequal += int((wanted != result).sum())


def expected(ready: ReadyStage, codes: Codes) -> Tensor:
    """Return what a stage must give, requantized or not, as :meth:`StagedExecution.run_stage`."""
    wanted = ready.accumulate(codes.weighted(ready.stage.group))
    if ready.stage.requantize is None:
        return wanted
    results = chain_codes(ready.stage, wanted).long()
    return results if ready.stage.result_views > 1 else results[:, 0]


class CircuitLinear(StandIn):
    """A linear layer of a model, computed by the circuit.

    Attributes
    ----------
    stages : int
        That run for each input.
    """

    def __init__(self, layer: BitplaneLayer, circuit: Circuit) -> None:
        super().__init__(layer.name)
        self.execution = CircuitExecution(layer, circuit)
        self.stages = sum(map(len, self.execution.paths))

    def forward(self, x: Tensor) -> Tensor:
        """Multiply; float32, (..., inputs) to (..., out)."""
        return self.execution(x)
