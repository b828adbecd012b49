"""Flags that several commands take, and what they stand for."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from models.checks import require
from models.codes import Activation
from models.store import BitplaneFile

CALIBRATE = (
    "a text file, hub:NAME[:SPLIT[:CONFIG]] for a data set of the Hub, self for text that the "
    "model makes up, or none to look at weights only (default: self)"
)
MODEL = "smollm2, a GGUF file, a Transformers folder or a Hub name"
OUT = "file to write"
EXPONENTS = 3


def add_text(sub: ArgumentParser, required: bool) -> None:
    """Add the flags of a text to evaluate on."""
    sub.add_argument("--text", type=Path, required=required, help="file with the text, UTF-8")
    sub.add_argument("--tokens", type=int, default=20000, help="at most so many (default: 20000)")
    sub.add_argument("--context", type=int, help="tokens a window (default: 1024, or the model's)")


def add_activation(sub: ArgumentParser) -> None:
    """Add the flags of how inputs become codes."""
    sub.add_argument("--act-bits", type=int, default=8, help="activation bits (default: 8)")
    sub.add_argument("--act-group", type=int, default=0, metavar="COLUMNS",
                     help="columns that share a power of two beside the token's scale; the "
                     "format's group (default: a scale for each token only)")  # fmt: skip
    sub.add_argument("--act-exponents", type=int, metavar="STEPS",
                     help=f"halvings of a group's scale (default: {EXPONENTS})")  # fmt: skip


def activation_of(arguments: Namespace) -> Activation:
    """Return how inputs become codes."""
    bits, group, exponents = arguments.act_bits, arguments.act_group, arguments.act_exponents
    if not group:
        rule = "be left out without --act-group"
        require(exponents is None, "--act-exponents", rule, exponents)
        return Activation(bits=bits, signed=bits > 1)
    exponents = EXPONENTS if exponents is None else exponents
    return Activation(bits, signed=bits > 1, scale="group", group=group, exponents=exponents)


def add_device(sub: ArgumentParser) -> None:
    """Add the flag of where tensors are computed."""
    sub.add_argument("--device", default="", help="cpu or cuda (default: cuda if there is one)")


def source_of(given: str | None, file: BitplaneFile) -> str:
    """Return the model that a file's layers belong to.

    Raises
    ------
    ValueError
        None is given and the file names none.
    """
    source = given or file.info.get("model")
    if not source:
        raise ValueError(f"--model must be given, as {file.path} names none")
    return source
