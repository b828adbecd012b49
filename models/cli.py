"""What every command line shares: one clear line and exit status 2 for bad input."""

import difflib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from typing import NoReturn


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


def parse(parser: ArgumentParser) -> Namespace:
    """Parse the command line; an error of the user, in a subcommand too, raises ``ValueError``."""

    def error(message: str) -> NoReturn:
        raise ValueError(message)

    parser.error = error
    for action in parser._actions:  # no public name leads to the parsers of subcommands
        choices = action.choices if isinstance(action.choices, dict) else {}
        for subcommand in choices.values():
            if isinstance(subcommand, ArgumentParser):
                subcommand.error = error
    return parser.parse_args()


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
