"""The state of a training run in a file, from which it goes on after an interruption."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.checks import require
from models.files import whole_file
from models.foreign import one_line

HEADER = "planesmith training"
EVERY = 300.0
"""Seconds between two saves."""


@dataclass(frozen=True)
class State:
    """How far a run has come.

    Attributes
    ----------
    blocks : int
        Blocks reconstructed.
    together : bool
        Whether distillation has begun.
    steps : int
        Steps of distillation taken.
    tensors : dict of Tensor
        What was learned so far, and what the optimizer keeps.
    """

    blocks: int = 0
    together: bool = False
    steps: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)


class Interrupts:
    """Whether the user wants to stop; true from the first interrupt on."""

    def __init__(self) -> None:
        self.came = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.came = True


class Checkpoint:
    """The file of a run's state.

    Parameters
    ----------
    path : Path
    info : dict of str
        All that decides the run; a file of another run is refused.
    """

    def __init__(self, path: Path, info: dict[str, str]) -> None:
        self.path, self.info, self._saved = path, info, time.monotonic()

    def load(self) -> State:
        """Read the state; that of the beginning if there is no file.

        Raises
        ------
        ValueError
            The file is damaged, or of another run.
        """
        if not self.path.exists():
            return State()
        try:
            with safe_open(self.path, framework="pt") as file:
                header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
                names = file.keys()
                tensors = {name: file.get_tensor(name) for name in names}
        except (SafetensorError, ValueError) as error:
            raise ValueError(f"{self.path} must be the state of a run, got: {error}") from error
        known = header.get("info", {})
        other = [key for key, value in self.info.items() if known.get(key) != value]
        rule = "be of this very run, or be removed"
        require(not other, str(self.path), rule, f"another {' and '.join(other)}")
        return State(header["blocks"], header["together"], header["steps"], tensors)

    def keep(self, state: State, interrupts: Interrupts) -> None:
        """Write the state if that was last done long ago, or if the user wants to stop.

        Raises
        ------
        KeyboardInterrupt
            The user wants to stop; the state is written.
        """
        stop = interrupts.came
        if stop or time.monotonic() - self._saved > EVERY:
            self._save(state)
        if stop:
            raise KeyboardInterrupt

    def _save(self, state: State) -> None:
        header = {"info": self.info, "blocks": state.blocks, "together": state.together,
                  "steps": state.steps}  # fmt: skip
        with whole_file(self.path) as part, one_line(f"{self.path} must be writable", OSError):
            save_file(state.tensors, part, {HEADER: json.dumps(header)})
        self._saved = time.monotonic()


@contextmanager
def held_interrupts() -> Iterator[Interrupts]:
    """Let interrupts wait until they are asked for, so that no step is left half done."""
    interrupts = Interrupts()
    before = signal.signal(signal.SIGINT, interrupts)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
