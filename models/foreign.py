"""Foreign readers and writers: kept quiet, their errors one line of ours."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from huggingface_hub.utils import logging as hub_chatter
from transformers.utils import logging as chatter


@contextmanager
def quiet(bars: bool) -> Iterator[None]:
    """Keep Transformers and the Hub from writing, but for progress bars if ``bars``."""
    levels = chatter.get_verbosity(), hub_chatter.get_verbosity()
    shown = chatter.is_progress_bar_enabled()
    chatter.set_verbosity_error()
    hub_chatter.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if shown and not bars:
            chatter.disable_progress_bar()
        try:
            yield
        finally:
            chatter.set_verbosity(levels[0])
            hub_chatter.set_verbosity(levels[1])
            if shown:
                chatter.enable_progress_bar()


@contextmanager
def one_line(rule: str, kind: type[Exception]) -> Iterator[None]:
    """Turn whatever a foreign reader or writer raises into one line that starts with ``rule``."""
    try:
        yield
    except Exception as error:
        raise kind(f"{rule}, got {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return the kind and the first line of an error."""
    first = str(error).strip().partition("\n")[0].removeprefix("Got: ")
    return f"{type(error).__name__}: {first}"
