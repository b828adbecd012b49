"""Command-line flags of a hardware configuration; the dataclass is the source of all of them."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from dataclasses import fields
from typing import Any

from hwgen.config import HardwareConfig


def add_config_flags(
    parser: ArgumentParser,
    skip: tuple[str, ...] = (),
    fitted: tuple[str, ...] = (),
    otherwise: str = "what the layers need",
) -> None:
    """Add a flag for each parameter, with its default and its help text.

    Those that are ``fitted`` have no default: ``otherwise`` says in words what they are then.
    """
    group = parser.add_argument_group("circuit")
    for field in fields(HardwareConfig):
        if field.name in skip:
            continue
        flag, free = f"--{field.name.replace('_', '-')}", field.name in fitted
        default = None if free else field.default
        shown = otherwise if free else field.default
        text = f"{field.metadata['help']} (default: {shown})"
        if isinstance(field.default, bool):
            group.add_argument(flag, action=BooleanOptionalAction, default=default, help=text)
        elif isinstance(field.default, str):
            choices = field.metadata["choices"]
            group.add_argument(flag, choices=choices, default=default, help=text)
        else:
            group.add_argument(flag, type=int, default=default, metavar="N", help=text)


def settings_from(arguments: Namespace) -> dict[str, Any]:
    """Return the parameters that the flags give."""
    given = {field.name: getattr(arguments, field.name, None) for field in fields(HardwareConfig)}
    return {name: value for name, value in given.items() if value is not None}


def config_from(arguments: Namespace) -> HardwareConfig:
    """Return the configuration that the flags describe.

    Raises
    ------
    ValueError
        A value is out of range.
    """
    return HardwareConfig(**settings_from(arguments))
