"""What every command line shares: one clear line and exit status 2 for bad input."""

import difflib
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable
from typing import Any, NoReturn


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a phrase that suggests what ``name`` was meant to be, or lists what there is."""
    known = list(known)
    if not known:
        return "there are none"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"there are: {shown}"


class Parser(ArgumentParser):
    """A parser whose errors, and those of its subcommands, are raised as ``ValueError``."""

    def __init__(self, **options: Any) -> None:
        super().__init__(formatter_class=RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class Commands:
    """The subcommands of a program, each with the function that does it."""

    def __init__(self, program: str, description: str, examples: str) -> None:
        self._parser = Parser(prog=program, description=description, epilog=examples)
        self._commands = self._parser.add_subparsers(required=True, metavar="COMMAND")
        self._examples = examples

    def add(
        self, name: str, text: str, does: Callable[[Namespace], None], example: str | None = None
    ) -> ArgumentParser:
        """Add a subcommand; return its parser, which takes its arguments.

        Its help ends with its example, or with those of the program.
        """
        epilog = f"example: {example}" if example else self._examples
        parser = self._commands.add_parser(name, help=text, description=text, epilog=epilog)
        parser.set_defaults(does=does)
        return parser

    def run(self) -> None:
        """Parse the command line and do what it says."""
        arguments = self._parser.parse_args()
        arguments.does(arguments)


def run(program: str, command: Callable[[], None]) -> NoReturn:
    """Run a command; turn errors of its user into one line and exit status 2.

    ``ValueError`` and ``OSError`` are the user's; anything else is ours and keeps its
    traceback. As shells expect, an interrupt ends with status 130, and a reader of the output
    that has gone, with status 141 and no word.
    """
    try:
        command()
        sys.stdout.flush()
    except BrokenPipeError:
        _flush_or_drop()
        sys.exit(141)
    except (ValueError, OSError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.filename is not None:
            text = f"{error.filename}: {error.strerror}"
        line = " ".join(text.split())
        print(f"{program}: error: {line}", file=sys.stderr)
        _flush_or_drop()
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


def _flush_or_drop() -> None:
    """Write out what was printed; drop what cannot be, or Python would complain at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
