"""What every command line shares: one clear line and exit status 2 for bad input."""

import difflib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable
from typing import NoReturn


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a phrase that suggests what ``name`` was meant to be, or lists what there is."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
    return f"there are: {shown}"


def parse(parser: ArgumentParser) -> Namespace:
    """Parse the command line; an error of the user is one line, without the usage."""

    def error(message: str) -> NoReturn:
        raise ValueError(message)

    parser.error = error
    return parser.parse_args()


def run(program: str, command: Callable[[], None]) -> NoReturn:
    """Run a command; turn errors of its user into one line and exit status 2.

    ``ValueError`` and ``OSError`` are the user's; anything else is ours and keeps its
    traceback. An interrupt ends with status 130, as shells expect.
    """
    try:
        command()
    except (ValueError, OSError) as error:
        line = " ".join(str(error).split())
        print(f"{program}: error: {line}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"{program}: interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)
