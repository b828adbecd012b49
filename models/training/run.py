"""A training run: block after block, then all of them together; a file in, a file out."""

import copy
import hashlib
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm
from transformers import PreTrainedModel

from models.calibration.blocks import blocks_of, embedded
from models.device import product_type
from models.formats import FORMATS, parse
from models.formats.spec import StageFormat
from models.llm import LLM, linear_layers
from models.scores import tokens_hash
from models.store import BitplaneFile, save
from models.training.checkpoint import Checkpoint, Interrupts, State, held_interrupts
from models.training.distillation import distill
from models.training.linear import TrainedLinear
from models.training.optimizer import Optimizer
from models.training.order import Order
from models.training.reconstruction import reconstruct
from models.training.settings import Settings


def train_model(
    llm: LLM,
    file: BitplaneFile,
    windows: Tensor,
    settings: Settings,
    output: Path,
    text: str,
    device: torch.device,
) -> None:
    """Train the layers of a file against the float model, and write them to another file.

    The state waits in a file beside the output, from which the same command goes on after an
    interruption; it is removed in the end. On one device, with one number of threads, results
    are the same each time.

    Parameters
    ----------
    llm : LLM
        The float model that the layers were made from; is turned to the device's type of products.
    windows : int64, (windows, tokens)
    text : str
        What the windows are from: goes into the header of the output.

    Raises
    ------
    ValueError
        A layer cannot be trained, or is not the model's; the text names it.
    OSError
        The folder of the output is missing or cannot be written.
    """
    told = ", ".join(f"{key} {value}" for key, value in asdict(settings).items())
    info = file.info | {"trained on": text, "training": told}
    with file.path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    seen = tokens_hash(windows)
    whole = info | {"file": content, "windows": seen}
    checkpoint = Checkpoint(output.with_name(f"{output.name}.training"), whole)
    state = checkpoint.load()
    run = _Run(llm, file, windows.to(device), settings, device)
    run.restore(state)
    with held_interrupts() as interrupts:
        run.reconstruct(state, checkpoint, interrupts)
        run.distill(state, checkpoint, interrupts)
    save(output, [layer.layer() for layer in run.layers.values()], info)
    checkpoint.path.unlink(missing_ok=True)


def fixed_planes(text: str) -> int:
    """Return the bit mask of planes that a format leaves as they are, such as masks.

    0 for a text that is no format of ours.
    """
    spec = parse(text) if text.partition(":")[0] in FORMATS else None
    return spec.fixed if isinstance(spec, StageFormat) else 0


class _Run:
    """The float model, the one that learns, and its layers."""

    def __init__(
        self, llm: LLM, file: BitplaneFile, windows: Tensor, settings: Settings,
        device: torch.device,
    ) -> None:  # fmt: skip
        self.windows, self.settings = windows, settings
        own = {name: one.weight.detach() for name, one in linear_layers(llm, head=True).items()}
        weights = {name: own[name].clone() for name in file.names}
        dtype = product_type(device)
        self.teacher: PreTrainedModel = llm.model.requires_grad_(False)
        nn.Module.to(self.teacher, device, dtype)
        self.student = copy.deepcopy(self.teacher)
        self.blocks = [blocks_of(model, windows[:1])[0] for model in (self.teacher, self.student)]
        self.layers: dict[str, TrainedLinear] = {}
        for name in file.names:
            fixed = fixed_planes(file.format_of(name))
            try:
                layer = TrainedLinear(file.layer(name), weights.pop(name), fixed, dtype, device)
            except ValueError as error:
                raise ValueError(f"layer {name}: {error}") from error
            self.layers[name] = layer
            self.student.set_submodule(name, layer)

    def restore(self, state: State) -> None:
        """Give the layers what they had learned."""
        for name, layer in self.layers.items():
            with torch.no_grad():
                for key, parameter in layer.named_parameters():
                    if f"{name}.{key}" in state.tensors:
                        parameter.copy_(state.tensors[f"{name}.{key}"])
            for levels in layer.levels():
                levels.choose()

    def reconstruct(self, state: State, checkpoint: Checkpoint, interrupts: Interrupts) -> None:
        """Train the blocks that are not yet, each on what those before put out."""
        settings = self.settings
        if not settings.block_steps or state.together:
            return
        teachers, students = self.blocks
        windows = self.windows[: settings.block_windows]
        own = [embedded(self.teacher, teachers[0], window[None]) for window in windows]
        seen = list(own)
        done: dict[str, TrainedLinear] = {}
        order = Order(len(windows), settings.seed)
        with tqdm(total=settings.block_steps * len(students), desc="blocks", unit="step",
                  leave=False) as bar:  # fmt: skip
            for index, (teacher, student) in enumerate(zip(teachers, students, strict=True)):
                own = [teacher.run(hidden) for hidden in own]
                mine = {name: layer for name, layer in self.layers.items()
                        if name.startswith(f"{student.name}.")}  # fmt: skip
                steps = settings.block_steps if mine and index >= state.blocks else 0
                optimizer = Optimizer(mine, settings.block_rate, settings.block_slow_rate, steps)
                for loss in reconstruct(student, seen, own, optimizer, settings.batch, order):
                    bar.update()
                    bar.set_postfix_str(f"block {index}, error {loss:.4g}")
                    checkpoint.keep(State(index, tensors=_parameters(done)), interrupts)
                bar.update(settings.block_steps - steps)
                done |= mine
                seen = [student.run(hidden) for hidden in seen]

    def distill(self, state: State, checkpoint: Checkpoint, interrupts: Interrupts) -> None:
        """Train all layers at once."""
        settings = self.settings
        optimizer = Optimizer(self.layers, settings.rate, settings.slow_rate, settings.steps)
        optimizer.restore(state.tensors)
        order = Order(len(self.windows), settings.seed)
        with tqdm(total=settings.steps * settings.batch, initial=state.steps * settings.batch,
                  desc="distilling", unit="window", leave=False) as bar:  # fmt: skip
            for step, loss in distill(
                self.teacher, self.student, self.windows, optimizer, settings.batch,
                settings.at_once, order, state.steps,
            ):  # fmt: skip
                bar.update(min(settings.at_once, settings.batch))
                bar.set_postfix_str(f"{loss:.4f} nats")
                checkpoint.keep(State(0, True, step, optimizer.state()), interrupts)


def _parameters(layers: dict[str, TrainedLinear]) -> dict[str, Tensor]:
    """Return what layers learn, by name."""
    return {
        f"{name}.{key}": parameter.detach()
        for name, layer in layers.items()
        for key, parameter in layer.named_parameters()
    }
