"""Command-line flags of a hardware configuration; the dataclass is the source of all of them."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from dataclasses import fields
from typing import Any

from hwgen.config import HardwareConfig


def add_config_flags(parser: ArgumentParser, skip: tuple[str, ...] = ()) -> None:
    """Add a flag for each parameter, with its default and its help text."""
    group = parser.add_argument_group("circuit")
    for field in fields(HardwareConfig):
        if field.name in skip:
            continue
        flag = f"--{field.name.replace('_', '-')}"
        text = f"{field.metadata['help']} (default: {field.default})"
        if isinstance(field.default, bool):
            group.add_argument(flag, action=BooleanOptionalAction, default=field.default, help=text)
        elif isinstance(field.default, str):
            choices = field.metadata["choices"]
            group.add_argument(flag, choices=choices, default=field.default, help=text)
        else:
            group.add_argument(flag, type=int, default=field.default, metavar="N", help=text)


def config_from(arguments: Namespace, k: int | None = None) -> HardwareConfig:
    """Return the configuration that the flags describe; ``k`` counts where it has no flag.

    Raises
    ------
    ValueError
        A value is out of range.
    """
    names = [field.name for field in fields(HardwareConfig)]
    given: dict[str, Any] = {
        name: getattr(arguments, name) for name in names if hasattr(arguments, name)
    }
    if k is not None:
        given["k"] = k
    return HardwareConfig(**given)
