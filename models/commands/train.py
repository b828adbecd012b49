"""Layers that learn back what quantization lost."""

from argparse import Namespace
from dataclasses import fields
from pathlib import Path

from models.checks import require
from models.cli import Commands
from models.commands import show
from models.commands.flags import OUT, add_device, source_of
from models.files import check_output
from models.store import open_layers
from models.training.settings import Settings

EXAMPLE = "python -m models train build/k2.safetensors --steps 92 -o build/trained.safetensors"

CONTEXT = 512
"""Tokens a window, of models that can read so many."""


def add(commands: Commands) -> None:
    """Add the command and its flags."""
    text = "Learn back what quantization lost, from the float model."
    sub = commands.add("train", text, run, EXAMPLE)
    sub.add_argument("file", type=Path, help="file of layers to start from")
    sub.add_argument("-o", dest="output", type=Path, required=True, help=OUT)
    sub.add_argument("--text", nargs="+", default=["self"],
                     help="one or more, as --calibrate of quantize (default: self)")  # fmt: skip
    sub.add_argument("--windows", nargs="+", type=int, default=[128],
                     help="of each of these texts (default: 128)")  # fmt: skip
    sub.add_argument("--context", type=int, help="tokens a window (default: 512, or the model's)")
    sub.add_argument("--model", help="the model (default: the one that the file was made from)")
    add_device(sub)
    for option in fields(Settings):
        kind = type(option.default)
        flag, meaning = f"--{option.name.replace('_', '-')}", option.metadata["help"]
        sub.add_argument(flag, type=kind, default=option.default,
                         help=f"{meaning} (default: {option.default})")  # fmt: skip


def run(arguments: Namespace) -> None:
    """Train the layers of a file into another one."""
    texts, counts = len(arguments.text), len(arguments.windows)
    require(counts == texts, "--windows", "have a number for each text", f"{counts} for {texts}")
    settings = Settings(**{one.name: getattr(arguments, one.name) for one in fields(Settings)})
    check_output(arguments.output)
    with open_layers(arguments.file) as file:
        source = source_of(arguments.model, file)
        import torch

        from models.calibration.text import calibration_windows
        from models.device import choose_device
        from models.llm import load, window_of
        from models.training.run import train_model

        device = choose_device(arguments.device)
        llm = load(source)
        context = window_of(llm, arguments.context, CONTEXT)
        pairs = list(zip(arguments.text, arguments.windows, strict=True))
        windows = torch.cat([
            calibration_windows(llm, text, count, context, device) for text, count in pairs
        ])
        text = "; ".join(f"{text}, {count} x {context}" for text, count in pairs)
        train_model(llm, file, windows, settings, arguments.output, text, device)
    show.run(Namespace(file=arguments.output, json=False))
